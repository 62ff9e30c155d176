/*
 * The iterator, on trees of the VT-d format whose host counts holds and looks (iter_host.h): what
 * it visits, what it holds, what it costs, and the defects that such iterators have had.
 */
#define PT_API static __attribute__((unused))
#define PT_FORMAT_HEADER <dev/vtd_pt_format.h>
#define PT_HOST_HEADER <tests/kernel/iter_host.h>
#include <mm/pt/pt_ops.c>

#include <mm/pt/pt_iter.h>
#include <tests/kernel/test.h>

#define BASE (3ull << 39)
#define SPOT 0x1000 /* any page will do for memory: nothing is read through these trees */
#define VA(table, index) (BASE + ((uint64_t)(table) << 21) + ((uint64_t)(index) << 12))

struct tree {
	struct pt_root root;
	struct pt_owner owner;
};

static void tree_open(struct tree *t, unsigned top_level)
{
	*t = (struct tree){ .owner = { { 0 } } };
	EXPECT_EQ(pt_root_init(&t->root, &t->owner, top_level, 0,
			       (pt_size(top_level) << PT_TABLE_BITS) - 1),
		  0);
	hold_count = drop_count = look_count = 0;
	held_a_level_max = 0;
}

static void tree_close(struct tree *t)
{
	EXPECT_EQ(hold_count, drop_count);
	for (unsigned i = 0; i < HELD_MAX; i++)
		EXPECT_EQ(held[i].count, 0u);
	pt_free(&t->root, NULL, NULL);
	for (unsigned i = 0; i < PT_LEVEL_MAX; i++)
		EXPECT_EQ(t->owner.table_count[i], 0u);
}

static void tree_map(struct tree *t, va_t va, unsigned level)
{
	EXPECT_EQ(pt_map(&t->root, va, PA(pt_size(level)), pt_size(level), PT_R, NULL), 0);
}

static void tree_unmap(struct tree *t, va_t va, va_t end)
{
	EXPECT_EQ(pt_unmap(&t->root, va, end, NULL, NULL), 0);
}

// Every live entry of the range is returned once, in order, with its address; at every depth.
TEST(pt_iter, visits_every_live_entry_once)
{
	for (unsigned top = 2; top <= 4; top++) {
		struct tree t;
		struct pt_iter it;
		struct pt_at at;
		va_t edge, expected[5];

		tree_open(&t, top);
		edge = t.root.last + 1 - pt_size(0);
		expected[0] = 0;
		expected[1] = pt_size(0) * 511;
		expected[2] = pt_size(1) * 3;
		expected[3] = pt_size(2) + pt_size(0);
		expected[4] = edge;
		for (unsigned i = 0; i < 5; i++)
			tree_map(&t, expected[i], i == 2 ? 1 : 0);
		EXPECT_EQ(pt_iter_init(&it, &t.root, 0, t.root.last + 1), 0);
		for (unsigned i = 0; i < 5; i++) {
			REQUIRE(pt_iter_next(&it, &at));
			EXPECT_EQ(at.va, expected[i]);
			EXPECT_EQ(at.p.level, i == 2 ? 1u : 0u);
			EXPECT(ptv_is_leaf(at.v));
			EXPECT_EQ(ptp_index(at.p), pt_index(at.va, at.p.level));
		}
		EXPECT(!pt_iter_next(&it, &at));
		EXPECT(!pt_iter_next(&it, &at));
		pt_iter_fini(&it);
		tree_close(&t);
	}
}

// A range that begins or ends inside a table, or inside a huge leaf, is kept to; one outside the
// root is refused.
TEST(pt_iter, keeps_to_the_range)
{
	struct tree t;
	struct pt_iter it;
	struct pt_at at;

	tree_open(&t, 3);
	tree_map(&t, VA(0, 4), 0);
	tree_map(&t, VA(0, 5), 0);
	tree_map(&t, VA(0, 6), 0);
	tree_map(&t, VA(1, 0), 1);
	pt_iter_init(&it, &t.root, VA(0, 5), VA(0, 6));
	EXPECT(pt_iter_next(&it, &at) && at.va == VA(0, 5));
	EXPECT(!pt_iter_next(&it, &at));
	pt_iter_fini(&it);
	pt_iter_init(&it, &t.root, VA(1, 9), VA(1, 10));
	EXPECT(pt_iter_next(&it, &at) && at.va == VA(1, 9) && at.p.level == 1);
	EXPECT(!pt_iter_next(&it, &at));
	pt_iter_fini(&it);
	EXPECT_EQ(pt_iter_init(&it, &t.root, t.root.last - 0xfff, t.root.last + 0x1001), -ERANGE);
	EXPECT(!pt_iter_next(&it, &at));
	EXPECT_EQ(pt_iter_next_alloc(&it, 0, &at), 0);
	pt_iter_fini(&it);
	tree_close(&t);
}

// Against a list of what was mapped, for many random trees, ranges and starting points.
TEST(pt_iter, random_trees)
{
	for (unsigned round = 0; round < 60; round++) {
		struct tree t;
		struct pt_iter it;
		struct pt_at at;
		bool mapped[3 * 512] = { false };
		unsigned first = test_random() % 1536, count = test_random() % (1536 - first) + 1;
		unsigned i = first;

		tree_open(&t, 2 + round % 3);
		for (unsigned n = test_random() % 200; n; n--) {
			unsigned page = test_random() % 1536;

			if (!mapped[page])
				tree_map(&t, (uint64_t)page << 12, 0);
			mapped[page] = true;
		}
		pt_iter_init(&it, &t.root, (uint64_t)first << 12, (uint64_t)(first + count) << 12);
		while (pt_iter_next(&it, &at)) {
			while (i < first + count && !mapped[i])
				i++;
			REQUIRE_EQ(at.va, (uint64_t)i++ << 12);
		}
		while (i < first + count && !mapped[i])
			i++;
		EXPECT_EQ(i, first + count);
		EXPECT_LE(held_a_level_max, 1u);
		pt_iter_fini(&it);
		tree_close(&t);
	}
}

// A table whose one live entry is its last costs one call and a handful of looks, not one for
// each of the 511 before it.
TEST(pt_iter, a_sparse_table_costs_one_call)
{
	struct tree t;
	struct pt_iter it;
	struct pt_at at;
	uint64_t looks;

	tree_open(&t, 3);
	tree_map(&t, VA(0, 511), 0);
	pt_iter_init(&it, &t.root, VA(0, 0), VA(1, 0));
	look_count = 0;
	EXPECT(pt_iter_next(&it, &at));
	EXPECT_EQ(at.va, VA(0, 511));
	looks = look_count;
	EXPECT_LE(looks, 40u);
	EXPECT(!pt_iter_next(&it, &at));
	test_note("%lu looks at tables for one entry behind 511 empty ones", looks);
	pt_iter_fini(&it);
	tree_close(&t);
}

// 1,000 pages strewn over 1 TiB cost in proportion to the pages, not to the span.
TEST(pt_iter, a_sparse_terabyte)
{
	struct tree t;
	struct pt_iter it;
	struct pt_at at;
	unsigned found = 0;
	uint64_t looks;

	tree_open(&t, 3);
	for (unsigned i = 0; i < 1000; i++)
		tree_map(&t, ((uint64_t)i << 30) + ((uint64_t)(i * 37 % 512) << 12), 0);
	pt_iter_init(&it, &t.root, 0, 1ull << 40);
	look_count = 0;
	while (pt_iter_next(&it, &at))
		found++;
	looks = look_count;
	pt_iter_fini(&it);
	EXPECT_EQ(found, 1000u);
	EXPECT_LE(looks, 40 * 1000u);
	test_note("%lu looks at tables for 1000 pages in 1 TiB", looks);
	tree_close(&t);
}

// A table is held once while its entries are gone through, not once a page; at most one is held a
// level.
TEST(pt_iter, a_table_is_held_once)
{
	struct tree t;
	struct pt_iter it;
	struct pt_at at;
	unsigned found = 0;
	uint64_t before;

	tree_open(&t, 3);
	EXPECT_EQ(pt_map(&t.root, VA(0, 1), PA(5 * SPOT), 1024 * pt_size(0), PT_R, NULL), 0);
	before = hold_count;
	pt_iter_init(&it, &t.root, VA(0, 0), VA(3, 0));
	while (pt_iter_next(&it, &at))
		found++;
	EXPECT_EQ(found, 1024u);
	EXPECT_EQ(hold_count - before, 3u + 3); /* three on the path, and three bottom tables */
	EXPECT_EQ(held_a_level_max, 1u);
	pt_iter_fini(&it);
	tree_close(&t);
}

// The wrong table is never let go: across tables, up to the root and down again, every drop is of
// what was held.
TEST(pt_iter, every_drop_is_of_the_table_that_was_held)
{
	struct tree t;
	struct pt_iter it;
	struct pt_at at;

	tree_open(&t, 4);
	tree_map(&t, VA(0, 511), 0);
	tree_map(&t, VA(1, 0), 0);
	tree_map(&t, BASE + (1ull << 39), 0);
	tree_map(&t, BASE + (1ull << 48), 0);
	pt_iter_init(&it, &t.root, 0, t.root.last + 1);
	for (unsigned i = 0; i < 4; i++) {
		REQUIRE(pt_iter_next(&it, &at));
		for (unsigned level = 0; level <= 4; level++)
			EXPECT_EQ(frame_edges(pa_to_frame(it.path[level].pa)), 2u);
	}
	EXPECT(!pt_iter_next(&it, &at));
	pt_iter_fini(&it);
	tree_close(&t); /* iter_drop has asserted each */
}

// An empty entry hides none of its neighbours: whatever is live next to empty ones is found.
TEST(pt_iter, an_empty_entry_hides_no_sibling)
{
	struct tree t;
	struct pt_iter it;
	struct pt_at at;

	for (unsigned hole = 0; hole < 16; hole++) {
		unsigned found = 0;

		tree_open(&t, 3);
		EXPECT_EQ(pt_map(&t.root, VA(0, 0), PA(SPOT), 16 * pt_size(0), PT_R, NULL), 0);
		EXPECT_EQ(pt_map(&t.root, VA(1, 0), PA(SPOT), 16 * pt_size(0), PT_R, NULL), 0);
		tree_unmap(&t, VA(0, hole), VA(0, hole + 1));
		pt_iter_init(&it, &t.root, VA(0, 0), VA(2, 0));
		while (pt_iter_next(&it, &at)) {
			EXPECT_NE(at.va, VA(0, hole));
			found++;
		}
		EXPECT_EQ(found, 31u);
		pt_iter_fini(&it);
		tree_close(&t);
	}
}

// At and right below the root, where there is no table above to ask, the iterator works as
// anywhere.
TEST(pt_iter, right_below_the_root)
{
	struct tree t;
	struct pt_iter it;
	struct pt_at at;

	tree_open(&t, 1); /* a root of two levels */
	tree_map(&t, 0, 0);
	tree_map(&t, pt_size(1) * 511, 1);
	pt_iter_init(&it, &t.root, 0, t.root.last + 1);
	EXPECT(pt_iter_next(&it, &at) && at.va == 0);
	EXPECT(pt_iter_next(&it, &at) && at.va == pt_size(1) * 511);
	EXPECT(!pt_iter_next(&it, &at));
	pt_iter_seek(&it, pt_size(1));
	EXPECT(pt_iter_next(&it, &at) && at.va == pt_size(1) * 511);
	pt_iter_fini(&it);
	tree_close(&t);
	tree_open(&t, 0); /* and of one */
	tree_map(&t, pt_size(0) * 511, 0);
	pt_iter_init(&it, &t.root, 0, t.root.last + 1);
	EXPECT(pt_iter_next(&it, &at) && at.va == pt_size(0) * 511);
	EXPECT(!pt_iter_next(&it, &at));
	pt_iter_fini(&it);
	tree_close(&t);
}

// A loop can end at 2^64.
TEST(pt_iter, the_end_may_wrap)
{
	struct tree t;
	struct pt_iter it;
	struct pt_at at;

	tree_open(&t, 4);
	t.root.first = ~0ull << 48;
	t.root.last = ~0ull;
	tree_map(&t, ~0xfffull, 0);
	EXPECT_EQ(pt_iter_init(&it, &t.root, t.root.first, 0), 0);
	EXPECT(pt_iter_next(&it, &at) && at.va == ~0xfffull);
	EXPECT(!pt_iter_next(&it, &at));
	EXPECT_EQ(pt_iter_next_alloc(&it, 0, &at), 0);
	pt_iter_fini(&it);
	tree_close(&t);
}

// The iterator can be sent to any address, back and forth; the tables on the common way stay held.
TEST(pt_iter, seek)
{
	struct tree t;
	struct pt_iter it;
	struct pt_at at;
	uint64_t holds;

	tree_open(&t, 3);
	for (unsigned i = 0; i < 4; i++)
		tree_map(&t, VA(i, i), 0);
	pt_iter_init(&it, &t.root, VA(0, 0), VA(4, 0));
	pt_iter_seek(&it, VA(2, 0));
	EXPECT(pt_iter_next(&it, &at) && at.va == VA(2, 2));
	holds = hold_count;
	pt_iter_seek(&it, VA(2, 1));
	EXPECT(pt_iter_next(&it, &at) && at.va == VA(2, 2));
	EXPECT_EQ(hold_count, holds);
	pt_iter_seek(&it, VA(0, 0));
	EXPECT(pt_iter_next(&it, &at) && at.va == VA(0, 0));
	EXPECT_EQ(hold_count, holds + 1); /* only the bottom table is another */
	pt_iter_seek(&it, VA(4, 0));
	EXPECT(!pt_iter_next(&it, &at));
	pt_iter_seek(&it, VA(3, 0));
	EXPECT(pt_iter_next(&it, &at) && at.va == VA(3, 3));
	pt_iter_fini(&it);
	tree_close(&t);
}

// The entry that was returned stays its own until the next call, in a held table, even when it
// was the last of it and all of it is removed; the next call goes on in the tree as it is then.
TEST(pt_iter, a_returned_entry_stays_until_the_next_call)
{
	struct tree t;
	struct pt_iter it;
	struct pt_at at;
	struct frame *f;

	tree_open(&t, 3);
	tree_map(&t, VA(0, 511), 0);
	tree_map(&t, VA(1, 5), 0);
	pt_iter_init(&it, &t.root, VA(0, 0), VA(2, 0));
	REQUIRE(pt_iter_next(&it, &at));
	f = pa_to_frame(it.path[0].pa);
	EXPECT_EQ(ptv_raw(ptp_get(at.p)), ptv_raw(at.v));
	tree_unmap(&t, VA(0, 0), VA(1, 0));
	EXPECT_EQ(t.owner.table_count[0], 1u);
	EXPECT_EQ(frame_edges(f), 1u);
	EXPECT(ptv_none(ptp_get(at.p)));
	tree_unmap(&t, VA(1, 0), VA(2, 0)); /* now every table on the path is gone, but the root */
	EXPECT_EQ(t.owner.table_count[1] + t.owner.table_count[2], 0u);
	tree_map(&t, VA(1, 7), 0);
	EXPECT(pt_iter_next(&it, &at) && at.va == VA(1, 7));
	EXPECT_EQ(frame_edges(f), 0u);
	pt_iter_fini(&it);
	tree_close(&t);
}

// next_alloc makes what is missing on the way, in the tree and not in a table that was taken out
// of it.
TEST(pt_iter, next_alloc_makes_tables)
{
	struct tree t;
	struct pt_iter it;
	struct pt_at at;

	tree_open(&t, 3);
	pt_iter_init(&it, &t.root, VA(0, 510), VA(1, 2));
	for (unsigned i = 0; i < 4; i++) {
		REQUIRE_EQ(pt_iter_next_alloc(&it, 0, &at), 1);
		EXPECT_EQ(at.va, VA(0, 510 + i));
		EXPECT_EQ(at.p.level, 0u);
		ptp_change(at.p, ptv_make_leaf(PA(SPOT), PT_R, 0));
	}
	EXPECT_EQ(pt_iter_next_alloc(&it, 0, &at), 0);
	EXPECT_EQ(t.owner.table_count[0], 2u);
	pt_iter_seek(&it, VA(0, 510));
	EXPECT_EQ(pt_iter_next_alloc(&it, 0, &at), 1);
	tree_unmap(&t, VA(0, 0), VA(2, 0));
	EXPECT_EQ(pt_iter_next_alloc(&it, 0, &at), 1);
	ptp_change(at.p, ptv_make_leaf(PA(SPOT), PT_R, 0));
	EXPECT_EQ(pt_translate(&t.root, VA(0, 511)).kind, PT_LEAF);
	pt_iter_fini(&it);
	tree_close(&t);
}

// next_alloc stops at the level that is asked for, above a table that it has been in, and at a
// huge leaf above it.
TEST(pt_iter, next_alloc_at_a_level)
{
	struct tree t;
	struct pt_iter it;
	struct pt_at at;

	tree_open(&t, 3);
	tree_map(&t, VA(2, 0), 1);
	pt_iter_init(&it, &t.root, VA(0, 0), VA(4, 0));
	EXPECT_EQ(pt_iter_next_alloc(&it, 0, &at), 1);
	EXPECT_EQ(pt_iter_next_alloc(&it, 1, &at), 1);
	EXPECT_EQ(at.va, VA(0, 1)); /* in the middle of it: the caller sees that from the address */
	EXPECT_EQ(at.p.level, 1u);
	EXPECT(ptv_is_table(at.v));
	EXPECT_EQ(pt_iter_next_alloc(&it, 1, &at), 1);
	EXPECT_EQ(at.va, VA(1, 0));
	EXPECT(ptv_none(at.v));
	EXPECT_EQ(pt_iter_next_alloc(&it, 0, &at), 1);
	EXPECT_EQ(at.va, VA(2, 0));
	EXPECT(ptv_is_huge(at.v));
	EXPECT_EQ(pt_iter_next_alloc(&it, 0, &at), 1);
	EXPECT_EQ(at.va, VA(3, 0));
	pt_iter_fini(&it);
	tree_close(&t);
}

// Without memory next_alloc says so and stays where it is: the same call works later.
TEST(pt_iter, next_alloc_without_memory)
{
	struct tree t;
	struct pt_iter it;
	struct pt_at at;

	tree_open(&t, 3);
	pt_iter_init(&it, &t.root, VA(0, 9), VA(0, 11));
	for (unsigned made = 0; made < 3; made++) {
		frame_fail_after(made ? 1 : 0, 1);
		EXPECT_EQ(pt_iter_next_alloc(&it, 0, &at), -ENOMEM);
	}
	frame_fail_after(0, 0);
	EXPECT_EQ(pt_iter_next_alloc(&it, 0, &at), 1);
	EXPECT_EQ(at.va, VA(0, 9));
	pt_iter_fini(&it);
	tree_close(&t);
}

// A bad entry is returned by next, as what it is, and cleared on the way by next_alloc.
TEST(pt_iter, bad_entries)
{
	struct tree t;
	struct pt_iter it;
	struct pt_at at;
	uint64_t bad = pt_bad_count;

	tree_open(&t, 3);
	ptp_change(pt_top(&t.root, BASE),
		   ptv_make_leaf(PA(0), PT_R, 3)); /* no leaf is legal there */
	pt_iter_init(&it, &t.root, BASE, BASE + pt_size(3));
	EXPECT(pt_iter_next(&it, &at));
	EXPECT(ptv_is_bad(at.v));
	pt_iter_seek(&it, BASE);
	EXPECT_EQ(pt_iter_next_alloc(&it, 0, &at), 1);
	EXPECT_EQ(pt_bad_count, bad + 1);
	EXPECT_EQ(at.p.level, 0u);
	pt_iter_fini(&it);
	tree_close(&t);
}
