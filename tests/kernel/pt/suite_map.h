/*
 * Claims about mapping, translating, unmapping, reserving and roots. See suite.h.
 */
#pragma once

#include <tests/kernel/pt/suite.h>

#define SUITE_RW (PT_R | PT_W)

/* Map, look, count, unmap one leaf of the level; nothing may be left. */
static void suite_try_leaf(va_t va, uint64_t pa, unsigned level)
{
	uint64_t size = pt_size(level);
	struct pt_count count;

	EXPECT_EQ(suite_map(va, pa, size, SUITE_RW), 0);
	EXPECT(suite_is_mapped(va, pa, SUITE_RW, level));
	EXPECT(suite_is_mapped(va + size - 1, pa + size - 1, SUITE_RW, level));
	EXPECT(va == suite.root.first || suite_is_none(va - 1));
	EXPECT(va + size - 1 == suite.root.last || suite_is_none(va + size));
	count = suite_count();
	EXPECT_EQ(count.entry[PT_LEAF][level], 1u);
	EXPECT_EQ(suite_count_of(PT_LEAF), 1u);
	EXPECT_EQ(suite_count_of(PT_TABLE), suite.top - level);
	EXPECT_EQ(suite_check_tree().empty_count, 0u);
	EXPECT_EQ(suite_unmap(va, va + size), 0);
	suite_expect_empty();
}

// A leaf of every size, at both ends of the root and of memory, is mapped, translated, counted and
// unmapped to nothing.
CLAIM(every_leaf_size_maps_and_unmaps)
{
	for (unsigned level = 0; level <= suite_leaf_max(); level++) {
		uint64_t size = pt_size(level), high = (pt_pa_limit() - 1) & ~pt_mask(level);

		if (size > suite.root.last) /* half of the root is less than one leaf */
			continue;
		suite_try_leaf(0, 0, level);
		suite_try_leaf(0, high, level);
		suite_try_leaf(suite.root.last + 1 - size, high, level);
		suite_try_leaf((suite.root.last / 2 + 1) & ~pt_mask(level), size, level);
	}
}

// The last page of the upper half, whose end is 2^64, is mapped, found, dumped and unmapped like
// any other.
CLAIM(range_may_end_at_the_end_of_the_world)
{
	va_t half = ~(pt_mask(suite.top + 1) >> 1), page = pt_size(0);
	struct pt_count count;

	suite_free(&suite.root);
	REQUIRE_EQ(suite_root_init(&suite.root, half, ~0ull), 0);
	EXPECT_EQ(suite_map(0 - 2 * page, page, 2 * page, PT_R), 0);
	EXPECT(suite_is_mapped(~0ull, 3 * page - 1, PT_R, 0) ||
	       suite_is_mapped(~0ull, 3 * page - 1, PT_R, 1));
	EXPECT(suite_is_none(0 - 2 * page - 1) || half == 0 - 2 * page);
	EXPECT_EQ(suite_protect(0 - page, 0, 0, PT_W), 0);
	EXPECT(suite_is_mapped(0 - page, 2 * page, PT_R | PT_W, 0));
	EXPECT_EQ(pt_count(&suite.root, 0 - page, 0, &count), 0);
	EXPECT_EQ(count.entry[PT_LEAF][0], 1u);
	EXPECT_EQ(pt_reserve(&suite.root, 0 - page, 0, 0), 0);
	EXPECT_EQ(suite_unmap(0 - page, 0), 0);
	EXPECT(suite_is_none(~0ull));
	EXPECT_EQ(suite_unmap(half, 0), 0);
	suite_expect_empty();
}

// A root translates its own addresses and no others, and nothing else has changed when it says so.
CLAIM(ranges_outside_the_root_are_refused)
{
	va_t end = suite.root.last + 1, page = pt_size(0);
	struct pt_iter it;
	struct pt_count count;

	EXPECT_EQ(suite_map(end - page, 0, 2 * page, PT_R), -ERANGE);
	EXPECT_EQ(suite_map(0 - page, 0, 2 * page, PT_R), -ERANGE);
	EXPECT_EQ(suite_map(end, 0, page, PT_R), -ERANGE);
	EXPECT_EQ(suite_unmap(end, end + page), -ERANGE);
	EXPECT_EQ(suite_unmap(page, 0), -ERANGE);
	EXPECT_EQ(suite_unmap(2 * page, page), -ERANGE);
	EXPECT_EQ(suite_protect(end, end + page, 0, PT_W), -ERANGE);
	EXPECT_EQ(pt_reserve(&suite.root, end, end + page, 0), -ERANGE);
	EXPECT_EQ(suite_merge(end, end + page), -ERANGE);
	EXPECT_EQ(pt_count(&suite.root, end, end + page, &count), -ERANGE);
	EXPECT_EQ(pt_dump(&suite.root, end, end + page, suite_note_span, &suite.after), -ERANGE);
	EXPECT_EQ(pt_iter_init(&it, &suite.root, end, end + page), -ERANGE);
	pt_iter_fini(&it);
	EXPECT(pt_translate(&suite.root, end).kind == PT_NONE);
	suite_expect_empty();
}

// A range that is empty or not whole pages, an unaligned or too large address, an unknown
// attribute: all refused.
CLAIM(malformed_arguments_are_refused)
{
	va_t page = pt_size(0);
	uint64_t limit = pt_pa_limit();

	EXPECT_EQ(suite_map(page, 0, 0, PT_R), -EINVAL);
	EXPECT_EQ(suite_map(page, 0, page / 2, PT_R), -EINVAL);
	EXPECT_EQ(suite_map(page / 2, 0, page, PT_R), -EINVAL);
	EXPECT_EQ(suite_map(page, page / 2, page, PT_R), -EINVAL);
	EXPECT_EQ(pt_map(&suite.root, page, PA(0), page, PT_R | 1u << 31, NULL), -EINVAL);
	EXPECT_EQ(suite_map(0, limit - page, 2 * page, PT_R), -EINVAL);
	if (limit)
		EXPECT_EQ(suite_map(0, limit, page, PT_R), -EINVAL);
	EXPECT_EQ(suite_unmap(page, page), -EINVAL);
	EXPECT_EQ(suite_unmap(page, page + 1), -EINVAL);
	EXPECT_EQ(suite_protect(page, page, 0, PT_W), -EINVAL);
	EXPECT_EQ(pt_protect(&suite.root, page, 2 * page, 0, 1u << 31), -EINVAL);
	EXPECT_EQ(pt_reserve(&suite.root, page, page, 0), -EINVAL);
	EXPECT_EQ(suite_merge(page, page), -EINVAL);
	suite_expect_empty();
}

/* The largest leaf that may start here, by trying them all. */
static unsigned suite_best_level(va_t va, uint64_t pa, uint64_t bytes)
{
	unsigned best = 0;

	for (unsigned level = 1; level <= suite_leaf_max(); level++)
		if (level <= suite.root.leaf_level_max && va % pt_size(level) == 0 &&
		    pa % pt_size(level) == 0 && bytes >= pt_size(level))
			best = level;
	return best;
}

/* Are the leaves of the range the largest possible ones? Returns their number. */
static unsigned suite_check_leaves(va_t va, uint64_t pa, uint64_t bytes)
{
	unsigned count = 0;

	while (bytes) {
		unsigned level = suite_best_level(va, pa, bytes);

		if (!EXPECT(suite_is_mapped(va, pa, SUITE_RW, level)))
			break;
		va += pt_size(level);
		pa += pt_size(level);
		bytes -= pt_size(level);
		count++;
	}
	return count;
}

// Mapping chooses at each address the leaf that a brute-force search finds best.
CLAIM(map_uses_the_largest_leaves_that_fit)
{
	for (unsigned round = 0; round < 40 * SUITE_SCALE; round++) {
		unsigned class = suite_random(suite_leaf_max() + 1);
		uint64_t unit = pt_size(class ? class - 1 : 0);
		uint64_t room = (suite.root.last + 1) / unit;
		uint64_t bytes =
			(1 + suite_random(room < 3 * PT_ENTRY_COUNT ? room : 3 * PT_ENTRY_COUNT)) *
			unit;
		va_t va = suite_random((suite.root.last + 1 - bytes) / unit + 1) * unit;
		uint64_t pa = (suite_page_to_pfn(va >> PT_PAGE_SHIFT) << PT_PAGE_SHIFT) +
			      suite_random(4) * unit;

		suite.root.leaf_level_max = suite_random(PT_LEVEL_COUNT);
		if (suite.root.leaf_level_max + 1 < class)
			suite.root.leaf_level_max = class - 1;
		if (!EXPECT_EQ(suite_map(va, pa, bytes, SUITE_RW), 0))
			return;
		EXPECT_EQ(suite_check_leaves(va, pa, bytes), suite_count_of(PT_LEAF));
		EXPECT_EQ(suite_unmap(va, va + bytes), 0);
	}
	suite_expect_empty();
}

// A range that needs exactly twenty leaves of three sizes gets exactly those.
CLAIM(three_sizes_make_twenty_leaves)
{
	unsigned few = PT_ENTRY_COUNT - 1 < 4 ? PT_ENTRY_COUNT - 1 : 4, many = 20 - 4 * few;
	uint64_t bytes = few * 2 * (pt_size(0) + pt_size(1)) + many * pt_size(2);
	va_t va = pt_size(3) - few * (pt_size(0) + pt_size(1));
	struct pt_count count;

	suite.root.leaf_level_max = 2;
	if (suite_leaf_max() < 2 || va + bytes - 1 > suite.root.last)
		TEST_SKIP("too few levels for three sizes");
	EXPECT_EQ(suite_map(va, va, bytes, SUITE_RW), 0);
	count = suite_count();
	EXPECT_EQ(count.entry[PT_LEAF][0], 2 * few);
	EXPECT_EQ(count.entry[PT_LEAF][1], 2 * few);
	EXPECT_EQ(count.entry[PT_LEAF][2], many);
	EXPECT_EQ(suite_check_leaves(va, va, bytes), 20u);
	EXPECT_EQ(suite_unmap(va, va + bytes), 0);
	suite_expect_empty();
}

// A range of small pages across the boundary of every level is mapped without a gap.
CLAIM(ranges_cross_boundaries_of_every_level)
{
	for (unsigned level = 1; level <= suite.top; level++) {
		uint64_t page = pt_size(0), count = PT_ENTRY_COUNT < 8 ? 2 : 7;
		va_t boundary = pt_size(level), va = boundary - count / 2 * page;

		if (va + count * page - 1 > suite.root.last)
			continue;
		EXPECT_EQ(suite_map(va, 5 * page, count * page, SUITE_RW), 0);
		for (unsigned i = 0; i < count; i++)
			EXPECT(suite_is_mapped(va + i * page, (5 + i) * page, SUITE_RW, 0));
		EXPECT(suite_is_none(va - 1) && suite_is_none(va + count * page));
		suite_check_tree();
		EXPECT_EQ(suite_unmap(boundary - page, boundary + page), 0);
		EXPECT(suite_is_none(boundary - page) && suite_is_none(boundary));
		EXPECT(count == 2 ||
		       suite_is_mapped(boundary + page, (6 + count / 2) * page, SUITE_RW, 0));
		EXPECT_EQ(suite_unmap(va, va + count * page), 0);
		suite_expect_empty();
	}
}

// Tables that an earlier mapping left empty give way to a huge leaf.
CLAIM(empty_tables_make_room_for_a_huge_leaf)
{
	for (unsigned level = 1; level <= suite_leaf_max(); level++) {
		va_t va = pt_size(level);

		if (va + pt_size(level) - 1 > suite.root.last)
			continue;
		EXPECT_EQ(pt_reserve(&suite.root, va, va + pt_size(level), level - 1), 0);
		EXPECT_EQ(pt_reserve(&suite.root, va, va + pt_size(0), 0), 0);
		EXPECT_EQ(suite_map(va, 0, pt_size(level), SUITE_RW), 0);
		EXPECT(suite_is_mapped(va, 0, SUITE_RW, level));
		EXPECT_EQ(suite_check_tree().empty_count, 0u);
		EXPECT_EQ(suite_unmap(va, va + pt_size(level)), 0);
		suite_expect_empty();
	}
}

// What is mapped stays as it is when somebody maps over it, and nothing beside it is mapped either.
CLAIM(mapping_over_something_fails_whole)
{
	uint64_t page = pt_size(0), used;
	va_t middle = pt_size(1);

	for (unsigned level = 0; level <= suite_leaf_max() && pt_size(level) * 2 <= suite.root.last;
	     level++) {
		uint64_t size = pt_size(level);

		middle = size;
		EXPECT_EQ(suite_map(middle, 0, size, SUITE_RW), 0);
		suite_read(&suite.before);
		used = suite_tables_used();
		EXPECT_EQ(suite_map(middle, 0, size, SUITE_RW), -EEXIST);
		EXPECT_EQ(suite_map(middle - page, page, 2 * page, PT_R), -EEXIST);
		EXPECT_EQ(suite_map(middle + size - page, page, 2 * page, PT_R), -EEXIST);
		EXPECT_EQ(suite_map(middle, page, page, PT_R), -EEXIST);
		EXPECT_EQ(suite_map(0, 0, middle + size, PT_R), -EEXIST);
		EXPECT_EQ(suite_map(0, 0, middle + page, PT_R), -EEXIST);
		suite_expect(&suite.before);
		EXPECT(suite_is_mapped(middle, 0, SUITE_RW, level));
		EXPECT_EQ(suite_tables_used(), used);
		EXPECT_EQ(suite_check_tree().empty_count, 0u);
		EXPECT_EQ(suite_unmap(0, middle + size), 0);
		suite_expect_empty();
	}
}

struct suite_drops {
	struct pt_drop drop;
	unsigned count;
	uint64_t pages;
	va_t va;
	ptv_t v;
};

static void suite_note_drop(struct pt_drop *self, va_t va, ptv_t v)
{
	struct suite_drops *d = (struct suite_drops *)self;

	EXPECT(ptv_is_leaf(v) || ptv_is_soft(v));
	EXPECT(!d->count || va > d->va);
	d->count++;
	d->pages += suite_pages(v.level);
	d->va = va;
	d->v = v;
}

// Every leaf that is removed is told once, in order, with its size; what is not there is not told.
CLAIM(unmap_tells_of_every_leaf)
{
	struct suite_drops d = { .drop = { suite_note_drop } };
	uint64_t page = pt_size(0);

	if (!suite.top)
		TEST_SKIP("one table is all there is");
	EXPECT_EQ(suite_unmap_to(0, suite.root.last + 1, &d.drop), 0);
	EXPECT_EQ(d.count, 0u);
	EXPECT_EQ(suite_map(page, 3 * page, page, SUITE_RW), 0);
	EXPECT_EQ(suite_unmap_to(0, suite.root.last + 1, &d.drop), 0);
	EXPECT_EQ(d.count, 1u);
	EXPECT_EQ(d.va, page);
	EXPECT_EQ(d.v.bits, ptv_make_leaf(PA(3 * page), SUITE_RW | SUITE_ATTR, 0).bits);
	suite.root.leaf_level_max = 0;
	EXPECT_EQ(suite_map(page, 0, PT_ENTRY_COUNT * page, SUITE_RW), 0);
	d.pages = d.count = 0;
	EXPECT_EQ(suite_unmap_to(page, (PT_ENTRY_COUNT + 1) * page, &d.drop), 0);
	EXPECT_EQ(d.count, PT_ENTRY_COUNT);
	EXPECT_EQ(d.pages, PT_ENTRY_COUNT);
	suite_expect_empty();
}

// Reserving makes every table down to the level asked for, maps nothing, and mapping then needs no
// memory.
CLAIM(reserve_makes_tables_only)
{
	for (unsigned level = 0; level < suite.top; level++) {
		va_t start = pt_size(level + 1) - pt_size(0);
		uint64_t allocated, tables = start + 2 * pt_size(0) - 1 > suite.root.last ? 1 : 2;
		va_t end = start + tables * pt_size(0);

		EXPECT_EQ(pt_reserve(&suite.root, start, end, level), 0);
		EXPECT_EQ(suite_check_tree().table_count[level], tables);
		EXPECT(!level || !suite_check_tree().table_count[level - 1]);
		EXPECT_EQ(suite_count_of(PT_LEAF), 0u);
		allocated = suite_alloc_count();
		EXPECT_EQ(pt_reserve(&suite.root, start, end, level), 0);
		EXPECT_EQ(pt_reserve(&suite.root, start, end, suite.top), 0);
		if (level == 0)
			EXPECT_EQ(suite_map(start, 0, end - start, PT_R), 0);
		EXPECT_EQ(suite_alloc_count(), allocated);
		EXPECT_EQ(suite_unmap(0, suite.root.last + 1), 0);
		suite_expect_empty();
	}
}

// Reserving goes around what is mapped: leaves, huge or not, stay.
CLAIM(reserve_leaves_leaves_alone)
{
	unsigned level = suite_leaf_max();

	if (pt_size(level) > suite.root.last)
		level--;
	EXPECT_EQ(suite_map(0, 0, pt_size(level), SUITE_RW), 0);
	suite_read(&suite.before);
	EXPECT_EQ(pt_reserve(&suite.root, 0, pt_size(level), 0), 0);
	suite_expect(&suite.before);
	EXPECT(suite_is_mapped(0, 0, SUITE_RW, level));
}

// Tables at keep_level and above stay when they become empty; those below do not.
CLAIM(kept_tables_stay_when_empty)
{
	for (unsigned keep = 0; keep <= suite.top; keep++) {
		suite.root.keep_level = keep;
		EXPECT_EQ(suite_map(0, 0, pt_size(0), SUITE_RW), 0);
		EXPECT_EQ(suite_unmap(0, pt_size(0)), 0);
		EXPECT_EQ(suite_tables_used() - suite.used_before, suite.top - keep + 1);
		suite.root.keep_level = PT_LEVEL_COUNT;
		EXPECT_EQ(suite_map(0, 0, pt_size(0), SUITE_RW), 0);
		EXPECT_EQ(suite_unmap(0, pt_size(0)), 0);
		suite_expect_empty();
	}
}

// The rights of an address are those that the leaf and every table above it grant together.
CLAIM(rights_are_those_of_the_whole_path)
{
	static struct model seen;

	for (unsigned level = 1; level <= suite.top; level++) {
		ptp_t p;
		ptv_t v;

		EXPECT_EQ(suite_map(0, 0, pt_size(0), PT_RWX | PT_U | PT_MARK), 0);
		for (p = pt_top(&suite.root, 0); p.level > level; p = pt_walk(v, 0))
			v = ptp_get(p);
		v = ptp_get(p);
		ptp_exchange(p, ptv_make_table(ptv_pa(v), PT_R | PT_U, level));
		EXPECT(suite_is_mapped(0, 0, PT_R | PT_U | PT_MARK, 0));
		seen.count = 0;
		pt_dump(&suite.root, 0, pt_size(0), suite_note_span, &seen);
		EXPECT_EQ(seen.count, 1u);
		EXPECT_EQ(seen.range[0].attr, suite_known(PT_R | PT_U | PT_MARK));
		EXPECT_EQ(suite_unmap(0, pt_size(0)), 0);
	}
	suite_expect_empty();
}

// New tables grant what their root says, so a root without PT_U keeps the unprivileged side out.
CLAIM(table_rights_come_from_the_root)
{
	suite.root.table_rights = PT_RWX;
	EXPECT_EQ(suite_map(0, 0, pt_size(0), PT_RWX | PT_U), 0);
	EXPECT(suite_is_mapped(0, 0, suite.top ? PT_RWX : PT_RWX | PT_U, 0));
}

// Two roots of one owner share nothing but the count.
CLAIM(roots_are_independent)
{
	struct pt_root other;

	REQUIRE_EQ(suite_root_init(&other, 0, suite.root.last), 0);
	EXPECT_EQ(suite_map(0, 0, pt_size(0), PT_R), 0);
	EXPECT(pt_translate(&other, 0).kind == PT_NONE);
	EXPECT_EQ(suite.owner.table_count[suite.top], suite.top ? 2u : 2u);
	suite_free(&other);
	EXPECT(suite_is_mapped(0, 0, PT_R, 0));
	suite_check_tree();
}

// What pt_find gives is the lowest entry: of the leaf, or of the hole, at the level where the walk
// ends.
CLAIM(find_gives_the_lowest_entry)
{
	ptv_t v;
	ptp_t p = pt_find(&suite.root, 0, &v);

	EXPECT_EQ(p.level, suite.top);
	EXPECT_EQ(p.slot, pt_top(&suite.root, 0).slot);
	EXPECT(ptv_none(v));
	for (unsigned level = 0; level <= suite_leaf_max() && pt_size(level) <= suite.root.last;
	     level++) {
		EXPECT_EQ(suite_map(0, 0, pt_size(level), PT_R), 0);
		p = pt_find(&suite.root, pt_mask(level), &v);
		EXPECT_EQ(p.level, level);
		EXPECT_EQ(v.level, level);
		EXPECT(ptv_is_leaf(v));
		EXPECT_EQ(ptp_get(p).bits, v.bits);
		EXPECT_EQ(suite_unmap(0, pt_size(level)), 0);
	}
}

// The operations count one page exactly: single pages in any order, in one table, up to a full one
// and back.
CLAIM(single_pages_fill_and_empty_a_table)
{
	unsigned step = PT_ENTRY_COUNT / 2 + 1 + !(PT_ENTRY_COUNT & 2), i = 0;
	uint64_t page = pt_size(0);

	if (suite.top == 0)
		TEST_SKIP("one table is all there is");
	step |= 1; /* odd: visits every index */
	for (unsigned n = 1; n <= PT_ENTRY_COUNT; n++, i = (i + step) % PT_ENTRY_COUNT) {
		EXPECT_EQ(suite_map(i * page, (i + 1) * page, page, SUITE_RW), 0);
		EXPECT_EQ(suite_map(i * page, (i + 1) * page, page, SUITE_RW), -EEXIST);
		EXPECT_EQ(suite_count_of(PT_LEAF), n);
	}
	suite_check_tree();
	for (unsigned n = PT_ENTRY_COUNT; n-- > 0; i = (i + step) % PT_ENTRY_COUNT) {
		EXPECT(suite_is_mapped(i * page, (i + 1) * page, SUITE_RW, 0));
		EXPECT_EQ(suite_unmap(i * page, (i + 1) * page), 0);
		EXPECT_EQ(suite_count_of(PT_LEAF), n);
	}
	suite_expect_empty();
}

#define SUITE_MAP_CLAIMS(X, s, top)                       \
	X(s, top, every_leaf_size_maps_and_unmaps)        \
	X(s, top, range_may_end_at_the_end_of_the_world)  \
	X(s, top, ranges_outside_the_root_are_refused)    \
	X(s, top, malformed_arguments_are_refused)        \
	X(s, top, map_uses_the_largest_leaves_that_fit)   \
	X(s, top, three_sizes_make_twenty_leaves)         \
	X(s, top, ranges_cross_boundaries_of_every_level) \
	X(s, top, empty_tables_make_room_for_a_huge_leaf) \
	X(s, top, mapping_over_something_fails_whole)     \
	X(s, top, unmap_tells_of_every_leaf)              \
	X(s, top, reserve_makes_tables_only)              \
	X(s, top, reserve_leaves_leaves_alone)            \
	X(s, top, kept_tables_stay_when_empty)            \
	X(s, top, rights_are_those_of_the_whole_path)     \
	X(s, top, table_rights_come_from_the_root)        \
	X(s, top, roots_are_independent)                  \
	X(s, top, find_gives_the_lowest_entry)            \
	X(s, top, single_pages_fill_and_empty_a_table)
