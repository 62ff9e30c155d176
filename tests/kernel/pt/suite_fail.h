/*
 * Claims about every single allocation that fails, and about entries that are corrupt. See suite.h.
 */
#pragma once

#include <tests/kernel/pt/suite.h>
#include <tests/kernel/pt/suite_map.h>
#include <tests/kernel/pt/suite_protect.h>

/* ---- Every allocation of an operation fails once. ---- */

struct suite_attempt {
	va_t start, end;
	int (*operation)(const struct suite_attempt *a);
	bool takes_back; /* a failure leaves no table more than before */
};

/*
 * Let the first allocation fail, then the second, ... until the operation needs no more of them.
 * After each failure the translations are what they were; then the operation is tried again,
 * without a failure, on what the failed one left, and undone by `undo`. Returns the number of
 * failures that were tried.
 */
static unsigned suite_fail_each(const struct suite_attempt *a,
				void (*prepare)(const struct suite_attempt *))
{
	unsigned failures = 0;
	int err = -ENOMEM;

	for (; err; failures++) {
		uint64_t used;

		prepare(a);
		used = suite_tables_used();
		suite_read(&suite.before);
		suite_fail(failures, 1);
		err = a->operation(a);
		suite_fail(0, 0);
		suite_check_tree();
		if (err) {
			EXPECT_EQ(err, -ENOMEM);
			suite_expect(&suite.before);
			if (a->takes_back)
				EXPECT_EQ(suite_tables_used(), used);
			EXPECT_EQ(a->operation(a), 0);
			suite_check_tree();
		}
		EXPECT(!suite_equals(&suite.before) || !a->takes_back);
		EXPECT_EQ(suite_unmap(0, suite.root.last + 1), 0);
		suite_expect_empty();
	}
	return failures - 1;
}

static void suite_prepare_nothing(const struct suite_attempt *a)
{
	(void)a;
}

static int suite_attempt_map(const struct suite_attempt *a)
{
	return suite_map(a->start, a->start, a->end - a->start, SUITE_RW);
}

// A map that runs out of memory at any of its allocations has mapped nothing and kept no table.
CLAIM(map_fails_whole_at_every_allocation)
{
	va_t boundary = pt_size(suite.top);
	struct suite_attempt a = { boundary - pt_size(0), boundary + pt_size(0), suite_attempt_map,
				   true };

	if (a.end - 1 > suite.root.last) /* the low half is less than two top entries */
		a = (struct suite_attempt){ 0, pt_size(0), suite_attempt_map, true };
	EXPECT_EQ(suite_fail_each(&a, suite_prepare_nothing), (a.start ? 2 : 1) * suite.top);
}

/* A page on each side of the range, so that some tables are there and must stay. */
static void suite_prepare_neighbours(const struct suite_attempt *a)
{
	EXPECT_EQ(suite_map(a->start - pt_size(0), 0, pt_size(0), PT_R), 0);
	EXPECT_EQ(suite_map(a->end, 0, pt_size(0), PT_R), 0);
}

// Tables that were there before, and those of neighbours, are not touched when a map fails.
CLAIM(failed_map_leaves_the_neighbours_alone)
{
	uint64_t size = pt_size(1);
	struct suite_attempt a = { size / 2 + pt_size(0), size + size / 2, suite_attempt_map,
				   true };

	if (a.end + pt_size(0) - 1 > suite.root.last)
		TEST_SKIP("no room for neighbours");
	suite.root.leaf_level_max = 0;
	a.end = size * 3 + size / 2;
	if (a.end + pt_size(0) - 1 > suite.root.last)
		a.end = size + size / 2;
	EXPECT_LE(suite_fail_each(&a, suite_prepare_neighbours), 2 * suite.top);
}

/* The highest level of which two leaves fit the root. */
static unsigned suite_huge_level(void)
{
	unsigned level = suite_leaf_max();

	while (level && 2 * pt_size(level) - 1 > suite.root.last)
		level--;
	return level;
}

static void suite_prepare_huge(const struct suite_attempt *a)
{
	(void)a;
	suite.root.leaf_level_max = suite_huge_level();
	EXPECT_EQ(suite_map(0, 0, 2 * pt_size(suite_huge_level()), SUITE_RW), 0);
}

static int suite_attempt_unmap(const struct suite_attempt *a)
{
	return suite_unmap(a->start, a->end);
}

static int suite_attempt_protect(const struct suite_attempt *a)
{
	return suite_protect(a->start, a->end, PT_W, PT_X);
}

static int suite_attempt_cut(const struct suite_attempt *a)
{
	return pt_cut(&suite.root, a->start);
}

/* All three ways to touch huge leaves in part: at both ends of two, and within one. */
static void suite_fail_splits(int (*operation)(const struct suite_attempt *))
{
	unsigned level = suite_huge_level();
	uint64_t size = pt_size(level), page = pt_size(0);
	struct suite_attempt across = { size - page, size + page, operation, false };
	struct suite_attempt inside = { size / 2, size / 2 + page, operation, false };
	struct suite_attempt ends = { page, 2 * size - page, operation, false };

	if (!level)
		TEST_SKIP("no huge leaf");
	EXPECT_EQ(suite_fail_each(&across, suite_prepare_huge), 2 * level);
	EXPECT_EQ(suite_fail_each(&ends, suite_prepare_huge), 2 * level);
	EXPECT_EQ(suite_fail_each(&inside, suite_prepare_huge), level);
}

// An unmap that finds no memory for any of its splits has removed nothing.
CLAIM(unmap_fails_whole_at_every_allocation)
{
	suite_fail_splits(suite_attempt_unmap);
}

// A protect that finds no memory for any of its splits has changed no rights.
CLAIM(protect_fails_whole_at_every_allocation)
{
	suite_fail_splits(suite_attempt_protect);
}

// A cut that finds no memory changes no translation, and neither does one that does.
CLAIM(cut_fails_whole_at_every_allocation)
{
	struct suite_attempt a = { pt_size(0), 0, suite_attempt_cut, false };
	unsigned level = suite_huge_level();

	if (!level)
		TEST_SKIP("no huge leaf");
	EXPECT_EQ(suite_fail_each(&a, suite_prepare_huge), level);
}

static int suite_attempt_reserve(const struct suite_attempt *a)
{
	return pt_reserve(&suite.root, a->start, a->end, 0);
}

// A reserve that runs out of memory leaves a proper tree, and goes on where it was when tried
// again.
CLAIM(reserve_may_fail_at_every_allocation)
{
	va_t boundary = pt_size(suite.top);
	struct suite_attempt a = { boundary - pt_size(0), boundary + pt_size(0),
				   suite_attempt_reserve, false };

	if (a.end - 1 > suite.root.last)
		a = (struct suite_attempt){ 0, pt_size(0), suite_attempt_reserve, false };
	EXPECT_EQ(suite_fail_each(&a, suite_prepare_nothing), (a.start ? 2 : 1) * suite.top);
}

// The iterator that makes tables says when it could not, stays where it was, and goes on from
// there.
CLAIM(iterator_may_fail_at_every_allocation)
{
	for (unsigned skip = 0; skip < suite.top; skip++) {
		struct pt_at at;
		struct pt_iter it;

		EXPECT_EQ(pt_iter_init(&it, &suite.root, pt_size(0), 2 * pt_size(0)), 0);
		suite_fail(skip, 1);
		EXPECT_EQ(pt_iter_next_alloc(&it, 0, &at), -ENOMEM);
		suite_fail(0, 0);
		suite_check_tree();
		EXPECT_EQ(pt_iter_next_alloc(&it, 0, &at), 1);
		EXPECT_EQ(at.va, pt_size(0));
		EXPECT_EQ(at.p.level, 0u);
		EXPECT_EQ(pt_iter_next_alloc(&it, 0, &at), 0);
		pt_iter_fini(&it);
		EXPECT_EQ(suite_unmap(0, suite.root.last + 1), 0);
		suite_expect_empty();
	}
	EXPECT_EQ(suite_alloc_count(), 1 + suite.top * (suite.top + 1));
}

// A root that gets no top table is refused and owes nothing.
CLAIM(root_needs_its_top_table)
{
	struct pt_root root;

	suite_fail(0, 1);
	EXPECT_EQ(pt_root_init(&root, &suite.owner, suite.top, 0, suite.root.last), -ENOMEM);
	suite_fail(0, 0);
	suite_expect_empty();
}

#define SUITE_FAIL_CLAIMS(X, s, top)                       \
	X(s, top, map_fails_whole_at_every_allocation)     \
	X(s, top, failed_map_leaves_the_neighbours_alone)  \
	X(s, top, unmap_fails_whole_at_every_allocation)   \
	X(s, top, protect_fails_whole_at_every_allocation) \
	X(s, top, cut_fails_whole_at_every_allocation)     \
	X(s, top, reserve_may_fail_at_every_allocation)    \
	X(s, top, iterator_may_fail_at_every_allocation)   \
	X(s, top, root_needs_its_top_table)
