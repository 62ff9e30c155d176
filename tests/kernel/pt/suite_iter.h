/*
 * Claims about the iterator, and about count and dump, which must tell the same story. See suite.h.
 */
#pragma once

#include <tests/kernel/pt/suite.h>
#include <tests/kernel/pt/suite_random.h>

/* All entries that the iterator gives for the range, as a model and as counts. */
static struct pt_count suite_iterate(va_t start, va_t end, struct model *m)
{
	struct pt_count count = { .entry = { { 0 } } };
	struct pt_at at;
	struct pt_iter it;
	va_t next = start;

	m->count = 0;
	EXPECT_EQ(pt_iter_init(&it, &suite.root, start, end), 0);
	while (pt_iter_next(&it, &at)) {
		struct pt_span s = pt_translate(&suite.root, at.va);

		EXPECT(at.va >= next && at.va <= end - 1);
		EXPECT(at.v.bits == ptp_get(at.p).bits && at.v.level == s.level);
		next = (at.va | pt_mask(at.v.level)) + 1;
		count.entry[ptv_kind(at.v)][at.v.level]++;
		s.va &= ~pt_mask(s.level);
		s.pa.value &= ~pt_mask(s.level);
		suite_note_span(m, &s);
	}
	EXPECT(!pt_iter_next(&it, &at));
	pt_iter_fini(&it);
	EXPECT(!pt_iter_next(&it, &at));
	return count;
}

/* The range by iterator, dump and count. */
static void suite_compare_views(va_t start, va_t end)
{
	static struct model iterated, dumped;
	struct pt_count found = suite_iterate(start, end, &iterated), count;

	dumped.count = 0;
	EXPECT_EQ(pt_dump(&suite.root, start, end, suite_note_span, &dumped), 0);
	model_expect(&iterated, &dumped);
	EXPECT_EQ(pt_count(&suite.root, start, end, &count), 0);
	for (unsigned kind = PT_LEAF; kind <= PT_BAD; kind++)
		for (unsigned level = 0; level < PT_LEVEL_MAX; level++)
			EXPECT_EQ(found.entry[kind][level], count.entry[kind][level]);
}

// On random trees the iterator visits, in order, what count counts and dump shows, in any range of
// them.
CLAIM(iterator_count_and_dump_agree)
{
	for (unsigned round = 0; round < 30 * SUITE_SCALE; round++) {
		for (unsigned i = 0; i < 10; i++)
			suite_random_step(&suite.before);
		suite_compare_views(0, suite.root.last + 1);
		for (unsigned i = 0; i < 4; i++) {
			uint64_t a = suite_random_page(), b = suite_random_page();

			if (a > b)
				suite_compare_views(b << PT_PAGE_SHIFT, a << PT_PAGE_SHIFT);
		}
	}
}

// A range that begins and ends inside huge leaves gives both of them, the first at the range's
// start.
CLAIM(iterator_begins_and_ends_inside_huge_leaves)
{
	unsigned level = suite_leaf_max();
	uint64_t size, page = pt_size(0);
	struct pt_at at;
	struct pt_iter it;

	while (level && 3 * pt_size(level) - 1 > suite.root.last)
		level--;
	if (!level)
		TEST_SKIP("no huge leaf");
	suite.root.leaf_level_max = level;
	size = pt_size(level);
	EXPECT_EQ(suite_map(0, 0, 3 * size, SUITE_RW), 0);
	EXPECT_EQ(pt_iter_init(&it, &suite.root, size - page, 2 * size + page), 0);
	EXPECT(pt_iter_next(&it, &at) && at.va == size - page && at.v.level == level);
	EXPECT(pt_iter_next(&it, &at) && at.va == size && ptv_pa(at.v).value == size);
	EXPECT(pt_iter_next(&it, &at) && at.va == 2 * size);
	EXPECT(!pt_iter_next(&it, &at));
	pt_iter_fini(&it);
}

// Asked to make tables, the iterator visits every entry of the level once, none or not, and unmap
// takes all back.
CLAIM(iterator_makes_missing_tables)
{
	for (unsigned level = 0; level <= suite.top; level++) {
		uint64_t size = pt_size(level), count = PT_ENTRY_COUNT < 8 ? 2 : PT_ENTRY_COUNT + 3;
		va_t start = level < suite.top ? pt_size(level + 1) - size : 0, next = start;
		struct pt_at at;
		struct pt_iter it;

		if (start + count * size - 1 > suite.root.last)
			count = (suite.root.last + 1 - start) / size;
		EXPECT_EQ(pt_iter_init(&it, &suite.root, start, start + count * size), 0);
		for (uint64_t i = 0; i < count; i++, next += size) {
			EXPECT_EQ(pt_iter_next_alloc(&it, level, &at), 1);
			EXPECT_EQ(at.va, next);
			EXPECT_EQ(at.p.level, level);
			EXPECT(ptv_none(at.v));
			ptp_change(at.p, ptv_make_soft(i, level));
		}
		EXPECT_EQ(pt_iter_next_alloc(&it, level, &at), 0);
		pt_iter_fini(&it);
		suite_check_tree();
		EXPECT_EQ(suite_count().entry[PT_SOFT][level], count);
		EXPECT_EQ(suite_unmap(0, suite.root.last + 1), 0);
		suite_expect_empty();
	}
}

// Where a huge leaf is in the way the iterator that makes tables gives the leaf, and goes on behind
// it.
CLAIM(iterator_passes_huge_leaves)
{
	uint64_t size = pt_size(1), page = pt_size(0);
	struct pt_at at;
	struct pt_iter it;

	if (!suite_leaf_max() || 2 * size - 1 > suite.root.last)
		TEST_SKIP("no huge leaf");
	EXPECT_EQ(suite_map(0, 0, size, PT_R), 0);
	EXPECT_EQ(pt_iter_init(&it, &suite.root, page, size + page), 0);
	EXPECT_EQ(pt_iter_next_alloc(&it, 0, &at), 1);
	EXPECT(ptv_is_huge(at.v) && at.va == page);
	EXPECT_EQ(pt_iter_next_alloc(&it, 0, &at), 1);
	EXPECT(ptv_none(at.v) && at.va == size && at.p.level == 0);
	EXPECT_EQ(pt_iter_next_alloc(&it, 0, &at), 0);
	pt_iter_fini(&it);
	EXPECT_EQ(suite_unmap(0, suite.root.last + 1), 0);
}

static void suite_note_count(void *arg, const struct pt_span *s)
{
	(void)s;
	++*(unsigned *)arg;
}

static unsigned suite_dump_count(va_t start, va_t end)
{
	unsigned count = 0;

	EXPECT_EQ(pt_dump(&suite.root, start, end, suite_note_count, &count), 0);
	return count;
}

// A dump shows neighbours that continue each other as one range, and splits at any difference but
// young and dirty.
CLAIM(dump_merges_what_continues)
{
	uint64_t page = pt_size(0), pages = PT_ENTRY_COUNT < 8 ? PT_ENTRY_COUNT : 8;

	suite.root.leaf_level_max = 0;
	EXPECT_EQ(suite_dump_count(0, suite.root.last + 1), 0u);
	EXPECT_EQ(suite_map(0, 0, page, SUITE_RW), 0);
	EXPECT_EQ(suite_map(page, page, (pages - 1) * page, SUITE_RW), 0);
	EXPECT_EQ(suite_dump_count(0, pages * page), 1u);
	EXPECT_EQ(suite_protect(0, page, 0, SUITE_AD), 0);
	EXPECT_EQ(suite_dump_count(0, pages * page), 1u);
	EXPECT_EQ(suite_protect(0, page, PT_W, 0), 0);
	EXPECT_EQ(suite_dump_count(0, pages * page), 2u);
	EXPECT_EQ(suite_dump_count(page, 2 * page), 1u);
	EXPECT_EQ(suite_unmap(0, page), 0);
	EXPECT_EQ(suite_map(0, 8 * page, page, SUITE_RW), 0);
	EXPECT_EQ(suite_dump_count(0, pages * page), 2u); /* memory does not continue */
	EXPECT_EQ(suite_unmap(page, pages * page), 0);
	EXPECT_EQ(suite_dump_count(0, suite.root.last + 1), 1u);
}

#define SUITE_ITER_CLAIMS(X, s, top)                           \
	X(s, top, iterator_count_and_dump_agree)               \
	X(s, top, iterator_begins_and_ends_inside_huge_leaves) \
	X(s, top, iterator_makes_missing_tables)               \
	X(s, top, iterator_passes_huge_leaves)                 \
	X(s, top, dump_merges_what_continues)
