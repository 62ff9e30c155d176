/*
 * Claims about huge leaves that are split, cut and merged. See suite.h.
 */
#pragma once

#include <tests/kernel/pt/suite.h>
#include <tests/kernel/pt/suite_map.h>

// Unmapping a part of a huge leaf, at its start, its end or inside, leaves exactly the rest.
CLAIM(part_of_a_huge_leaf_is_unmapped)
{
	uint64_t page = pt_size(0);

	for (unsigned level = 1; level <= suite_leaf_max() && pt_size(level) <= suite.root.last;
	     level++)
		for (unsigned where = 0; where < 3; where++) {
			uint64_t size = pt_size(level);
			va_t start = where == 0 ? 0 : where == 1 ? size - page : size / 2;

			EXPECT_EQ(suite_map(0, size, size, SUITE_RW | PT_X), 0);
			suite_read(&suite.before);
			EXPECT_EQ(suite_unmap(start, start + page), 0);
			model_remove(&suite.before, start >> PT_PAGE_SHIFT, start >> PT_PAGE_SHIFT);
			suite_expect(&suite.before);
			suite_check_tree();
			EXPECT_EQ(suite_unmap(0, size), 0);
			suite_expect_empty();
		}
}

// Unmapping from the middle of one huge leaf to the middle of the next leaves both outer halves.
CLAIM(parts_of_two_huge_leaves_are_unmapped)
{
	for (unsigned level = 1;
	     level <= suite_leaf_max() && 2 * pt_size(level) - 1 <= suite.root.last; level++) {
		uint64_t size = pt_size(level);

		EXPECT_EQ(suite_map(0, 0, 2 * size, SUITE_RW), 0);
		suite_read(&suite.before);
		EXPECT_EQ(suite_unmap(size / 2, size + size / 2), 0);
		model_remove(&suite.before, suite_pages(level) / 2, suite_pages(level) * 3 / 2 - 1);
		suite_expect(&suite.before);
		suite_check_tree();
		EXPECT_EQ(suite_unmap(0, 2 * size), 0);
		suite_expect_empty();
	}
}

// Cutting at an address splits what reaches across it, level by level, and changes no translation.
CLAIM(cut_changes_no_translation)
{
	unsigned level = suite_leaf_max();
	va_t va = pt_size(0);

	if (!level || pt_size(level) > suite.root.last)
		TEST_SKIP("no huge leaf");
	EXPECT_EQ(suite_map(0, pt_size(level), pt_size(level), SUITE_RW), 0);
	suite_read(&suite.before);
	EXPECT_EQ(pt_cut(&suite.root, 0), 0);
	EXPECT(suite_is_mapped(0, pt_size(level), SUITE_RW, level));
	EXPECT_EQ(pt_cut(&suite.root, va), 0);
	EXPECT(suite_is_mapped(0, pt_size(level), SUITE_RW, 0));
	EXPECT(suite_is_mapped(va, pt_size(level) + va, SUITE_RW, 0));
	suite_expect(&suite.before);
	EXPECT_EQ(pt_cut(&suite.root, va), 0);
	EXPECT_EQ(suite_check_tree().table_count[0], 1u);
}

// A split leaf's parts carry all its attributes, and merging them gives the leaf again.
CLAIM(split_and_merge_are_inverse)
{
	for (unsigned level = 1; level <= suite_leaf_max() && pt_size(level) <= suite.root.last;
	     level++) {
		const pt_attr_t attr[] = { PT_R, SUITE_RW | PT_U | PT_GLOBAL | SUITE_AD,
					   PT_W | PT_MARK, PT_ATTR_KNOWN };

		for (unsigned i = 0; i < ARRAY_SIZE(attr); i++) {
			ptv_t before, after;

			EXPECT_EQ(suite_map(0, pt_size(level), pt_size(level), attr[i]), 0);
			pt_find(&suite.root, 0, &before);
			EXPECT_EQ(suite_merge(0, pt_size(level)), 0);
			EXPECT_EQ(pt_cut(&suite.root, pt_size(level - 1)), 0);
			EXPECT(suite_is_mapped(0, pt_size(level), attr[i], level - 1));
			EXPECT(suite_is_mapped(pt_mask(level), pt_size(level) + pt_mask(level),
					       attr[i], level - 1));
			suite_check_tree();
			EXPECT_EQ(suite_merge(0, pt_size(level)), 1);
			pt_find(&suite.root, 0, &after);
			EXPECT_EQ(after.level, level);
			EXPECT_EQ(ptv_leaf_change(after, SUITE_AD, 0).bits,
				  ptv_leaf_change(before, SUITE_AD, 0).bits);
			EXPECT_EQ(ptv_attr(before) & SUITE_AD & ~ptv_attr(after), 0u);
			EXPECT_EQ(suite_check_tree().empty_count, 0u);
			EXPECT_EQ(suite_unmap(0, pt_size(level)), 0);
			suite_expect_empty();
		}
	}
}

// Small pages are merged, over all levels at once, exactly where they say together what one leaf
// can say.
CLAIM(merge_takes_only_what_one_leaf_can_say)
{
	uint64_t page = pt_size(0), size = pt_size(1);

	if (!suite_leaf_max() || 4 * size - 1 > suite.root.last)
		TEST_SKIP("no huge leaf");
	suite.root.leaf_level_max = 0;
	EXPECT_EQ(suite_map(0, 0, size, SUITE_RW), 0);       /* could be one leaf */
	EXPECT_EQ(suite_map(size, page, size, SUITE_RW), 0); /* memory not aligned */
	EXPECT_EQ(suite_map(2 * size, 0, size - page, SUITE_RW), 0);
	EXPECT_EQ(suite_map(3 * size - page, size - page, page, PT_R), 0); /* other rights */
	EXPECT_EQ(suite_map(3 * size, 0, size - page, SUITE_RW), 0);       /* one missing */
	suite_read(&suite.before);
	EXPECT_EQ(suite_merge(0, 4 * size), 0);
	suite.root.leaf_level_max = 1;
	EXPECT_EQ(suite_merge(0, size - page), 0); /* only a part is asked for */
	EXPECT_EQ(suite_merge(0, 4 * size), 1);
	EXPECT(suite_is_mapped(0, 0, pt_translate(&suite.root, 0).attr & ~SUITE_ATTR, 1));
	suite_expect(&suite.before);
	suite_check_tree();
}

// Merging works upwards: all of the smallest pages under the largest leaf become that leaf.
CLAIM(merge_climbs_over_all_levels)
{
	unsigned level = suite_leaf_max() < 2 ? suite_leaf_max() : 2;
	uint64_t tables = level == 2 ? PT_ENTRY_COUNT : 0;

	if (pt_size(level) > suite.root.last || !level)
		TEST_SKIP("no huge leaf");
	if (tables >
	    16) { /* not all of the smallest: one part of them, the rest in level-1 leaves */
		EXPECT_EQ(suite_map(0, 0, pt_size(level), SUITE_RW), 0);
		EXPECT_EQ(pt_cut(&suite.root, pt_size(0)), 0);
		tables = 1;
	} else {
		suite.root.leaf_level_max = 0;
		EXPECT_EQ(suite_map(0, 0, pt_size(level), SUITE_RW), 0);
		suite.root.leaf_level_max = level;
	}
	EXPECT_EQ(suite_merge(0, pt_size(level)), (int)tables + 1);
	EXPECT_EQ(pt_translate(&suite.root, pt_mask(level)).level, level);
	EXPECT_EQ(pt_translate(&suite.root, pt_mask(level)).pa.value, pt_mask(level));
}

#define SUITE_SPLIT_CLAIMS(X, s, top)                     \
	X(s, top, part_of_a_huge_leaf_is_unmapped)        \
	X(s, top, parts_of_two_huge_leaves_are_unmapped)  \
	X(s, top, cut_changes_no_translation)             \
	X(s, top, split_and_merge_are_inverse)            \
	X(s, top, merge_takes_only_what_one_leaf_can_say) \
	X(s, top, merge_climbs_over_all_levels)
