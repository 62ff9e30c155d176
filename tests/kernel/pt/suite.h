/*
 * The proof of the page-table library, written once for every format and depth.
 *
 * A file names a format and a host, includes the library, tells this header how its host counts,
 * and registers the claims once a depth:
 *
 *   static void suite_host_reset(void);                  // before a test
 *   static void suite_host_root(pt_t top);               // told of every top table
 *   static uint64_t suite_tables_used(void);             // that the host has handed out
 *   static uint64_t suite_alloc_count(void);             // calls so far
 *   static void suite_fail(uint64_t skip, uint64_t count); // of the next allocations
 *   static void suite_batch_begin(struct pt_batch *), suite_batch_end(struct pt_batch *);
 *   #define SUITE_ATTR ...                               // that every leaf has
 *   #define SUITE_SCALE ...                              // more is more work
 *   #include <tests/kernel/pt/suite.h>
 *   SUITE_REGISTER(pt_x86_4, 3, SUITE_FORMAT_CLAIMS)
 *
 * Each claim runs on a fresh root of the depth and ends with the tables counted.
 */
#pragma once

#include <tests/kernel/pt/model.h>
#include <tests/kernel/test.h>

#define CLAIM(name) static void claim_##name(void)
#define SUITE_TEST(suite_, top_, name) \
	TEST(suite_, name)             \
	{                              \
		suite_begin(top_);     \
		claim_##name();        \
		suite_end();           \
	}
#define SUITE_REGISTER(suite_, top_, CLAIMS) CLAIMS(SUITE_TEST, suite_, top_)

static struct suite {
	unsigned top;
	struct pt_owner owner;
	struct pt_root root; /* of the low half of what the depth can translate */
	struct pt_batch batch;
	uint64_t used_before;
	struct model before, after;
} suite;

/* ---- Fixture. ---- */

static int suite_root_init(struct pt_root *root, va_t first, va_t last)
{
	int err = pt_root_init(root, &suite.owner, suite.top, first, last);

	if (!err)
		suite_host_root(root->top);
	root->table_rights = PT_RWX | PT_U;
	return err;
}

static void suite_free(struct pt_root *root)
{
	suite_batch_begin(&suite.batch);
	pt_free(root, NULL, &suite.batch);
	suite_batch_end(&suite.batch);
}

static void suite_begin(unsigned top)
{
	suite_host_reset();
	suite.top = top;
	suite.owner = (struct pt_owner){ .table_count = { 0 } };
	suite.used_before = suite_tables_used();
	suite.before.count = suite.after.count = 0;
	EXPECT_EQ(suite_root_init(&suite.root, 0, pt_mask(top + 1) >> 1), 0);
}

static void suite_end(void)
{
	suite_fail(0, 0);
	suite_free(&suite.root);
	EXPECT_EQ(suite_tables_used(), suite.used_before);
	for (unsigned level = 0; level < PT_LEVEL_MAX; level++)
		EXPECT_EQ(suite.owner.table_count[level], 0u);
}

/* The highest level that may hold leaves at this depth; at the top, too, if the format says so. */
static unsigned suite_leaf_max(void)
{
	unsigned level = 0;

	while (level < suite.top && (pt_leaf_levels() >> (level + 1) & 1))
		level++;
	return level;
}

static uint64_t suite_random(uint64_t below)
{
	return test_random() % below;
}

static uint64_t suite_pages(unsigned level)
{
	return pt_size(level) >> PT_PAGE_SHIFT;
}

/* The page number of memory where the page of addresses would be if memory went on for ever; both
 * are the same modulo any leaf. */
static uint64_t suite_page_to_pfn(uint64_t page)
{
	return page & (((pt_pa_limit() - 1) >> (PT_PAGE_SHIFT + 1)));
}

/* The number of pages of the root, and the last address that it translates, plus one. */
static uint64_t suite_total_pages(void)
{
	return (suite.root.last >> PT_PAGE_SHIFT) + 1;
}

/* ---- The operations on the suite's root, each with its own flush. ---- */

/* What a leaf has that was asked to have this: not what the format has no room for. */
static pt_attr_t suite_known(pt_attr_t attr)
{
	return (attr & PT_ATTR_KNOWN) | SUITE_ATTR;
}

static int suite_map(va_t va, uint64_t pa, uint64_t bytes, pt_attr_t attr)
{
	int err;

	suite_batch_begin(&suite.batch);
	err = pt_map(&suite.root, va, PA(pa), bytes, suite_known(attr), &suite.batch);
	suite_batch_end(&suite.batch);
	return err;
}

static int suite_unmap_to(va_t start, va_t end, struct pt_drop *drop)
{
	int err;

	suite_batch_begin(&suite.batch);
	err = pt_unmap(&suite.root, start, end, drop, &suite.batch);
	suite_batch_end(&suite.batch);
	return err;
}

static int suite_unmap(va_t start, va_t end)
{
	return suite_unmap_to(start, end, NULL);
}

static int suite_protect(va_t start, va_t end, pt_attr_t clear, pt_attr_t set)
{
	return pt_protect(&suite.root, start, end, clear, set & PT_ATTR_KNOWN);
}

static int suite_merge(va_t start, va_t end)
{
	int count;

	suite_batch_begin(&suite.batch);
	count = pt_merge(&suite.root, start, end, &suite.batch);
	suite_batch_end(&suite.batch);
	return count;
}

static struct pt_count suite_count(void)
{
	struct pt_count count;

	EXPECT_EQ(pt_count(&suite.root, suite.root.first, suite.root.last + 1, &count), 0);
	return count;
}

static uint64_t suite_count_of(enum pt_kind kind)
{
	struct pt_count count = suite_count();
	uint64_t sum = 0;

	for (unsigned level = 0; level < PT_LEVEL_MAX; level++)
		sum += count.entry[kind][level];
	return sum;
}

/* Does the address go to this memory with these attributes, through a leaf of this level? */
static bool suite_is_mapped(va_t va, uint64_t pa, pt_attr_t attr, unsigned level)
{
	struct pt_span s = pt_translate(&suite.root, va);

	return s.kind == PT_LEAF && s.pa.value == pa && s.level == level &&
	       s.attr == suite_known(attr);
}

static bool suite_is_none(va_t va)
{
	return pt_translate(&suite.root, va).kind == PT_NONE;
}

/* ---- The tree against what the library says of it. ---- */

struct suite_tree {
	uint64_t table_count[PT_LEVEL_MAX];
	unsigned empty_count; /* linked tables without an entry */
};

static void suite_check_table(struct suite_tree *tree, pt_t table)
{
	struct pt_meta *meta = pt_meta(table);
	unsigned live = 0;
	uint64_t groups = 0;

	tree->table_count[table.level]++;
	for (unsigned i = 0; i < PT_ENTRY_COUNT; i++) {
		ptv_t v = ptp_get(pt_entry(table, i));

		if (ptv_none(v))
			continue;
		live++;
		groups |= 1ull << i * (PT_ENTRY_COUNT < 64 ? PT_ENTRY_COUNT : 64) / PT_ENTRY_COUNT;
		if (ptv_is_table(v))
			suite_check_table(tree, ptv_to_table(v));
	}
	tree->empty_count += !live;
	EXPECT_EQ(meta->level, table.level);
	EXPECT_EQ(meta->live, live);
	EXPECT_EQ(groups & ~meta->summary, 0u);
	EXPECT(live || !meta->summary);
}

/* Live counts and summaries, and the tables that pt_count finds: all equal to a recount. */
static struct suite_tree suite_check_counts(void)
{
	struct suite_tree tree = { .empty_count = 0 };
	struct pt_count count = suite_count();

	suite_check_table(&tree, suite.root.top);
	for (unsigned level = 0; level < suite.top; level++)
		EXPECT_EQ(count.entry[PT_TABLE][level + 1], tree.table_count[level]);
	return tree;
}

/* The same, when the root has all the tables that its owner pays for. */
static struct suite_tree suite_check_tree(void)
{
	struct suite_tree tree = suite_check_counts();

	for (unsigned level = 0; level < PT_LEVEL_MAX; level++)
		EXPECT_EQ(suite.owner.table_count[level], tree.table_count[level]);
	return tree;
}

/* Nothing is mapped and no table but the top one is left. */
static void suite_expect_empty(void)
{
	struct suite_tree tree = suite_check_tree();

	EXPECT_EQ(suite_tables_used() - suite.used_before, 1u);
	EXPECT_EQ(tree.empty_count, 1u);
}

/* ---- The tree as a model. ---- */

#define SUITE_AD (PT_YOUNG | PT_DIRTY)

static void suite_note_span(void *arg, const struct pt_span *s)
{
	struct model_range r = {
		.first = s->va >> PT_PAGE_SHIFT,
		.last = s->last >> PT_PAGE_SHIFT,
		.kind = s->kind == PT_LEAF   ? MODEL_MEMORY
			: s->kind == PT_SOFT ? MODEL_SOFT
					     : MODEL_BAD,
		.value = s->kind == PT_LEAF ? s->pa.value >> PT_PAGE_SHIFT : s->soft,
		.attr = s->attr & ~SUITE_AD,
	};

	model_append(arg, r);
}

static void suite_read(struct model *m)
{
	m->count = 0;
	EXPECT_EQ(pt_dump(&suite.root, suite.root.first, suite.root.last + 1, suite_note_span, m),
		  0);
}

/* Does the tree say what the model says? */
static bool suite_equals(const struct model *m)
{
	suite_read(&suite.after);
	return model_equal(&suite.after, m);
}

/* The check that it does. */
static bool suite_expect(const struct model *m)
{
	suite_read(&suite.after);
	return model_expect(&suite.after, m);
}
