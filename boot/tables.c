/*
 * The boot tables: what the CPU walks until the kernel has built its own.
 *
 *   va 0                 \
 *   va DIRECT_BASE        > pa 0, BOOT_MAP_BYTES of it
 *   va IMAGE_BASE        /  (its first GiB)
 *
 * in 2 MiB leaves, since not every CPU has larger ones. One set of tables serves both depths: every
 * kernel address is canonical at 48 bits, so with 5 levels the top table's first and last entry
 * simply both lead to the table that is the top one with 4.
 *
 * Talks to: arch/layout.h. The library takes over later; this is the only other place that writes
 * entries of the CPU's format.
 */
#include <arch/layout.h>
#include <boot/boot.h>

#define ENTRIES 512
#define ENTRY_P 0x1
#define ENTRY_W 0x2
#define ENTRY_PS 0x80
#define TABLE_BITS (ENTRY_P | ENTRY_W)
#define LEAF_BITS (ENTRY_P | ENTRY_W | ENTRY_PS)
#define LEAF_BYTES (1ull << 21)

#define GIB (1ull << 30)
#define GIB_COUNT (BOOT_MAP_BYTES / GIB)
#define SHIFT_2 30 /* what an entry at each level covers */
#define SHIFT_3 39
#define INDEX(va, shift) (((va) >> (shift)) % ENTRIES)

typedef uint64_t table_t[ENTRIES];
#define BOOT_TABLE __attribute__((section(".bss.tables"), aligned(4096)))

static BOOT_TABLE table_t level_4, level_3, level_2_low, level_2_image, level_1[GIB_COUNT];

_Static_assert(BOOT_MAP_BYTES % GIB == 0, "whole level 1 tables");
_Static_assert(INDEX(DIRECT_BASE, SHIFT_2) == 0, "the direct map shares the identity map's table");

static uint64_t table_entry(const uint64_t *table)
{
	return (uint32_t)table | TABLE_BITS;
}

uint32_t boot_tables_build(bool five_levels)
{
	for (unsigned gib = 0; gib < GIB_COUNT; gib++) {
		for (unsigned i = 0; i < ENTRIES; i++)
			level_1[gib][i] = (gib * GIB + i * LEAF_BYTES) | LEAF_BITS;
		level_2_low[gib] = table_entry(level_1[gib]);
	}
	level_2_image[INDEX(IMAGE_BASE, SHIFT_2)] = table_entry(level_1[0]);

	level_3[0] = table_entry(level_2_low);
	level_3[INDEX(DIRECT_BASE, SHIFT_3)] = table_entry(level_2_low);
	level_3[INDEX(IMAGE_BASE, SHIFT_3)] = table_entry(level_2_image);

	level_4[0] = table_entry(level_3);
	level_4[ENTRIES - 1] = table_entry(level_3);
	return (uint32_t)(five_levels ? level_4 : level_3);
}
