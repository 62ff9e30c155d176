/* What the boot loader says: multiboot2 information with any tags. */
#include <boot_info.h>
#include <stdlib.h>
#include <string.h>

#include <mm/memmap.h>
#include <tests/fuzz/fuzz.h>

#define PLACE 0x10000000ull
#define PA_LIMIT (1ull << 40)

/* Sorted, apart, inside of what there can be. */
static void check_map(const struct memmap *map)
{
	uint64_t before = 0;

	for (unsigned i = 0; i < map->count; i++) {
		if (map->range[i].start < before || map->range[i].end <= map->range[i].start ||
		    map->range[i].end > PA_LIMIT)
			fuzz_fail("the memory map is not in order");
		before = map->range[i].end;
	}
}

void fuzz_one(const uint8_t *data, size_t size)
{
	static struct boot_info out;
	const char *reason = NULL;
	/* At the end of a block, so that a byte read too far is seen; its size is made to fit. */
	uint8_t *info = malloc(size + 8);
	uint32_t bytes = (uint32_t)size + 8;

	memcpy(info, &bytes, sizeof(bytes));
	memset(info + 4, 0, 4);
	memcpy(info + 8, data, size);
	if (!multiboot_parse(info, bytes, PA(PLACE), PA_LIMIT, &out, &reason))
		check_map(&out.memmap);
	if (!reason || out.module_count > BOOT_MODULE_MAX ||
	    strnlen(out.cmdline, sizeof(out.cmdline)) == sizeof(out.cmdline))
		fuzz_fail("the boot information is not in order");
	free(info);
}
