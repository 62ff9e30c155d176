/*
 * Claims about corrupt entries: reported once with level, address and value, contained, never
 * walked. Needs a host that notes reports (host_arena.h). See suite.h.
 */
#pragma once

#include <tests/kernel/pt/suite.h>
#include <tests/kernel/pt/suite_map.h>

/* A bit that an entry in memory has. */
static uint64_t suite_entry_bit(void)
{
	return 1ull << suite_random(8ull << PT_SLOT_SHIFT);
}

/* A value of a level that is bad, though it differs in few bits from an entry that points to memory
 * or a table. */
static ptv_t suite_bad_value(ptv_t proper)
{
	ptv_t v = proper;

	for (unsigned i = 0; i < 100000 && !ptv_is_bad(v); i++) {
		v = proper;
		v.bits ^= suite_entry_bit();
		if (i > 64)
			v.bits ^= suite_entry_bit() | suite_entry_bit();
	}
	EXPECT(ptv_is_bad(v));
	return v;
}

/* Where a test has broken the tree. */
struct suite_damage {
	ptp_t p;
	ptv_t bad, proper;
	va_t va;
};

/*
 * Two pages are mapped, one at 0 and one in another table, and the entry of `level` on the way to
 * the first is corrupted: at level 0 the leaf itself, above a table entry, whose tables are cut off
 * by it.
 */
static struct suite_damage suite_damage(unsigned level)
{
	struct suite_damage d = { .va = 0 };

	EXPECT_EQ(suite_map(0, 0, pt_size(0), SUITE_RW), 0);
	for (d.p = pt_top(&suite.root, 0); d.p.level > level;)
		d.p = pt_walk(ptp_get(d.p), 0);
	d.proper = ptp_get(d.p);
	d.bad = suite_bad_value(d.proper);
	raw_ptp_exchange(d.p, d.bad);
	host.report_count = 0;
	return d;
}

/* The entry was reported once, as it was, and is none; put it back and tidy up. */
static void suite_check_damage(const struct suite_damage *d, va_t va)
{
	EXPECT_EQ(host.report_count, 1u);
	EXPECT_EQ(host.report[0].level, d->p.level);
	EXPECT_EQ(host.report[0].bits, d->bad.bits);
	EXPECT_EQ(host.report[0].va, va);
}

static void suite_repair(const struct suite_damage *d)
{
	EXPECT(ptv_none(ptp_get(d->p)));
	ptp_change(d->p, d->proper);
	suite_check_tree();
	EXPECT_EQ(suite_unmap(0, suite.root.last + 1), 0);
	suite_expect_empty();
}

// Looking at a bad entry - translate, find, count, dump, iterate - shows it as bad and leaves it
// alone.
CLAIM(bad_entries_are_shown_not_walked)
{
	for (unsigned level = 0; level <= suite.top; level++) {
		struct suite_damage d = suite_damage(level);
		struct pt_at at;
		struct pt_count count;
		struct pt_iter it;
		ptv_t v;

		EXPECT(pt_translate(&suite.root, 0).kind == PT_BAD);
		EXPECT_EQ(pt_translate(&suite.root, 0).level, level);
		EXPECT_EQ(pt_find(&suite.root, 0, &v).slot, d.p.slot);
		EXPECT_EQ(v.bits, d.bad.bits);
		EXPECT_EQ(pt_count(&suite.root, 0, suite.root.last + 1, &count), 0);
		EXPECT_EQ(count.entry[PT_BAD][level], 1u);
		EXPECT_EQ(count.entry[PT_LEAF][0], 0u);
		suite_read(&suite.after);
		EXPECT_EQ(suite.after.count, 1u);
		EXPECT(suite.after.range[0].kind == MODEL_BAD);
		EXPECT_EQ(pt_iter_init(&it, &suite.root, 0, suite.root.last + 1), 0);
		EXPECT(pt_iter_next(&it, &at) && at.v.bits == d.bad.bits && at.p.slot == d.p.slot);
		EXPECT(!pt_iter_next(&it, &at));
		pt_iter_fini(&it);
		EXPECT_EQ(host.report_count, 0u);
		EXPECT_EQ(ptp_get(d.p).bits, d.bad.bits);
		ptp_change(d.p, ptv_make_none(level));
		suite_repair(&d);
	}
}

// Unmapping over a bad entry, at any level, reports it, makes it none, and goes on.
CLAIM(unmap_reports_and_clears_bad_entries)
{
	for (unsigned level = 0; level <= suite.top; level++) {
		struct suite_damage d = suite_damage(level);

		suite.root.keep_level = 0;
		EXPECT_EQ(suite_unmap(0, pt_size(0)), 0);
		suite_check_damage(&d, 0);
		EXPECT_EQ(ptp_meta(d.p)->live, 0u);
		suite_check_counts();
		suite.root.keep_level = PT_LEVEL_COUNT;
		suite_repair(&d);
	}
}

// Protecting over a bad entry reports it and makes it none; its neighbours get their new rights.
CLAIM(protect_reports_and_clears_bad_entries)
{
	uint64_t page = pt_size(0);

	for (unsigned level = 0; level <= suite.top; level++) {
		struct suite_damage d = suite_damage(level);

		if (level == 0)
			EXPECT_EQ(suite_map(page, page, page, SUITE_RW), 0);
		EXPECT_EQ(suite_protect(0, 2 * page, PT_W, 0), 0);
		suite_check_damage(&d, 0);
		if (level == 0)
			EXPECT(suite_is_mapped(page, page, PT_R, 0));
		suite_repair(&d);
	}
}

// Mapping over a bad entry reports it, and then maps as if nothing had been there.
CLAIM(map_reports_and_replaces_bad_entries)
{
	for (unsigned level = 0; level <= suite.top; level++) {
		struct suite_damage d = suite_damage(level);
		uint64_t page = pt_size(0);

		EXPECT_EQ(suite_map(0, 3 * page, page, PT_R), 0);
		suite_check_damage(&d, 0);
		EXPECT(suite_is_mapped(0, 3 * page, PT_R, 0));
		suite.root.keep_level = level;
		EXPECT_EQ(suite_unmap(0, page), 0);
		suite.root.keep_level = PT_LEVEL_COUNT;
		suite_repair(&d);
	}
}

// Reserving over a bad entry, or iterating with allocation, reports it and puts a table in its
// place.
CLAIM(making_tables_replaces_bad_entries)
{
	for (unsigned level = 1; level <= suite.top; level++)
		for (unsigned way = 0; way < 2; way++) {
			struct suite_damage d = suite_damage(level);
			struct pt_at at;
			struct pt_iter it;

			if (way) {
				EXPECT_EQ(pt_reserve(&suite.root, 0, pt_size(0), 0), 0);
			} else {
				EXPECT_EQ(pt_iter_init(&it, &suite.root, 0, pt_size(0)), 0);
				EXPECT_EQ(pt_iter_next_alloc(&it, 0, &at), 1);
				EXPECT(ptv_none(at.v) && at.p.level == 0);
				pt_iter_fini(&it);
			}
			suite_check_damage(&d, 0);
			suite_check_counts();
			suite.root.keep_level = level;
			EXPECT_EQ(suite_unmap(0, pt_size(0)), 0);
			suite.root.keep_level = PT_LEVEL_COUNT;
			suite_repair(&d);
		}
}

// Tearing a tree down over a bad entry reports it and loses only what was behind it.
CLAIM(free_passes_bad_entries)
{
	for (unsigned level = 0; level <= suite.top; level++) {
		struct suite_damage d = suite_damage(level);
		struct pt_root lost = { .owner = &suite.owner, .keep_level = PT_LEVEL_COUNT };

		suite_free(&suite.root);
		suite_check_damage(&d, 0);
		EXPECT_EQ(suite_tables_used() - suite.used_before, level);
		if (level) { /* what was behind it is still there for the test to find */
			lost.top = ptv_to_table(d.proper);
			lost.last = pt_mask(level);
			suite_free(&lost);
		}
		EXPECT_EQ(suite_root_init(&suite.root, 0, suite.root.last), 0);
		suite_expect_empty();
	}
}

// Asking whether an entry is none reports and clears a bad one, and no other.
CLAIM(none_or_clear_bad_clears_only_the_bad)
{
	struct suite_damage d = suite_damage(0);
	ptp_t p = d.p;

	EXPECT(ptp_none_or_clear_bad(p, 0));
	suite_check_damage(&d, 0);
	EXPECT(ptp_none_or_clear_bad(p, 0));
	EXPECT_EQ(ptp_meta(p)->live, 0u);
	suite_check_counts();
	ptp_change(p, d.proper);
	EXPECT(!ptp_none_or_clear_bad(p, 0));
	ptp_change(p, ptv_make_soft(1, 0));
	EXPECT(!ptp_none_or_clear_bad(p, 0));
	EXPECT_EQ(host.report_count, 1u);
	ptp_change(p, ptv_make_none(0));
	suite_repair(&d);
}

// A stray value in an entry that was none, which nobody counted, does not upset the counts when it
// is cleared.
CLAIM(stray_values_do_not_upset_the_counts)
{
	uint64_t page = pt_size(0);

	for (unsigned way = 0; way < 3; way++) {
		struct suite_damage d = suite_damage(0);

		ptp_exchange(d.p, d.proper);
		EXPECT_EQ(suite_map(page, page, page, PT_R), 0);
		EXPECT_EQ(suite_unmap(0, page), 0);
		raw_ptp_exchange(d.p, d.bad);
		if (way == 0)
			EXPECT_EQ(suite_map(0, 0, page, PT_R), 0);
		if (way == 1)
			EXPECT_EQ(suite_unmap(0, page), 0);
		if (way == 2)
			EXPECT(ptp_none_or_clear_bad(d.p, 0));
		EXPECT(ptv_is_bad(ptp_get(d.p)) || host.report_count == 1);
		ptp_none_or_clear_bad(d.p, 0);
		suite_check_tree();
		EXPECT(suite_is_mapped(page, page, PT_R, 0));
		EXPECT_EQ(suite_unmap(0, 2 * page), 0);
		suite_expect_empty();
	}
}

#define SUITE_BAD_CLAIMS(X, s, top)                       \
	X(s, top, bad_entries_are_shown_not_walked)       \
	X(s, top, unmap_reports_and_clears_bad_entries)   \
	X(s, top, protect_reports_and_clears_bad_entries) \
	X(s, top, map_reports_and_replaces_bad_entries)   \
	X(s, top, making_tables_replaces_bad_entries)     \
	X(s, top, free_passes_bad_entries)                \
	X(s, top, none_or_clear_bad_clears_only_the_bad)  \
	X(s, top, stray_values_do_not_upset_the_counts)
