/*
 * The multiboot2 information, read as if its author wished us ill.
 *
 * Invariants: no byte outside the `bytes` given is touched; every loop advances by at least eight
 * bytes of input; numbers are copied out, for nothing promises that they are aligned.
 * Pure but for *out; no locking. Talks to: mm/memmap.
 */
#include <boot_info.h>
#include <lib/string.h>

#define INFO_HEADER_BYTES 8
#define TAG_HEADER_BYTES 8
#define TAG_ALIGN 8

enum tag_type {
	TAG_END = 0,
	TAG_CMDLINE = 1,
	TAG_MODULE = 3,
	TAG_MEMORY_SIZES = 4,
	TAG_MEMORY_MAP = 6,
	TAG_EFI32_SYSTEM = 11,
	TAG_EFI64_SYSTEM = 12,
	TAG_RSDP_OLD = 14,
	TAG_RSDP_NEW = 15,
	TAG_EFI_MAP = 17,
	TAG_EFI_BOOT_SERVICES = 18,
	TAG_EFI32_IMAGE = 19,
	TAG_EFI64_IMAGE = 20,
};

#define MODULE_BYTES 8 /* two addresses; then text */
#define RSDP_OLD_BYTES 20
#define RSDP_NEW_BYTES 36
#define MAP_HEADER_BYTES 8 /* of tags 6 and 17: entry size, version */
#define MAP_ENTRY_BYTES 24
#define EFI_ENTRY_BYTES 40
#define KIB 1024ull
#define MIB (1024 * KIB)

#define BIOS_AREA 0xa0000
#define BIOS_AREA_END 0x100000
#define LOW_PAGE_BYTES 4096

struct parser {
	const uint8_t *info;
	size_t bytes;
	pa_t pa;
	uint64_t pa_limit;
	struct boot_info *out;
	const char *reason; /* an error, or the last thing the user should know */
	bool have_map, have_sizes, have_cmdline, have_new_rsdp;
	uint64_t lower_bytes, upper_bytes; /* tag 4 */
};

/* What a tag holds behind its header. */
struct payload {
	const uint8_t *at;
	size_t bytes;
};

struct tag_reader {
	enum tag_type type;
	size_t bytes_min; /* of the payload; less is malformed */
	int (*read)(struct parser *p, struct payload tag);
};

static uint32_t get32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static uint64_t get64(const uint8_t *at)
{
	uint64_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static int parser_fails(struct parser *p, int error, const char *reason)
{
	p->reason = reason;
	return error;
}

/* Copy a text that may lack its end. Returns false if it was cut. */
static bool copy_text(char *dst, size_t room, const uint8_t *src, size_t bytes)
{
	size_t length = strnlen((const char *)src, bytes);
	bool fits = length < room;

	if (!fits)
		length = room - 1;
	memcpy(dst, src, length);
	dst[length] = '\0';
	return fits;
}

/* ---- Memory. ---- */

/* What cannot be kept must fail: a forgotten reserved range would be handed out. */
static int map_result(struct parser *p, int result)
{
	if (result == -ENOSPC)
		return parser_fails(p, result, "the memory map has too many ranges");
	return 0;
}

static int map_add(struct parser *p, uint64_t start, uint64_t bytes, enum memmap_kind kind)
{
	return map_result(p, memmap_add(&p->out->memmap, start, bytes, kind, p->pa_limit));
}

static int map_mark(struct parser *p, uint64_t start, uint64_t bytes, enum memmap_kind kind)
{
	return map_result(p, memmap_mark(&p->out->memmap, start, bytes, kind, p->pa_limit));
}

/* The types of tag 6 are those of ACPI's system address map. */
static enum memmap_kind kind_of_memory(uint32_t type)
{
	switch (type) {
	case 1:
		return MEMMAP_USABLE;
	case 3:
		return MEMMAP_RECLAIM;
	case 5:
		return MEMMAP_BAD;
	default:
		return MEMMAP_RESERVED;
	}
}

/* The types of EFI's map (UEFI, 7.2). What is free after ExitBootServices tells nothing new. */
static enum memmap_kind kind_of_efi_memory(uint32_t type)
{
	switch (type) {
	case 1: /* loader code and data, boot services code and data, conventional memory */
	case 2:
	case 3:
	case 4:
	case 7:
		return MEMMAP_USABLE;
	case 8:
		return MEMMAP_BAD;
	case 9:
		return MEMMAP_RECLAIM;
	default:
		return MEMMAP_RESERVED;
	}
}

static int read_map_entry(struct parser *p, const uint8_t *entry)
{
	return map_add(p, get64(entry), get64(entry + 8), kind_of_memory(get32(entry + 16)));
}

static int read_efi_entry(struct parser *p, const uint8_t *entry)
{
	enum memmap_kind kind = kind_of_efi_memory(get32(entry));
	uint64_t start = get64(entry + 8), pages = get64(entry + 24);
	uint64_t bytes = pages >> 52 ? ~start : pages << 12; /* absurd: all from there on */

	return kind == MEMMAP_USABLE ? 0 : map_mark(p, start, bytes, kind);
}

/* Tags 6 and 17: the size of an entry, a version, and entries that may grow in later versions. */
static int read_entries(struct parser *p, struct payload tag, size_t entry_bytes_min,
			int (*read_entry)(struct parser *p, const uint8_t *entry))
{
	uint32_t entry_bytes = get32(tag.at);
	size_t at = MAP_HEADER_BYTES;

	if (entry_bytes < entry_bytes_min || entry_bytes % TAG_ALIGN)
		return parser_fails(p, -EINVAL, "the entries of a memory map have an odd size");
	if ((tag.bytes - at) % entry_bytes)
		return parser_fails(p, -EINVAL, "a memory map ends inside an entry");
	for (; at < tag.bytes; at += entry_bytes) {
		int error = read_entry(p, tag.at + at);

		if (error)
			return error;
	}
	return 0;
}

static int read_memory_map(struct parser *p, struct payload tag)
{
	p->have_map = true;
	return read_entries(p, tag, MAP_ENTRY_BYTES, read_map_entry);
}

static int read_efi_map(struct parser *p, struct payload tag)
{
	return read_entries(p, tag, EFI_ENTRY_BYTES, read_efi_entry);
}

static int read_memory_sizes(struct parser *p, struct payload tag)
{
	if (!p->have_sizes) {
		p->lower_bytes = get32(tag.at) * KIB;
		p->upper_bytes = get32(tag.at + 4) * KIB;
	}
	p->have_sizes = true;
	return 0;
}

/* Without a map: what lies from 0 and from 1 MiB on. */
static int add_memory_sizes(struct parser *p)
{
	int error;

	if (!p->have_sizes)
		return parser_fails(p, -ENOENT, "the boot loader gave no memory map");
	error = map_add(p, 0, p->lower_bytes, MEMMAP_USABLE);
	return error ? error : map_add(p, MIB, p->upper_bytes, MEMMAP_USABLE);
}

/* What is in memory on every PC, and this structure. */
static int mark_known(struct parser *p)
{
	int error = map_mark(p, 0, LOW_PAGE_BYTES, MEMMAP_RESERVED);

	if (!error)
		error = map_mark(p, BIOS_AREA, BIOS_AREA_END - BIOS_AREA, MEMMAP_RESERVED);
	if (!error)
		error = map_mark(p, p->pa.value, p->bytes, MEMMAP_RECLAIM);
	return error;
}

/* ---- The rest. ---- */

static int read_cmdline(struct parser *p, struct payload tag)
{
	char *line = p->out->cmdline;

	if (!p->have_cmdline && !copy_text(line, sizeof(p->out->cmdline), tag.at, tag.bytes))
		p->reason = "the command line is too long, its end is ignored";
	p->have_cmdline = true;
	return 0;
}

static int read_module(struct parser *p, struct payload tag)
{
	uint64_t start = get32(tag.at), end = get32(tag.at + 4);
	struct boot_info *out = p->out;
	struct boot_module *m;
	int error;

	/* Wherever it is, nothing else may be put there. */
	error = start < end ? map_mark(p, start, end - start, MEMMAP_RECLAIM) : 0;
	if (error)
		return error;
	if (start >= end || !memmap_covers(&out->memmap, start, end, MEMMAP_RECLAIM)) {
		p->reason = "a module is empty or not in memory and is left out";
		return 0;
	}
	if (out->module_count == BOOT_MODULE_MAX) {
		p->reason = "there are too many modules, the last are left out";
		return 0;
	}
	m = &out->module[out->module_count++];
	m->start = PA(start);
	m->end = PA(end);
	copy_text(m->name, sizeof(m->name), tag.at + MODULE_BYTES, tag.bytes - MODULE_BYTES);
	return 0;
}

static pa_t payload_pa(const struct parser *p, struct payload tag)
{
	return pa_add(p->pa, (uint64_t)(tag.at - p->info));
}

static int read_rsdp_old(struct parser *p, struct payload tag)
{
	if (pa_equal(p->out->rsdp, PA_NONE))
		p->out->rsdp = payload_pa(p, tag);
	return 0;
}

static int read_rsdp_new(struct parser *p, struct payload tag)
{
	if (!p->have_new_rsdp)
		p->out->rsdp = payload_pa(p, tag);
	p->have_new_rsdp = true;
	return 0;
}

static int read_efi(struct parser *p, struct payload tag)
{
	(void)tag;
	p->out->efi = true;
	return 0;
}

/* ---- Tags. ---- */

/* The EFI map only raises the care of memory that tag 6 or 4 has told of, so it is read after. */
static const struct tag_reader memory_readers[] = {
	{ TAG_MEMORY_MAP, MAP_HEADER_BYTES, read_memory_map },
	{ TAG_MEMORY_SIZES, 8, read_memory_sizes },
};

/* Marks what is in the memory map already. */
static const struct tag_reader other_readers[] = {
	{ TAG_CMDLINE, 0, read_cmdline },
	{ TAG_MODULE, MODULE_BYTES, read_module },
	{ TAG_RSDP_OLD, RSDP_OLD_BYTES, read_rsdp_old },
	{ TAG_RSDP_NEW, RSDP_NEW_BYTES, read_rsdp_new },
	{ TAG_EFI_MAP, MAP_HEADER_BYTES, read_efi_map },
	{ TAG_EFI_MAP, 0, read_efi },
	{ TAG_EFI32_SYSTEM, 0, read_efi },
	{ TAG_EFI64_SYSTEM, 0, read_efi },
	{ TAG_EFI_BOOT_SERVICES, 0, read_efi },
	{ TAG_EFI32_IMAGE, 0, read_efi },
	{ TAG_EFI64_IMAGE, 0, read_efi },
};

static int read_tag(struct parser *p, uint32_t type, struct payload tag,
		    const struct tag_reader *reader, size_t reader_count)
{
	for (const struct tag_reader *r = reader; r < reader + reader_count; r++) {
		int error;

		if (r->type != type)
			continue;
		if (tag.bytes < r->bytes_min)
			return parser_fails(p, -EINVAL, "a tag is too small for what it holds");
		error = r->read(p, tag);
		if (error)
			return error;
	}
	return 0;
}

/* Walk all tags with these readers; a type that none of them knows is skipped. */
static int read_tags(struct parser *p, const struct tag_reader *reader, size_t reader_count)
{
	size_t at = INFO_HEADER_BYTES;

	while (at < p->bytes && p->bytes - at >= TAG_HEADER_BYTES) {
		uint32_t type = get32(p->info + at), bytes = get32(p->info + at + 4);
		struct payload tag = { p->info + at + TAG_HEADER_BYTES, bytes - TAG_HEADER_BYTES };
		int error;

		if (bytes < TAG_HEADER_BYTES || bytes > p->bytes - at)
			return parser_fails(p, -EINVAL, "a tag has an impossible size");
		if (type == TAG_END)
			return 0;
		error = read_tag(p, type, tag, reader, reader_count);
		if (error)
			return error;
		at = ALIGN_UP(at + bytes, (size_t)TAG_ALIGN);
	}
	return parser_fails(p, -EINVAL, "the boot information has no end tag");
}

static int read_all(struct parser *p)
{
	int error = read_tags(p, memory_readers, ARRAY_SIZE(memory_readers));

	if (!error && !p->have_map)
		error = add_memory_sizes(p);
	if (!error)
		error = mark_known(p);
	if (!error)
		error = read_tags(p, other_readers, ARRAY_SIZE(other_readers));
	return error;
}

int multiboot_parse(const void *info, size_t limit, pa_t pa, uint64_t pa_limit,
		    struct boot_info *out, const char **reason)
{
	struct parser p = { .info = info, .pa = pa, .pa_limit = pa_limit, .out = out };
	int error;

	memset(out, 0, sizeof(*out));
	out->rsdp = PA_NONE;
	if (limit >= INFO_HEADER_BYTES)
		p.bytes = get32(p.info);
	if (p.bytes < INFO_HEADER_BYTES || p.bytes > limit) {
		*reason = "the boot information has an impossible size";
		return -EINVAL;
	}
	error = read_all(&p);
	*reason = p.reason ? p.reason : "complete";
	return error;
}
