/*
 * Claims that need every access to an entry watched (pt_format_hooked.h, host_arena.h): what the
 * walker or another CPU does in the middle of an operation, and how many entries are read. See
 * suite.h.
 */
#pragma once

#include <tests/kernel/pt/suite.h>
#include <tests/kernel/pt/suite_map.h>

static void suite_reads_start(void)
{
	hooks.get_count = 0;
}

static uint64_t suite_reads(void)
{
	return hooks.get_count;
}

// The one entry at the very end of everything is found by one call, in a few reads, without a look
// at the holes.
CLAIM(sparse_tables_cost_one_call)
{
	struct pt_at at;
	struct pt_iter it;
	va_t va = suite.root.last & ~pt_mask(0);
	unsigned group = PT_ENTRY_COUNT > 64 ? PT_ENTRY_COUNT / 64 : 1;

	EXPECT_EQ(suite_map(va, 0, pt_size(0), PT_R), 0);
	EXPECT_EQ(pt_iter_init(&it, &suite.root, 0, suite.root.last + 1), 0);
	suite_reads_start();
	EXPECT(pt_iter_next(&it, &at));
	EXPECT_LE(suite_reads(), (group + 1) * (suite.top + 1));
	EXPECT_EQ(at.va, va);
	EXPECT(!pt_iter_next(&it, &at));
	pt_iter_fini(&it);
}

// Walking an empty root, or unmapping in it, reads next to nothing.
CLAIM(empty_tables_cost_nothing)
{
	struct pt_at at;
	struct pt_iter it;
	unsigned group = PT_ENTRY_COUNT > 64 ? PT_ENTRY_COUNT / 64 : 1;

	EXPECT_EQ(pt_iter_init(&it, &suite.root, 0, suite.root.last + 1), 0);
	suite_reads_start();
	EXPECT(!pt_iter_next(&it, &at));
	EXPECT_LE(suite_reads(), 1u);
	pt_iter_fini(&it);
	EXPECT_EQ(pt_reserve(&suite.root, 0, pt_size(0), 0), 0);
	suite_reads_start();
	EXPECT_EQ(suite_count_of(PT_LEAF), 0u);
	EXPECT_LE(suite_reads(), (group + 2) * (suite.top + 1));
}

/* ---- The walker sets accessed and dirty behind the library's back. ---- */

static struct {
	va_t va; /* what the walker writes or reads */
	bool write;
	unsigned level;   /* right before an entry of this level is changed */
	unsigned touched; /* how often it did */
} walker;

/* As the hardware does it: the leaf gets its bits, at any time, if it lets the access through. */
static void walker_touch(ptp_t changing)
{
	pt_attr_t need = PT_R | (walker.write ? PT_W : 0);
	ptp_t p = pt_top(&suite.root, walker.va);
	ptv_t v = raw_ptp_get(p);

	if (changing.level != walker.level)
		return;
	while (ptv_is_table(v)) {
		p = pt_walk(v, walker.va);
		v = raw_ptp_get(p);
	}
	if (!ptv_is_leaf(v) || (ptv_attr(v) & need) != need)
		return;
	hooks.before_change = NULL;
	walker.touched++;
	raw_ptp_exchange(p, ptv_leaf_change(v, 0, PT_YOUNG | (walker.write ? PT_DIRTY : 0)));
}

static void walker_start(va_t va, bool write, unsigned level)
{
	walker.va = va;
	walker.write = write;
	walker.level = level;
	walker.touched = 0;
	hooks.before_change = walker_touch;
}

// A bit that the walker sets between the library's read and its write of an attribute change is not
// lost.
CLAIM(protect_keeps_what_the_walker_sets)
{
	for (unsigned level = 0; level <= suite_leaf_max() && pt_size(level) <= suite.root.last;
	     level++) {
		EXPECT_EQ(suite_map(0, 0, pt_size(level), SUITE_RW), 0);
		walker_start(0, true, level);
		EXPECT_EQ(suite_protect(0, pt_size(level), PT_W, PT_X), 0);
		EXPECT_EQ(walker.touched, 1u);
		EXPECT(suite_is_mapped(0, 0, PT_R | PT_X | SUITE_AD, level));
		EXPECT_EQ(suite_unmap(0, pt_size(level)), 0);
	}
}

// A bit that the walker sets in a huge leaf while it is being split is found in the parts.
CLAIM(split_keeps_what_the_walker_sets)
{
	for (unsigned level = 1; level <= suite_leaf_max() && pt_size(level) <= suite.root.last;
	     level++) {
		EXPECT_EQ(suite_map(0, 0, pt_size(level), SUITE_RW), 0);
		walker_start(0, true, level);
		EXPECT_EQ(pt_cut(&suite.root, pt_size(level - 1)), 0);
		EXPECT_EQ(walker.touched, 1u);
		EXPECT(suite_is_mapped(0, 0, SUITE_RW | SUITE_AD, level - 1));
		EXPECT(suite_is_mapped(pt_mask(level), pt_mask(level), SUITE_RW | SUITE_AD,
				       level - 1));
		suite_check_tree();
		EXPECT_EQ(suite_unmap(0, pt_size(level)), 0);
	}
}

// A bit that the walker sets at the last moment is told to whoever unmaps.
CLAIM(unmap_tells_what_the_walker_set)
{
	struct suite_drops d = { .drop = { suite_note_drop } };

	for (unsigned level = 0; level <= suite_leaf_max() && pt_size(level) <= suite.root.last;
	     level++) {
		EXPECT_EQ(suite_map(0, 0, pt_size(level), SUITE_RW), 0);
		walker_start(0, true, level);
		EXPECT_EQ(suite_unmap_to(0, pt_size(level), &d.drop), 0);
		EXPECT_EQ(walker.touched, 1u);
		EXPECT_EQ(ptv_attr(d.v), SUITE_RW | SUITE_AD | SUITE_ATTR);
		d.count = 0;
	}
}

// A bit that the walker sets in a small page while its table is being merged is in the huge leaf.
CLAIM(merge_keeps_what_the_walker_sets)
{
	const pt_attr_t attr[] = { PT_R, SUITE_RW };

	if (!suite_leaf_max() || pt_size(1) > suite.root.last)
		TEST_SKIP("no huge leaf");
	for (unsigned i = 0; i < ARRAY_SIZE(attr); i++) {
		pt_attr_t expected = attr[i] | PT_YOUNG | (attr[i] & PT_W ? PT_DIRTY : 0);

		EXPECT_EQ(suite_map(0, 0, pt_size(1), attr[i]), 0);
		EXPECT_EQ(pt_cut(&suite.root, pt_size(0)), 0);
		walker_start(pt_size(0), attr[i] & PT_W, 1);
		EXPECT_EQ(suite_merge(0, pt_size(1)), 1);
		EXPECT_EQ(walker.touched, 1u);
		EXPECT_EQ(pt_translate(&suite.root, 0).attr & expected, expected);
		EXPECT_EQ(suite_unmap(0, pt_size(1)), 0);
	}
}

/* ---- Somebody else is faster. ---- */

static struct {
	va_t va;
	ptp_t p;
	int err;
} rival;

static void rival_populates(void)
{
	rival.err = pt_populate(&suite.root, rival.p);
}

static void rival_maps(void)
{
	rival.err =
		pt_map(&suite.root, rival.va, PA(rival.va), pt_size(0), PT_R | SUITE_ATTR, NULL);
}

static void rival_unmaps(void)
{
	rival.err = pt_unmap(&suite.root, 0, pt_size(rival.p.level), NULL, NULL);
}

// Of two that install a table at once, one wins, the other's table is given back, and both may go
// on.
CLAIM(loser_of_an_install_race_frees_its_table)
{
	if (!suite.top)
		TEST_SKIP("one table is all there is");
	rival.p = pt_top(&suite.root, 0);
	rival.err = -1;
	host.on_alloc = rival_populates;
	EXPECT_EQ(pt_populate(&suite.root, rival.p), 0);
	EXPECT_EQ(rival.err, 0);
	EXPECT(ptv_is_table(ptp_get(rival.p)));
	EXPECT_EQ(suite_alloc_count(), 3u); /* with the root's */
	EXPECT_EQ(suite_check_tree().table_count[suite.top - 1], 1u);
	EXPECT_EQ(suite_tables_used() - suite.used_before, 2u);
}

// Two that map neighbouring pages at once, and need the same new tables, both succeed at every
// level of the race.
CLAIM(mapping_races_share_the_tables)
{
	for (unsigned level = 0; level < suite.top; level++) {
		uint64_t page = pt_size(0);

		EXPECT_EQ(level < suite.top - 1 ? pt_reserve(&suite.root, 0, page, level + 1) : 0,
			  0);
		rival.va = page;
		rival.err = -1;
		host.on_alloc = rival_maps;
		EXPECT_EQ(suite_map(0, 0, page, PT_R), 0);
		EXPECT_EQ(rival.err, 0);
		EXPECT(suite_is_mapped(0, 0, PT_R, 0) && suite_is_mapped(page, page, PT_R, 0));
		EXPECT_EQ(suite_check_tree().empty_count, 0u);
		EXPECT_EQ(suite_tables_used() - suite.used_before, suite.top + 1);
		EXPECT_EQ(suite_unmap(0, 2 * page), 0);
		suite_expect_empty();
	}
}

// A split whose leaf has gone meanwhile gives its table back, and its caller looks again.
CLAIM(split_of_a_vanished_leaf_changes_nothing)
{
	unsigned level = suite_leaf_max();
	ptv_t v;

	while (level && pt_size(level) > suite.root.last)
		level--;
	if (!level)
		TEST_SKIP("no huge leaf");
	suite.root.keep_level = level;
	EXPECT_EQ(suite_map(0, 0, pt_size(level), PT_R), 0);
	rival.p = pt_find(&suite.root, 0, &v);
	host.on_alloc = rival_unmaps;
	EXPECT_EQ(pt_split(&suite.root, rival.p, v), 0);
	EXPECT_EQ(rival.err, 0);
	EXPECT(suite_is_none(0));
	EXPECT_EQ(suite_check_tree().table_count[level - 1], 0u);
}

// A table that leaves the tree is handed to the batch, still whole, and not to the allocator.
CLAIM(unlinked_tables_wait_for_the_flush)
{
	struct pt_batch batch;

	if (!suite.top)
		TEST_SKIP("one table is all there is");
	EXPECT_EQ(suite_map(0, 0, pt_size(0), PT_R), 0);
	suite_batch_begin(&batch);
	EXPECT_EQ(pt_unmap(&suite.root, 0, pt_size(0), NULL, &batch), 0);
	EXPECT_EQ(batch.count, suite.top);
	EXPECT_EQ(suite_tables_used() - suite.used_before, suite.top + 1);
	suite_batch_end(&batch);
	suite_expect_empty();
}

/* ---- Somebody else sees the same tables. ---- */

static int suite_change_by(unsigned way)
{
	uint64_t page = pt_size(0);
	struct pt_at at;
	struct pt_iter it;
	int err;

	switch (way) {
	case 0:
		return suite_map(page, page, page, PT_R);
	case 1:
		return suite_unmap(0, page);
	case 2:
		return suite_protect(0, page, PT_W, 0);
	case 3:
		return suite_unmap(0, suite.root.last + 1);
	default:
		pt_iter_init(&it, &suite.root, 0, page);
		err = pt_iter_next_alloc(&it, 0, &at);
		pt_iter_fini(&it);
		return err < 0 ? err : 0;
	}
}

/* Mark the table of the level for address 0 as shared; its number in the arena. */
static unsigned suite_share_table(unsigned level)
{
	struct pt_way way;
	pt_t table;

	pt_descend(&suite.root, 0, level, &way);
	table = way.table;
	EXPECT_EQ(table.level, level);
	host.table[host_index(table.pa)].shared = true;
	return host_index(table.pa);
}

/* The way changes a copy of the shared table at the level, or, without memory for it, nothing. */
static void suite_try_shared(unsigned level, unsigned way, bool fails)
{
	static uint8_t seen[HOST_TABLE_BYTES];
	unsigned index;

	EXPECT_EQ(suite_map(0, 0, pt_size(0), SUITE_RW), 0);
	index = suite_share_table(level);
	__builtin_memcpy(seen, host_memory[index], sizeof(seen));
	suite_fail(0, fails);
	EXPECT_EQ(suite_change_by(way), fails ? -ENOMEM : 0);
	suite_fail(0, 0);
	EXPECT(!__builtin_memcmp(seen, host_memory[index], sizeof(seen)));
	EXPECT_EQ(suite_is_none(0), !fails && (way == 1 || way == 3));
	suite_check_counts();
	host.table[index].shared = false;
	EXPECT_EQ(suite_unmap(0, suite.root.last + 1), 0);
	if (!fails) { /* the others give it up, too */
		suite_batch_begin(&suite.batch);
		host.table[index].meta = (struct pt_meta){ .level = (uint8_t)level };
		__builtin_memset(host_memory[index], 0, HOST_TABLE_BYTES);
		pt_release(&suite.owner, (pt_t){ host_pa(index), level }, &suite.batch);
		suite_batch_end(&suite.batch);
	}
	suite_expect_empty();
}

// A table that others see, too, at any level, is copied before anything at or below it is changed.
CLAIM(shared_tables_are_copied_before_a_change)
{
	for (unsigned level = 0; level < suite.top; level++)
		for (unsigned way = 0; way < 5; way++) {
			suite_try_shared(level, way, false);
			suite_try_shared(level, way, true);
		}
}

// The iterator holds one table a level, and none when it is done with.
CLAIM(iterator_holds_its_path)
{
	struct pt_at at;
	struct pt_iter it;
	unsigned held = 0;

	EXPECT_EQ(suite_map(0, 0, pt_size(0), PT_R), 0);
	EXPECT_EQ(pt_iter_init(&it, &suite.root, 0, suite.root.last + 1), 0);
	EXPECT(pt_iter_next(&it, &at));
	for (unsigned i = 0; i < HOST_TABLE_COUNT; i++)
		held += host.table[i].hold_count;
	EXPECT_LE(1u, held);
	EXPECT_LE(held, suite.top + 1);
	EXPECT_EQ(host.table[host_index_of(at.p.slot)].hold_count, 1u);
	EXPECT(!pt_iter_next(&it, &at));
	pt_iter_fini(&it);
	for (unsigned i = 0; i < HOST_TABLE_COUNT; i++)
		EXPECT_EQ(host.table[i].hold_count, 0u);
}

#define SUITE_WATCH_CLAIMS(X, s, top)                       \
	X(s, top, sparse_tables_cost_one_call)              \
	X(s, top, empty_tables_cost_nothing)                \
	X(s, top, protect_keeps_what_the_walker_sets)       \
	X(s, top, split_keeps_what_the_walker_sets)         \
	X(s, top, unmap_tells_what_the_walker_set)          \
	X(s, top, merge_keeps_what_the_walker_sets)         \
	X(s, top, loser_of_an_install_race_frees_its_table) \
	X(s, top, mapping_races_share_the_tables)           \
	X(s, top, split_of_a_vanished_leaf_changes_nothing) \
	X(s, top, unlinked_tables_wait_for_the_flush)       \
	X(s, top, shared_tables_are_copied_before_a_change) \
	X(s, top, iterator_holds_its_path)
