/*
 * Addresses: which entry an index selects, which byte an offset, what CR2 says, and where the
 * canonical addresses end.
 */
#include <arch/trap.h>
#include <tests/kernel/access_sweep.h>
#include <tests/kernel/test.h>

#define BLOCK_ORDER 9
#define BLOCK_PAGES 512
#define SCATTER 181                /* odd: n * 181 % 512 is a permutation */
#define FREE_VA 0x0000206060600000 /* far from all other addresses of the bed */
#define OFFSETS_PER_PAGE 8

/* Touch some bytes of a page in every way that its rights allow or not. */
static void touch_page(struct sweep_group *g, va_t page)
{
	for (unsigned i = 0; i < OFFSETS_PER_PAGE; i++) {
		va_t va = page + bed_random() % (PAGE_SIZE - 7);

		sweep_touch_va(g, va, ACCESS_READ, true, false);
		sweep_touch_va(g, va, ACCESS_WRITE, true, false);
		sweep_touch_va(g, va, ACCESS_READ, false, false);
	}
}

static pa_t make_block(void)
{
	pa_t block = bed_alloc(BLOCK_ORDER);

	for (uint64_t at = 0; at < BLOCK_PAGES * PAGE_SIZE; at += 8)
		*(uint64_t *)pa_to_ptr(pa_add(block, at)) = bed_random();
	return block;
}

/* Every page of a 2 MiB block through 4 KiB leaves in another order: the same bytes as there. */
TEST(sweep, translation_leaf_0)
{
	struct sweep_group g = { 0 };

	bed_open(false);
	pa_t block = make_block();

	for (unsigned i = 0; i < BLOCK_PAGES; i++)
		*bed_slot(FREE_VA + i * PAGE_SIZE, 0) =
			(block.value + i * SCATTER % BLOCK_PAGES * PAGE_SIZE) | BED_OPEN;
	for (unsigned i = 0; i <= BLOCK_PAGES; i++)
		touch_page(&g, FREE_VA + i * PAGE_SIZE);
	bed_close();
	sweep_group_end(&g, "every page of a block, 4 KiB leaves");
}

/* One huge leaf over the block. */
static void translate_huge(unsigned leaf)
{
	struct sweep_group g = { 0 };

	if (leaf > arch_mmu.leaf_level_max)
		TEST_SKIP("the CPU has no 1 GiB pages");
	bed_open(false);
	pa_t block = make_block();
	uint64_t offset = model_bytes(leaf) - 1;
	va_t va = ALIGN_DOWN(FREE_VA, model_bytes(leaf)) | (block.value & offset);

	*bed_slot(va, leaf) = (block.value & ~offset) | BED_OPEN | MODEL_PS;
	for (unsigned i = 0; i < BLOCK_PAGES; i++)
		touch_page(&g, va + i * PAGE_SIZE);
	touch_page(&g, (va | offset) + 1);
	bed_close();
	sweep_group_end(&g, "every page of a block, a huge leaf");
}

/* The same through one 2 MiB leaf. */
TEST(sweep, translation_leaf_1)
{
	translate_huge(1);
}

/* The same through one 1 GiB leaf, whose offset has 30 bits. */
TEST(sweep, translation_leaf_2)
{
	translate_huge(2);
}

/* Move the path's entry at this level to each index in turn: the walk finds it there, and not where
 * any one bit of the index differs. */
static void sweep_index(struct sweep_group *g, unsigned level)
{
	va_t va = bed.target[BED_DATA].va;
	uint64_t *table = bed.target[BED_DATA].slot[level] - model_index(va, level);
	uint64_t entry = table[model_index(va, level)];
	unsigned limit = level == bed.cpu.top_level ? 256 : 512;

	table[model_index(va, level)] = 0;
	for (unsigned i = 0; i < limit; i++) {
		va_t moved = va ^ (uint64_t)(model_index(va, level) ^ i) << (12 + 9 * level);

		if (table[i]) /* the ring-3 routine's */
			continue;
		table[i] = entry;
		sweep_touch_va(g, moved + bed_random() % (PAGE_SIZE - 7), ACCESS_WRITE, true,
			       false);
		for (unsigned bit = 1; bit < limit; bit <<= 1)
			if (!table[i ^ bit])
				sweep_touch_va(g, moved ^ (uint64_t)bit << (12 + 9 * level),
					       ACCESS_READ, true, false);
		table[i] = 0;
		arch_tlb_flush_page(moved);
	}
	table[model_index(va, level)] = entry;
}

/* At every level, every index selects its entry and no other; CR2 has every bit of the address. */
TEST(sweep, indices)
{
	struct sweep_group g = { 0 };

	bed_open(false);
	*bed.target[BED_DATA].slot[0] = bed.target[BED_DATA].pa.value | BED_OPEN;
	for (unsigned level = 0; level <= bed.cpu.top_level; level++)
		sweep_index(&g, level);
	bed_close();
	sweep_group_end(&g, "every index at every level");
}

/* CR2 is the very byte, for every byte of a page: nothing there, and not allowed. */
TEST(sweep, cr2_is_exact)
{
	struct sweep_group g = { 0 };

	bed_open(false);
	*bed_slot(FREE_VA, 0) = bed_alloc(0).value | MODEL_P | MODEL_U | MODEL_NX;
	for (unsigned at = 0; at < 2 * PAGE_SIZE; at++) {
		sweep_touch_va(&g, FREE_VA + at, ACCESS_WRITE, true, false);
		sweep_touch_va(&g, FREE_VA + at, ACCESS_WRITE, false, false);
		sweep_touch_va(&g, FREE_VA + at, ACCESS_EXEC, true, false);
	}
	sweep_touch_va(&g, FREE_VA, ACCESS_READ, true, false);
	bed_close();
	sweep_group_end(&g, "every byte of a page");
}

/* Read, and in ring 3 write and fetch as well, on both sides of an address that may be an edge. */
static void touch_edge(struct sweep_group *g, va_t edge)
{
	for (int at = -16; at <= 16; at += 8) {
		sweep_touch_va(g, edge + at, ACCESS_READ, false, false);
		for (enum access_kind kind = ACCESS_READ; kind <= ACCESS_EXEC; kind++)
			sweep_touch_va(g, edge + at, kind, true, false);
	}
}

/* Canonical addresses end where they should, at either depth: a page fault or none on this side, a
 * general protection on the other. */
TEST(sweep, canonical_edges)
{
	static const va_t edges[] = {
		0x0000800000000000, 0xffff800000000000, 0x0100000000000000,
		0xff00000000000000, 0x8000000000000000, 0x0001000000000000,
	};
	struct sweep_group g = { 0 };

	bed_open(false);
	pa_t code = bed_alloc(0);
	unsigned top_bits = bed.cpu.top_level == 4 ? 57 : 48;

	bed_fill_code(code);
	*bed_slot((1ull << (top_bits - 1)) - PAGE_SIZE, 0) = code.value | MODEL_P | MODEL_U;
	*bed_slot(0x0000800000000000 - PAGE_SIZE, 0) = code.value | MODEL_P | MODEL_U;
	for (unsigned i = 0; i < ARRAY_SIZE(edges); i++)
		touch_edge(&g, edges[i]);
	bed_close();
	sweep_group_end(&g, "both sides of the canonical edges");
}
