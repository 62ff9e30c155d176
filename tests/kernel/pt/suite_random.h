/*
 * Random operations against the model. See suite.h and model.h.
 *
 * Addresses are chosen around boundaries of all levels, where mistakes live, and so few of them
 * that operations meet each other's ranges.
 */
#pragma once

#include <tests/kernel/pt/suite.h>

/* What is given to leaves and taken from them. */
#define SUITE_CHANGED ((PT_RIGHTS | PT_MARK) & PT_ATTR_KNOWN)
#define SUITE_TABLES_MAX 200 /* more in use than this, and everything is unmapped */

/* In pages: up to two entries of each level below `level`, forth or back. */
static uint64_t suite_random_steps(unsigned level)
{
	uint64_t pages = 0;

	while (level--)
		pages += (suite_random(5) - 2) * suite_pages(level);
	return pages;
}

/* A page number from 0 to the root's end, inclusive: a boundary of a high level, or a few steps of
 * lower levels off. */
static uint64_t suite_random_page(void)
{
	unsigned leaf_levels = suite_leaf_max() + 1;
	unsigned levels = suite.top < leaf_levels ? suite.top : leaf_levels;
	uint64_t total = suite_total_pages(), page;

	if (total <= 64)
		return suite_random(total + 1);
	page = suite_random(3) * (total / 2) + suite_random_steps(levels);
	return page <= total ? page : suite_random(2) * total;
}

struct suite_span {
	uint64_t first, count; /* pages */
	unsigned class;        /* va and pa are the same modulo a leaf of this level */
};

/* Of this class, or shorter. Mostly it ends near a boundary as well: mistakes live there, and each
 * entry between costs every check of the tree. */
static uint64_t suite_random_count(unsigned class)
{
	uint64_t pages = suite_pages(class), most = 3 * pages + suite_random(PT_ENTRY_COUNT);
	uint64_t count = suite_random(4) * pages + suite_random_steps(class);

	return suite_random(4) && count - 1 < most ? count : 1 + suite_random(most);
}

static struct suite_span suite_random_span(void)
{
	struct suite_span s = { .first = suite_random_page() };
	uint64_t total = suite_total_pages(), other = suite_random_page();

	s.class = suite_random(suite_leaf_max() + 1);
	if (other < s.first) {
		s.count = s.first - other;
		s.first = other;
	} else {
		s.count = other - s.first;
	}
	if (s.count > 3 * suite_pages(s.class) + PT_ENTRY_COUNT || !s.count)
		s.count = suite_random_count(s.class);
	if (s.first == total)
		s.first--;
	if (s.count > total - s.first)
		s.count = total - s.first;
	return s;
}

static void suite_step_map(struct model *m)
{
	struct suite_span s = suite_random_span();
	uint64_t pa = suite_page_to_pfn(s.first) + suite_random(8) * suite_pages(s.class);
	pt_attr_t attr = suite_known(test_random() & SUITE_CHANGED);
	bool taken = model_overlaps(m, s.first, s.first + s.count - 1);

	EXPECT_EQ(suite_map(s.first << PT_PAGE_SHIFT, pa << PT_PAGE_SHIFT, s.count << PT_PAGE_SHIFT,
			    attr),
		  taken ? -EEXIST : 0);
	if (!taken)
		model_insert(m, (struct model_range){ s.first, s.first + s.count - 1, MODEL_MEMORY,
						      pa, attr });
}

static void suite_step_unmap(struct model *m)
{
	struct suite_span s = suite_random_span();

	if (suite_random(32) == 0 || suite_tables_used() - suite.used_before > SUITE_TABLES_MAX)
		s = (struct suite_span){ .first = 0, .count = suite_total_pages() };
	EXPECT_EQ(suite_unmap(s.first << PT_PAGE_SHIFT, (s.first + s.count) << PT_PAGE_SHIFT), 0);
	model_remove(m, s.first, s.first + s.count - 1);
}

static void suite_step_protect(struct model *m)
{
	struct suite_span s = suite_random_span();
	pt_attr_t clear = test_random() & (SUITE_CHANGED | SUITE_AD);
	pt_attr_t set = test_random() & SUITE_CHANGED & ~clear;

	EXPECT_EQ(suite_protect(s.first << PT_PAGE_SHIFT, (s.first + s.count) << PT_PAGE_SHIFT,
				clear, set),
		  0);
	model_protect(m, s.first, s.first + s.count - 1, clear, set);
}

static void suite_step_merge(void)
{
	struct suite_span s = suite_random_span();

	if (suite_random(2))
		s = (struct suite_span){ .first = 0, .count = suite_total_pages() };
	EXPECT_LE(0, suite_merge(s.first << PT_PAGE_SHIFT, (s.first + s.count) << PT_PAGE_SHIFT));
}

static void suite_step_reserve(void)
{
	struct suite_span s = suite_random_span();
	unsigned level = suite_random(suite.top + 1);

	EXPECT_EQ(pt_reserve(&suite.root, s.first << PT_PAGE_SHIFT,
			     (s.first + s.count) << PT_PAGE_SHIFT,
			     level < s.class ? s.class : level),
		  0);
}

/* A soft entry, of any level, where the library and the model find nothing. */
static void suite_step_soft(struct model *m)
{
	unsigned level = suite_random(suite_leaf_max() + 1);
	uint64_t pages = suite_pages(level), first = suite_random_page() & ~(pages - 1);
	uint64_t data = suite_random(1 << 20);
	struct pt_at at;
	struct pt_iter it;

	if (first + pages > suite_total_pages() || model_overlaps(m, first, first + pages - 1))
		return;
	EXPECT_EQ(pt_iter_init(&it, &suite.root, first << PT_PAGE_SHIFT,
			       (first + pages) << PT_PAGE_SHIFT),
		  0);
	EXPECT_EQ(pt_iter_next_alloc(&it, level, &at), 1);
	if (ptv_none(at.v)) { /* not an empty table */
		ptp_change(at.p, ptv_make_soft(data, level));
		model_insert(m,
			     (struct model_range){ first, first + pages - 1, MODEL_SOFT, data, 0 });
	}
	pt_iter_fini(&it);
}

static void suite_random_step(struct model *m)
{
	if (suite_tables_used() - suite.used_before > SUITE_TABLES_MAX ||
	    m->count > MODEL_MAX / 2) {
		suite_step_unmap(m);
		return;
	}
	switch (suite_random(16)) {
	case 0 ... 5:
		suite_step_map(m);
		break;
	case 6 ... 8:
		suite_step_unmap(m);
		break;
	case 9 ... 11:
		suite_step_protect(m);
		break;
	case 12 ... 13:
		suite_step_merge();
		break;
	case 14:
		suite_step_soft(m);
		break;
	default:
		suite_step_reserve();
		break;
	}
}

/* Addresses here and there: does the library translate each to what the model has? */
static void suite_compare_pages(const struct model *m)
{
	for (unsigned i = 0; i < 16; i++) {
		uint64_t page = suite_random_page() % suite_total_pages();
		const struct model_range *r = model_at(m, page);
		struct pt_span s = pt_translate(&suite.root, page << PT_PAGE_SHIFT);

		if (!r)
			EXPECT(s.kind == PT_NONE);
		else if (r->kind == MODEL_MEMORY)
			EXPECT(s.kind == PT_LEAF && (s.attr & ~SUITE_AD) == r->attr &&
			       s.pa.value >> PT_PAGE_SHIFT == r->value + page - r->first);
		else
			EXPECT(s.kind == PT_SOFT &&
			       s.soft ==
				       r->value + (page & ~(suite_pages(s.level) - 1)) - r->first);
	}
}

#define SUITE_RECOUNTS 4 /* one in so many steps: a count that is wrong stays wrong */

// Random operations give, after each one, what the model says, and counts that equal a recount.
CLAIM(random_operations_match_the_model)
{
	struct model *m = &suite.before;

	for (unsigned step = 0; step < 1000 + 1000 * (SUITE_SCALE - 1); step++) {
		suite_random_step(m);
		if ((step + 1) % SUITE_RECOUNTS == 0)
			suite_check_tree();
		suite_compare_pages(m);
		if (!suite_expect(m))
			return;
	}
}

#define SUITE_RANDOM_CLAIMS(X, s, top) X(s, top, random_operations_match_the_model)
