/*
 * The permission sweep, entries: every value of the low bits of one entry at a time, accessed and
 * dirty bits, bits that are reserved and bits that are ignored, and entries at random.
 */
#include <arch/trap.h>
#include <tests/kernel/access_sweep.h>
#include <tests/kernel/test.h>

#define RANDOM_COUNT 200000
#define ABSENT_COUNT 500

/* Bits that may be 1 without an effect on this walk, in a leaf and in an entry for a table. */
#define IGNORED_LEAF (MODEL_IGNORED | MODEL_G | MODEL_PWT | MODEL_PCD)
#define IGNORED_TABLE (IGNORED_LEAF | MODEL_D)

/* The leaf of paths to an entry at this level: 4 KiB pages, unless the entry is a huge leaf. */
static bool is_huge_allowed(unsigned level)
{
	return level > 0 && level <= bed.cpu.leaf_level_max;
}

/* Every value of bits 0-11 and 63 of one entry, all others open; PS makes it a leaf. */
static void sweep_entry(unsigned level)
{
	struct sweep_group g = { 0 };
	struct sweep_axes axes = { 0 };

	if (level > arch_mmu.top_level)
		TEST_SKIP("there are only %u levels", arch_mmu.top_level + 1);
	bed_open(false);
	for (unsigned bit = 0; bit < 12; bit++)
		/* The emulator has 1 GiB pages even if it does not say so (docs/hardware.md). */
		if (!(bed.is_tcg && level == 2 && !is_huge_allowed(2) && bit == 7))
			sweep_axes_add(&axes, level, 1ull << bit);
	sweep_axes_add(&axes, level, MODEL_NX);
	sweep_run(&g, sweep_open(0), &axes);
	bed_close();
	sweep_group_end(&g, "bits 0-11 and NX of one entry");
}

/* A leaf means what the manual says of each of its bits. */
TEST(sweep, entry_level_0)
{
	sweep_entry(0);
}

/* So does an entry one level up: a table or a 2 MiB leaf. */
TEST(sweep, entry_level_1)
{
	sweep_entry(1);
}

/* A table or a 1 GiB leaf. */
TEST(sweep, entry_level_2)
{
	sweep_entry(2);
}

/* The top entry of 4 levels; PS is reserved. */
TEST(sweep, entry_level_3)
{
	sweep_entry(3);
}

/* The top entry of 5 levels; PS is reserved. */
TEST(sweep, entry_level_4)
{
	sweep_entry(4);
}

/* Every state of A at all levels and of D in the leaf, for walks that end at `stop`, if at all. */
static void sweep_flags(struct sweep_group *g, unsigned leaf, unsigned stop, uint64_t bits)
{
	struct sweep_axes axes = { 0 };
	struct sweep_combo c = sweep_open(leaf);

	for (unsigned level = leaf; level <= bed.cpu.top_level; level++)
		sweep_axes_add(&axes, level, MODEL_A);
	sweep_axes_add(&axes, leaf, MODEL_D);
	c.entry[stop] ^= bits;
	sweep_run(g, c, &axes);
}

/* A is set at every level that a walk uses, also if it fails further down; D in the leaf, by writes
 * alone; neither is ever cleared, and nothing else changes. */
TEST(sweep, accessed_and_dirty)
{
	struct sweep_group g = { 0 };

	bed_open(false);
	const uint64_t obstacle[] = { 0,       MODEL_P,  MODEL_W,
				      MODEL_U, MODEL_NX, 1ull << bed.cpu.pa_bits };

	for (unsigned leaf = 0; leaf <= bed.cpu.leaf_level_max; leaf++)
		for (unsigned stop = leaf; stop <= bed.cpu.top_level; stop++)
			for (unsigned i = 0; i < ARRAY_SIZE(obstacle); i++)
				sweep_flags(&g, leaf, stop, obstacle[i]);
	bed_close();
	sweep_group_end(&g, "A at all levels x D x where the walk ends and why");
}

/* Each bit of `bits` changed alone, in the entry at this level. */
static void touch_each_bit(struct sweep_group *g, const struct sweep_combo *c, unsigned level,
			   uint64_t bits)
{
	for (; bits; bits &= bits - 1) {
		struct sweep_combo one = *c;

		one.entry[level] ^= bits & -bits;
		sweep_touch_all(g, &one);
	}
}

/* A set reserved bit is a fault that says so, whatever the rights. */
TEST(sweep, reserved_bits)
{
	struct sweep_group g = { 0 };

	bed_open(false);
	for (unsigned leaf = 0; leaf <= bed.cpu.leaf_level_max; leaf++) {
		for (unsigned level = leaf; level <= bed.cpu.top_level; level++) {
			struct sweep_combo c = sweep_open(leaf);

			sweep_touch_all(&g, &c);
			c.noise[level] |= MODEL_W | MODEL_U | MODEL_NX;
			touch_each_bit(&g, &c, level,
				       model_reserved(&bed.cpu, level, c.entry[level]) & ~MODEL_PS);
		}
	}
	bed_close();
	sweep_group_end(&g, "reserved bits at every level");
}

/* An ignored bit changes nothing and stays as it is; P, for contrast, is not ignored. */
TEST(sweep, ignored_bits)
{
	struct sweep_group g = { 0 };

	bed_open(false);
	for (unsigned leaf = 0; leaf <= bed.cpu.leaf_level_max; leaf++) {
		for (unsigned level = leaf; level <= bed.cpu.top_level; level++) {
			struct sweep_combo c = sweep_open(leaf);

			c.noise[level] = MODEL_A;
			touch_each_bit(&g, &c, level,
				       MODEL_P | (level == leaf ? IGNORED_LEAF : IGNORED_TABLE));
		}
	}
	bed_close();
	sweep_group_end(&g, "ignored bits at every level");
}

/* Without P no other bit means anything: all 63 of them at random. */
TEST(sweep, absent_entries)
{
	struct sweep_group g = { 0 };
	struct sweep_combo open = sweep_open(0);

	bed_open(false);
	sweep_touch_all(&g, &open);
	for (unsigned level = 0; level <= bed.cpu.top_level; level++) {
		struct sweep_combo c = open;

		c.entry[level] &= ~MODEL_P;
		c.noise[level] = ~MODEL_P;
		for (unsigned i = 0; i < ABSENT_COUNT; i++)
			sweep_touch_all(&g, &c);
	}
	bed_close();
	sweep_group_end(&g, "63 random bits without P at every level");
}

/* Flip each bit that could matter with a probability of one in eight. */
static void randomize(struct sweep_combo *c, unsigned level)
{
	uint64_t rare = bed_random() & bed_random() & bed_random();
	uint64_t bits = MODEL_P | MODEL_W | MODEL_U | MODEL_G | MODEL_NX | 1ull << bed.cpu.pa_bits;

	if (is_huge_allowed(level) || level > 2)
		bits |= MODEL_PS;
	c->entry[level] ^= rare & bits;
}

/* Entries at random at all levels at once, in a mode at random. */
TEST(sweep, random_entries)
{
	struct sweep_group g = { 0 };

	bed_open(false);
	for (unsigned i = 0; i < RANDOM_COUNT; i++) {
		struct sweep_combo c = sweep_open(0);
		uint64_t random = bed_random();

		if (i % 1024 == 0) {
			bed.cpu.wp = random & 1;
			bed.cpu.smep = (random & 2) && arch_mmu.smep;
			bed.cpu.smap = (random & 4) && arch_mmu.smap;
			bed_load_cpu();
		}
		for (unsigned level = 0; level <= bed.cpu.top_level; level++)
			randomize(&c, level);
		sweep_touch(&g, &c, (enum access_kind)(random >> 8) % 3, random & 8,
			    (random & 16) && arch_mmu.smap);
	}
	bed_close();
	sweep_group_end(&g, "random entries at all levels");
}
