/*
 * Claims about changing attributes, and about accessed and dirty bits that the walker sets. See
 * suite.h.
 */
#pragma once

#include <tests/kernel/pt/suite.h>
#include <tests/kernel/pt/suite_map.h>

// Every change of attributes gives every old leaf exactly the attributes it should have, at every
// level.
CLAIM(protect_gives_what_was_asked)
{
	for (unsigned level = 0; level <= suite_leaf_max() && pt_size(level) <= suite.root.last;
	     level++) {
		EXPECT_EQ(suite_map(0, 0, pt_size(level), 0), 0);
		for (unsigned i = 0; i < 200 * SUITE_SCALE; i++) {
			pt_attr_t old = test_random() & PT_ATTR_KNOWN,
				  clear = test_random() & PT_ATTR_KNOWN;
			pt_attr_t set = test_random() & PT_ATTR_KNOWN;

			EXPECT_EQ(suite_protect(0, pt_size(level), PT_ATTR_KNOWN, old), 0);
			EXPECT_EQ(pt_translate(&suite.root, 0).attr, old);
			EXPECT_EQ(suite_protect(0, pt_size(level), clear, set), 0);
			EXPECT_EQ(pt_translate(&suite.root, 0).attr, (old & ~clear) | set);
			EXPECT_EQ(pt_translate(&suite.root, 0).level, level);
		}
		EXPECT_EQ(suite_protect(0, pt_size(level), PT_ATTR_KNOWN, SUITE_ATTR), 0);
		EXPECT_EQ(suite_unmap(0, pt_size(level)), 0);
	}
}

// Protecting a part of a huge leaf changes that part and nothing around it.
CLAIM(protect_splits_what_it_covers_in_part)
{
	for (unsigned level = 1;
	     level <= suite_leaf_max() && 2 * pt_size(level) - 1 <= suite.root.last; level++) {
		uint64_t size = pt_size(level), page = pt_size(0);

		EXPECT_EQ(suite_map(0, 0, 2 * size, SUITE_RW), 0);
		suite_read(&suite.before);
		EXPECT_EQ(suite_protect(size - page, size + page, PT_W, PT_X), 0);
		model_protect(&suite.before, suite_pages(level) - 1, suite_pages(level), PT_W,
			      PT_X & PT_ATTR_KNOWN);
		suite_expect(&suite.before);
		EXPECT_EQ(suite_protect(0, page, PT_R, 0), 0);
		model_protect(&suite.before, 0, 0, PT_R, 0);
		suite_expect(&suite.before);
		suite_check_tree();
		EXPECT_EQ(suite_unmap(0, 2 * size), 0);
		suite_expect_empty();
	}
}

// Dirty and young belong to one entry each: its neighbours stay clean and old.
CLAIM(dirty_is_counted_per_entry)
{
	uint64_t page = pt_size(0);

	suite.root.leaf_level_max = 0;
	EXPECT_EQ(suite_map(0, 0, PT_ENTRY_COUNT / 2 * page, SUITE_RW), 0);
	for (unsigned i = 0; i < PT_ENTRY_COUNT / 2; i++) {
		EXPECT_EQ(suite_protect(i * page, (i + 1) * page, 0, SUITE_AD), 0);
		for (unsigned j = 0; j < PT_ENTRY_COUNT / 2; j++)
			EXPECT_EQ(pt_translate(&suite.root, j * page).attr & SUITE_AD,
				  j == i ? SUITE_AD : 0);
		EXPECT_EQ(suite_protect(i * page, (i + 1) * page, SUITE_AD, 0), 0);
	}
}

/* A soft entry of the level, in an address that is none. */
static void suite_put_soft(va_t va, unsigned level, uint64_t data)
{
	struct pt_iter it;
	struct pt_at at;

	EXPECT_EQ(pt_iter_init(&it, &suite.root, va, va + pt_size(level)), 0);
	EXPECT_EQ(pt_iter_next_alloc(&it, level, &at), 1);
	EXPECT(ptv_none(at.v));
	EXPECT_EQ(at.p.level, level);
	ptp_change(at.p, ptv_make_soft(data, level));
	pt_iter_fini(&it);
}

// Soft entries keep their data when the range around them is protected or merged, and are handed
// out by unmap.
CLAIM(soft_entries_survive_until_unmapped)
{
	uint64_t page = pt_size(0);
	struct suite_drops d = { .drop = { suite_note_drop } };

	suite_put_soft(page, 0, 0x1234);
	EXPECT_EQ(suite_map(0, 0, page, SUITE_RW), 0);
	EXPECT_EQ(suite_map(page, 0, page, SUITE_RW), -EEXIST);
	EXPECT_EQ(suite_protect(0, 2 * page, PT_W, PT_X), 0);
	EXPECT_EQ(suite_merge(0, suite.root.last + 1), 0);
	EXPECT(pt_translate(&suite.root, page).kind == PT_SOFT);
	EXPECT_EQ(pt_translate(&suite.root, page).soft, 0x1234u);
	EXPECT_EQ(suite_count_of(PT_SOFT), 1u);
	EXPECT_EQ(suite_unmap_to(page, 2 * page, &d.drop), 0);
	EXPECT_EQ(d.count, 1u);
	EXPECT(ptv_is_soft(d.v) && ptv_soft_data(d.v) == 0x1234);
	EXPECT(suite_is_mapped(0, 0, PT_R | PT_X, 0));
}

// A soft entry of a huge page counts its data up by pages when a part of it is unmapped.
CLAIM(huge_soft_entries_are_split_like_leaves)
{
	for (unsigned level = 1; level <= suite.top && pt_size(level) <= suite.root.last; level++) {
		uint64_t page = pt_size(0);
		struct pt_span end;

		suite_put_soft(0, level, 0x1000);
		suite_read(&suite.before);
		EXPECT_EQ(suite.before.count, 1u);
		EXPECT_EQ(suite_unmap(0, page), 0);
		model_remove(&suite.before, 0, 0);
		suite_expect(&suite.before);
		suite_check_tree();
		EXPECT(suite_is_none(0));
		EXPECT_EQ(pt_translate(&suite.root, page).soft, 0x1001u);
		end = pt_translate(&suite.root, pt_mask(level));
		EXPECT_EQ(end.soft, 0x1000 + suite_pages(level) - suite_pages(end.level));
		EXPECT_EQ(suite_unmap(0, pt_size(level)), 0);
		suite_expect_empty();
	}
}

#define SUITE_PROTECT_CLAIMS(X, s, top)                  \
	X(s, top, protect_gives_what_was_asked)          \
	X(s, top, protect_splits_what_it_covers_in_part) \
	X(s, top, dirty_is_counted_per_entry)            \
	X(s, top, soft_entries_survive_until_unmapped)   \
	X(s, top, huge_soft_entries_are_split_like_leaves)
