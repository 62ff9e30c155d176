/*
 * The two things boot/ wants from the multiboot2 information: the command line and the amount of
 * memory. The kernel's own parser reads the rest, and reads it strictly; here a malformed tag just
 * ends the search.
 */
#include <boot/boot.h>

#define TAG_END 0
#define TAG_CMDLINE 1
#define TAG_MEMORY_MAP 6
#define MEMORY_USABLE 1

struct tag {
	uint32_t type, bytes;
};

struct tag_memory_map {
	struct tag tag;
	uint32_t entry_bytes, version;
};

struct memory_entry {
	uint64_t start, bytes;
	uint32_t type, reserved;
};

/* The information is its size, a reserved word, and tags aligned to 8 bytes. */
static const struct tag *find_tag(uint32_t info, uint32_t type)
{
	uint32_t end = info + *(const uint32_t *)info;
	uint32_t at = info + 8;

	while (at + sizeof(struct tag) <= end) {
		const struct tag *tag = (const struct tag *)at;

		if (tag->type == TAG_END || tag->bytes < sizeof(*tag) || tag->bytes > end - at)
			break;
		if (tag->type == type)
			return tag;
		at += ALIGN_UP(tag->bytes, 8);
	}
	return NULL;
}

struct boot_text boot_multiboot_cmdline(uint32_t info)
{
	const struct tag *tag = find_tag(info, TAG_CMDLINE);
	struct boot_text text = { "", 0 };

	if (!tag)
		return text;
	text.start = (const char *)(tag + 1);
	while (text.bytes < tag->bytes - sizeof(*tag) && text.start[text.bytes])
		text.bytes++;
	return text;
}

/* The part of an entry that is usable and below 4 GiB. */
static uint64_t usable_bytes(const struct memory_entry *entry)
{
	uint64_t limit = 1ull << 32;

	if (entry->type != MEMORY_USABLE || entry->start >= limit)
		return 0;
	return entry->bytes < limit - entry->start ? entry->bytes : limit - entry->start;
}

bool boot_multiboot_memory(uint32_t info, uint64_t *bytes)
{
	const struct tag_memory_map *map = (const void *)find_tag(info, TAG_MEMORY_MAP);
	uint32_t end;

	if (!map || map->entry_bytes < sizeof(struct memory_entry))
		return false;
	*bytes = 0;
	end = (uint32_t)map + map->tag.bytes;
	for (uint32_t at = (uint32_t)(map + 1); at + map->entry_bytes <= end;
	     at += map->entry_bytes)
		*bytes += usable_bytes((const struct memory_entry *)at);
	return true;
}
