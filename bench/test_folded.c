/*
 * The yardsticks do what the library does: otherwise the comparison says nothing.
 */
#include <bench/folded.h>
#include <bench/scene.h>
#include <mm/copy.h>
#include <mm/flush.h>
#include <mm/share.h>
#include <tests/kernel/oracle.h>
#include <tests/kernel/test.h>

#if PTOLEMY_TEST

#define PAGES(n) ((n)*PAGE_SIZE)
#define ATTR (PT_R | PT_W | PT_DEVMAP) /* memory that nobody counts */

static const struct folded *const yardstick[] = { NULL /* for this depth */, &folded_classic };

static const struct folded *nth(unsigned i)
{
	return i ? yardstick[i] : folded_handwritten();
}

static bool counts_equal(const struct space *a, const struct space *b)
{
	struct pt_count x = { 0 }, y = { 0 };
	const struct pt_root *root = &a->root;

	return !pt_count(root, 0, root->last + 1, &x) &&
	       !pt_count(&b->root, 0, root->last + 1, &y) && !__builtin_memcmp(&x, &y, sizeof(x));
}

/* Does find say at va what pt_find says? */
static bool finds_same(const struct folded *f, const struct pt_root *root, va_t va)
{
	ptv_t v;
	ptp_t p = pt_find(root, va, &v);
	uint64_t value;
	unsigned level;
	const void *slot = f->find(root, va, &value, &level);

	return slot == p.slot && value == ptv_raw(v) && level == p.level;
}

// Walks end at the same entry, whatever is there: nothing, a table, pages of every size.
TEST(bench_folded, find_agrees)
{
	struct space *space = space_create();
	va_t huge = SCENE_BASE + (4ull << 30);

	REQUIRE(space);
	EXPECT_EQ(pt_map(&space->root, SCENE_BASE, PA(PAGE_SIZE), PAGES(600), PT_R, NULL), 0);
	EXPECT_EQ(pt_map(&space->root, huge, PA(0), 3ull << 29, PT_R, NULL), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(yardstick); i++) {
		nth(i)->prepare();
		EXPECT(finds_same(nth(i), &space->root, SCENE_BASE + PAGES(599)));
		EXPECT(finds_same(nth(i), &space->root, SCENE_BASE + PAGES(600)));
		EXPECT(finds_same(nth(i), &space->root, SCENE_BASE + (1ull << 30)));
		EXPECT(finds_same(nth(i), &space->root, huge + PAGE_SIZE));
		EXPECT(finds_same(nth(i), &space->root, huge + (5ull << 28)));
		EXPECT(finds_same(nth(i), &space->root, SCENE_BASE << 5));
	}
	EXPECT_EQ(pt_unmap(&space->root, huge, huge + (3ull << 29), NULL, NULL), 0);
	EXPECT_EQ(pt_unmap(&space->root, SCENE_BASE, SCENE_BASE + PAGES(600), NULL, NULL), 0);
	space_destroy(space);
}

/* Map, refuse to map over it, unmap the middle and then the rest, beside the library. */
static void check_map_unmap(const struct folded *f)
{
	struct space *ours = space_create(), *theirs = space_create();
	const struct pt_root *a = &ours->root, *b = &theirs->root;
	uint64_t bytes = (3ull << 30) + PAGES(515);
	va_t end = SCENE_BASE + bytes;
	int err = 0;

	err |= pt_map(a, SCENE_BASE, PA(0), bytes, ATTR, NULL);
	err |= f->map(b, SCENE_BASE, PA(0), bytes, ATTR, NULL);
	EXPECT_EQ(err, 0);
	EXPECT(counts_equal(ours, theirs));
	EXPECT_EQ(f->map(b, SCENE_BASE - PAGES(600), PA(PAGE_SIZE), PAGES(700), ATTR, NULL),
		  -EEXIST);
	EXPECT(counts_equal(ours, theirs));
	err |= pt_unmap(a, SCENE_BASE + PAGES(7), SCENE_BASE + PAGES(2000), NULL, NULL);
	err |= f->unmap(b, SCENE_BASE + PAGES(7), SCENE_BASE + PAGES(2000), NULL, NULL);
	EXPECT_EQ(err, 0);
	EXPECT(counts_equal(ours, theirs));
	err |= pt_unmap(a, SCENE_BASE, end, NULL, NULL);
	err |= f->unmap(b, SCENE_BASE, end, NULL, NULL);
	EXPECT_EQ(err, 0);
	EXPECT(counts_equal(ours, theirs));
	space_destroy(ours);
	space_destroy(theirs);
}

// Mapping and unmapping leave the same entries and tables, also where they are refused.
TEST(bench_folded, map_and_unmap_agree)
{
	for (unsigned i = 0; i < ARRAY_SIZE(yardstick); i++)
		check_map_unmap(nth(i));
}

static void check_copy(const struct folded *f, unsigned leaf_level)
{
	struct scene s = scene_of(4ull << 20, leaf_level);
	struct space *parent = scene_create(&s), *child = space_create_related(parent);
	const struct area *area = space_find_area(parent, SCENE_BASE);
	struct area *clone;

	EXPECT_EQ(space_clone_area(child, area, &clone), 0);
	EXPECT_EQ(f->copy(child, parent, area), 0);
	EXPECT(counts_equal(parent, child));
	EXPECT_EQ(oracle_check(), 0u);
	space_switch(NULL);
	space_destroy(child);
	space_destroy(parent);
}

// A copy of an area satisfies the oracle: edges, live counts, summaries, accounting, W.
TEST(bench_folded, copy_satisfies_the_oracle)
{
	bool before = fork_shares_tables;

	fork_shares_tables = false;
	for (unsigned i = 0; i < ARRAY_SIZE(yardstick); i++) {
		check_copy(nth(i), 0);
		check_copy(nth(i), 1);
	}
	fork_shares_tables = before;
}

#endif
