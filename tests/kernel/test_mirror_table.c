/*
 * The mirror's table: huge leaves, tables that come and go, memory that runs out, young and dirty
 * bits, snapshots, and loops over it.
 */
#include <dev/vtd_table.h>
#include <mm/copy.h>
#include <mm/fault.h>
#include <tests/kernel/mirror_rig.h>
#include <tests/kernel/oracle.h>
#include <tests/kernel/test.h>

#define HUGE 512 /* pages of a huge leaf */

// A huge leaf is mirrored as one; unmapping a part of it drops it as a whole, and the rest comes
// back small.
TEST(mirror_table, huge_as_huge)
{
	struct rig r;

	rig_open(&r, 2 * HUGE, AREA_HUGE);
	EXPECT_EQ(soft_device_write(&r.dev, RIG_PAGE(3), 3), 0);
	EXPECT_EQ(rig_leaves(&r, 0), 1u); /* it asked for a page */
	EXPECT_EQ(mirror_fault(r.m, RIG_PAGE(HUGE), RIG_PAGE(2 * HUGE), RW), 0);
	EXPECT_EQ(r.m->stats.fault_count, 2u);
	EXPECT_EQ(rig_leaves(&r, 1), 1u);
	EXPECT_EQ(mirror_translate(r.m, RIG_PAGE(HUGE + 5)).level, 1u);
	EXPECT_EQ(soft_device_write(&r.dev, RIG_PAGE(HUGE + 5), 77), 0);
	EXPECT(touch_reads(r.space, RIG_PAGE(HUGE + 5), 77));
	EXPECT_EQ(space_unmap(r.space, RIG_PAGE(HUGE + 8), RIG_PAGE(HUGE + 9)), 0);
	EXPECT_EQ(rig_leaves(&r, 1), 0u);
	EXPECT_EQ(r.dev.flush_count, 1u);
	EXPECT(soft_device_reads(&r.dev, RIG_PAGE(HUGE + 5), 77));
	EXPECT_EQ(soft_device_write(&r.dev, RIG_PAGE(HUGE + 8), 1), -EFAULT);
	rig_close(&r);
}

// No leaf is larger than the unit knows.
TEST(mirror_table, huge_as_far_as_the_unit_goes)
{
	for (unsigned max = 0; max < 2; max++) {
		struct rig r;

		rig_open(&r, HUGE, AREA_HUGE);
		r.m->root.leaf_level_max = max;
		EXPECT_EQ(mirror_fault(r.m, RIG_PAGE(0), RIG_PAGE(HUGE), RW), 0);
		EXPECT_EQ(rig_leaves(&r, 1), max);
		EXPECT_EQ(rig_leaves(&r, 0), max ? 0u : HUGE);
		rig_close(&r);
	}
}

// A part of a huge leaf is mirrored small; the small entries stay when the whole is asked for
// later.
TEST(mirror_table, part_of_a_huge_leaf)
{
	struct rig r;

	rig_open(&r, HUGE, AREA_HUGE);
	EXPECT(touch_write(r.space, RIG_BASE, 1));
	EXPECT_EQ(mirror_fault(r.m, RIG_PAGE(1), RIG_PAGE(4), PT_R), 0);
	EXPECT_EQ(rig_leaves(&r, 0), 3u);
	EXPECT_EQ(mirror_fault(r.m, RIG_PAGE(0), RIG_PAGE(HUGE), PT_R), 0);
	EXPECT_EQ(rig_leaves(&r, 0), 512u);
	EXPECT_EQ(oracle_check(), 0u);
	rig_close(&r);
}

// An empty table that was kept gives way to a huge leaf, with one flush that forgets the table.
TEST(mirror_table, huge_leaf_replaces_an_empty_table)
{
	struct rig r;

	rig_open(&r, HUGE, AREA_HUGE);
	EXPECT(touch_write(r.space, RIG_BASE, 1));
	EXPECT(soft_device_reads(&r.dev, RIG_BASE, 1));
	EXPECT_EQ(space_protect(r.space, RIG_BASE, RIG_PAGE(HUGE), PT_R), 0);
	EXPECT_EQ(rig_tables(&r), 4u);
	EXPECT_EQ(mirror_fault(r.m, RIG_BASE, RIG_PAGE(HUGE), PT_R), 0);
	EXPECT_EQ(rig_leaves(&r, 1), 1u);
	EXPECT_EQ(rig_tables(&r), 3u);
	EXPECT_EQ(r.dev.flush_count, 2u);
	EXPECT(soft_device_reads(&r.dev, RIG_BASE, 1));
	rig_close(&r);
}

// When a part of a read-only huge leaf becomes writable, that part alone is given the right.
TEST(mirror_table, huge_leaf_is_split_for_a_right)
{
	struct rig r;
	struct space *child;
	ptp_t p;
	ptv_t v;

	rig_open(&r, HUGE, AREA_HUGE);
	EXPECT(touch_write(r.space, RIG_BASE, 1));
	child = space_fork(r.space);
	REQUIRE(child);
	EXPECT_EQ(mirror_fault(r.m, RIG_BASE, RIG_PAGE(HUGE), PT_R), 0);
	EXPECT_EQ(rig_leaves(&r, 1), 1u);
	space_destroy(child);
	touch_done();
	p = pt_find(&r.space->root, RIG_BASE, &v);
	REQUIRE_EQ(pt_split(&r.space->root, p, v), 0);
	EXPECT_EQ(mirror_fault(r.m, RIG_PAGE(7), RIG_PAGE(8), RW), 0);
	EXPECT_EQ(rig_rights(&r, RIG_PAGE(7)), RW);
	EXPECT_EQ(rig_rights(&r, RIG_PAGE(8)), PT_R);
	EXPECT_EQ(rig_leaves(&r, 0), 512u);
	EXPECT_EQ(soft_device_write(&r.dev, RIG_PAGE(7), 8), 0);
	EXPECT_EQ(oracle_check(), 0u);
	rig_close(&r);
}

// Huge pages after fork: a device write copies, the parent reads what it had.
TEST(mirror_table, anon_write_child_huge)
{
	struct rig r, c;
	struct space *child;

	rig_open(&r, HUGE, AREA_HUGE);
	EXPECT(touch_write(r.space, RIG_PAGE(9), 9));
	EXPECT_EQ(mirror_fault(r.m, RIG_BASE, RIG_PAGE(HUGE), RW), 0);
	child = space_fork(r.space);
	REQUIRE(child);
	EXPECT_EQ(r.dev.flush_count, 1u);
	rig_attach(&c, child, false);
	EXPECT_EQ(soft_device_write(&c.dev, RIG_PAGE(9), 10), 0);
	EXPECT(soft_device_reads(&r.dev, RIG_PAGE(9), 9));
	EXPECT(touch_reads(r.space, RIG_PAGE(9), 9));
	EXPECT(touch_reads(child, RIG_PAGE(9), 10));
	rig_close(&c);
	rig_close(&r);
}

// A snapshot brings what is there without any fault: holes, untouched pages and pages without
// rights are left out.
TEST(mirror_table, snapshot)
{
	struct rig r;
	uint64_t value, faults;

	rig_open_written(&r, 6, 0);
	rig_add_area(r.space, RIG_PAGE(8), 4, 0);
	EXPECT(touch_read(r.space, RIG_PAGE(9), &value));
	EXPECT_EQ(space_protect(r.space, RIG_PAGE(1), RIG_PAGE(2), PT_R), 0);
	EXPECT_EQ(space_protect(r.space, RIG_PAGE(2), RIG_PAGE(3), 0), 0);
	faults = space_fault_count(r.space, FAULT_FILLED);
	EXPECT_EQ(mirror_snapshot(r.m, RIG_PAGE(0), RIG_PAGE(20)), 0);
	EXPECT_EQ(rig_rights(&r, RIG_PAGE(0)), RW); /* written, so dirty */
	EXPECT_EQ(rig_rights(&r, RIG_PAGE(1)), PT_R);
	EXPECT_EQ(rig_rights(&r, RIG_PAGE(2)), 0u);
	EXPECT_EQ(rig_rights(&r, RIG_PAGE(8)), 0u);
	EXPECT_EQ(rig_rights(&r, RIG_PAGE(9)), PT_R); /* the zero page */
	EXPECT_EQ(rig_leaves(&r, 0), 6u);
	EXPECT_EQ(r.m->stats.fault_count, 0u);
	EXPECT_EQ(space_fault_count(r.space, FAULT_FILLED), faults);
	rig_close(&r);
}

static bool space_is_dirty(struct space *s, va_t va)
{
	return pt_translate(&s->root, va).attr & PT_DIRTY;
}

static void space_clean(struct space *s, va_t start, va_t end)
{
	EXPECT_EQ(pt_protect(&s->root, start, end, PT_DIRTY | PT_YOUNG, 0), 0);
	space_switch(NULL);
}

// What a device that sets dirty bits has written comes back to the space's entries by harvest,
// and only that; the bits are taken, so that a second harvest finds only what was written since.
TEST(mirror_table, dirty_is_harvested)
{
	struct rig r;

	rig_open_written(&r, 6, 0);
	rig_detach(&r);
	rig_attach(&r, r.space, true);
	EXPECT_EQ(mirror_fault(r.m, RIG_PAGE(0), RIG_PAGE(6), RW), 0);
	space_clean(r.space, RIG_PAGE(0), RIG_PAGE(6));
	EXPECT_EQ(soft_device_write(&r.dev, RIG_PAGE(1), 1), 0);
	EXPECT_EQ(soft_device_write(&r.dev, RIG_PAGE(3), 1), 0);
	EXPECT(soft_device_reads(&r.dev, RIG_PAGE(2), 3));
	EXPECT_EQ(mirror_harvest(r.m, RIG_PAGE(0), RIG_PAGE(6)), 0);
	for (unsigned i = 0; i < 6; i++)
		EXPECT_EQ(space_is_dirty(r.space, RIG_PAGE(i)), i == 1 || i == 3);
	EXPECT_EQ(r.dev.flush_count, 1u);
	space_clean(r.space, RIG_PAGE(0), RIG_PAGE(6));
	EXPECT_EQ(mirror_harvest(r.m, RIG_PAGE(0), RIG_PAGE(6)), 0);
	EXPECT_EQ(r.dev.flush_count, 1u); /* nothing was there to take */
	EXPECT_EQ(soft_device_write(&r.dev, RIG_PAGE(3), 2), 0);
	EXPECT_EQ(mirror_harvest(r.m, RIG_PAGE(0), RIG_PAGE(6)), 0);
	EXPECT_EQ(space_is_dirty(r.space, RIG_PAGE(1)), false);
	EXPECT_EQ(space_is_dirty(r.space, RIG_PAGE(3)), true);
	rig_close(&r);
}

// An invalidation hands dirty bits over before the entry goes: nothing that the device wrote is
// forgotten.
TEST(mirror_table, dirty_survives_invalidation)
{
	for (unsigned tracks = 0; tracks < 2; tracks++) {
		struct rig r;

		rig_open_written(&r, 3, 0);
		rig_detach(&r);
		rig_attach(&r, r.space, tracks);
		EXPECT_EQ(mirror_fault(r.m, RIG_PAGE(0), RIG_PAGE(2), RW), 0);
		space_clean(r.space, RIG_PAGE(0), RIG_PAGE(3));
		EXPECT_EQ(soft_device_write(&r.dev, RIG_PAGE(0), 1), 0);
		EXPECT_EQ(space_protect(r.space, RIG_PAGE(0), RIG_PAGE(3), PT_R), 0);
		EXPECT(space_is_dirty(r.space, RIG_PAGE(0)));
		/* Without dirty bits, what it could write counts as written. */
		EXPECT_EQ(space_is_dirty(r.space, RIG_PAGE(1)), !tracks);
		EXPECT(!space_is_dirty(r.space, RIG_PAGE(2)));
		rig_close(&r);
	}
}

// A device that only reads is not given the right to write a clean page, so nothing becomes dirty
// by reading.
TEST(mirror_table, reading_makes_nothing_dirty)
{
	struct rig r;

	rig_open_written(&r, 2, 0);
	space_clean(r.space, RIG_PAGE(0), RIG_PAGE(2));
	EXPECT(soft_device_reads(&r.dev, RIG_PAGE(0), 1));
	EXPECT_EQ(rig_rights(&r, RIG_PAGE(0)), PT_R);
	EXPECT_EQ(space_protect(r.space, RIG_PAGE(0), RIG_PAGE(2), PT_R), 0);
	EXPECT(!space_is_dirty(r.space, RIG_PAGE(0)));
	rig_close(&r);
}

// Aging: a page that the device used since the last question is young, whether its walker sets
// bits or not.
TEST(mirror_table, young)
{
	for (unsigned tracks = 0; tracks < 2; tracks++) {
		struct rig r;
		struct notifier *n;

		rig_open_written(&r, 4, 0);
		rig_detach(&r);
		rig_attach(&r, r.space, tracks);
		n = &r.space->notifier;
		EXPECT(!notifier_test_young(n, RIG_PAGE(0), RIG_PAGE(4), true));
		EXPECT(soft_device_reads(&r.dev, RIG_PAGE(1), 2));
		EXPECT(notifier_test_young(n, RIG_PAGE(0), RIG_PAGE(4), false));
		EXPECT(!notifier_test_young(n, RIG_PAGE(2), RIG_PAGE(4), false));
		EXPECT(notifier_test_young(n, RIG_PAGE(0), RIG_PAGE(4), true));
		EXPECT(!notifier_test_young(n, RIG_PAGE(0), RIG_PAGE(4), true));
		EXPECT_EQ(rig_leaves(&r, 0), tracks ? 1u : 0u);
		EXPECT(soft_device_reads(&r.dev, RIG_PAGE(1), 2));
		EXPECT(notifier_test_young(n, RIG_PAGE(0), RIG_PAGE(4), true));
		EXPECT_EQ(r.dev.flush_count, 2u);
		rig_close(&r);
	}
}

// Tables that an unmapped range leaves empty are given back, after the flush that makes them
// unreachable.
TEST(mirror_table, empty_tables_are_reclaimed)
{
	struct rig r;

	rig_open_written(&r, 4, 0);
	rig_add_area(r.space, RIG_BASE + (1ull << 39), 2, 0);
	EXPECT_EQ(mirror_fault(r.m, RIG_PAGE(0), RIG_PAGE(4), PT_R), 0);
	EXPECT_EQ(
		mirror_fault(r.m, RIG_BASE + (1ull << 39), RIG_BASE + (1ull << 39) + PAGES(2), RW),
		0);
	EXPECT_EQ(rig_tables(&r), 7u);
	EXPECT_EQ(space_unmap(r.space, RIG_PAGE(0), RIG_PAGE(3)), 0);
	EXPECT_EQ(rig_tables(&r), 7u);
	EXPECT_EQ(space_unmap(r.space, RIG_PAGE(3), RIG_PAGE(4)), 0);
	EXPECT_EQ(rig_tables(&r), 4u);
	EXPECT_EQ(oracle_check(), 0u);
	EXPECT_EQ(soft_device_write(&r.dev, RIG_BASE + (1ull << 39), 1), 0);
	EXPECT_EQ(space_unmap(r.space, 1ull << 38, 1ull << 45), 0);
	EXPECT_EQ(rig_tables(&r), 1u);
	rig_close(&r);
}

// Tables of a range that stays mapped are not thrashed: protecting and faulting again allocates
// nothing.
TEST(mirror_table, tables_are_not_thrashed)
{
	struct rig r;
	uint64_t calls;

	rig_open_written(&r, 4, 0);
	EXPECT_EQ(mirror_fault(r.m, RIG_PAGE(0), RIG_PAGE(4), PT_R), 0);
	EXPECT_EQ(space_protect(r.space, RIG_PAGE(0), RIG_PAGE(4), PT_R), 0);
	calls = frame_alloc_calls();
	for (unsigned i = 0; i < 50; i++) {
		EXPECT_EQ(mirror_fault(r.m, RIG_PAGE(0), RIG_PAGE(4), PT_R), 0);
		EXPECT_EQ(space_protect(r.space, RIG_PAGE(0), RIG_PAGE(4), PT_R), 0);
	}
	EXPECT_EQ(frame_alloc_calls(), calls);
	EXPECT_EQ(rig_tables(&r), 4u);
	rig_close(&r);
}

// Each allocation of a fault fails in turn: -ENOMEM, a mirror that is still a subset, and in the
// end success.
TEST(mirror_table, every_allocation_can_fail)
{
	struct rig r;
	uint64_t skip = 0;
	int err = -ENOMEM;

	rig_open(&r, 3, 0);
	rig_add_area(r.space, RIG_BASE + (1ull << 30), 1, 0);
	for (; err == -ENOMEM; skip++) {
		touch_done();
		EXPECT_EQ(space_unmap(r.space, RIG_BASE, RIG_BASE + (1ull << 31)), 0);
		rig_add_area(r.space, RIG_BASE, 3, 0);
		rig_add_area(r.space, RIG_BASE + (1ull << 30), 1, 0);
		frame_fail_after(skip, 1);
		err = mirror_fault(r.m, RIG_BASE, RIG_PAGE(3), RW);
		if (!err)
			err = mirror_fault(r.m, RIG_BASE + (1ull << 30),
					   RIG_BASE + (1ull << 30) + PAGES(1), RW);
		frame_fail_after(0, 0);
		EXPECT_EQ(oracle_check(), 0u);
	}
	EXPECT_EQ(err, 0);
	EXPECT(skip > 10);
	test_note("%lu allocations failed in turn", skip - 1);
	rig_close(&r);
}

// Making a mirror fails cleanly, too.
TEST(mirror_table, creation_can_fail)
{
	struct rig r;
	struct mirror *m = NULL;

	rig_open(&r, 1, 0);
	rig_detach(&r);
	for (uint64_t skip = 0; !m; skip++) {
		frame_fail_after(skip, 1);
		m = mirror_create(r.space, &vtd_mirror_format, 3, &r.dev.ops);
		frame_fail_after(0, 0);
		EXPECT(m || list_empty(&r.space->notifier.subscribers));
	}
	mirror_destroy(m);
	rig_close(&r);
}

/* ---- Loops. ---- */

// The iterator returns each leaf once, in order, with its address; it is told nothing of what
// lies between.
TEST(mirror_table, iterator_visits_the_leaves)
{
	struct rig r;
	struct mirror_iter it;
	struct pt_span span;
	va_t expected[] = { RIG_PAGE(0), RIG_PAGE(5), RIG_PAGE(511), RIG_PAGE(512) };

	rig_open_written(&r, 513, 0);
	for (unsigned i = 0; i < ARRAY_SIZE(expected); i++)
		EXPECT_EQ(mirror_fault(r.m, expected[i], expected[i] + PAGES(1), PT_R), 0);
	EXPECT_EQ(mirror_iter_init(&it, r.m, RIG_BASE, RIG_PAGE(600)), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(expected); i++) {
		REQUIRE(mirror_iter_next(&it, &span));
		EXPECT_EQ(span.va, expected[i]);
		EXPECT(pa_equal(span.pa, pt_translate(&r.space->root, span.va).pa));
	}
	EXPECT(!mirror_iter_next(&it, &span));
	mirror_iter_fini(&it);
	EXPECT_EQ(mirror_iter_init(&it, r.m, 1ull << 50, (1ull << 50) + PAGES(1)), -ERANGE);
	EXPECT(!mirror_iter_next(&it, &span));
	mirror_iter_fini(&it);
	rig_close(&r);
}

// Removing what the iterator stands on, table and all, is safe: the table is not reused before
// the next call, and the loop goes on with what is there then.
TEST(mirror_table, iterator_survives_invalidation)
{
	struct rig r;
	struct mirror_iter it;
	struct pt_span span;
	struct frame *table;

	rig_open_written(&r, 1200, 0);
	EXPECT_EQ(mirror_fault(r.m, RIG_BASE, RIG_PAGE(1200), PT_R), 0);
	mirror_iter_init(&it, r.m, RIG_BASE, RIG_PAGE(1200));
	for (unsigned i = 0; i < 512; i++)
		REQUIRE(mirror_iter_next(&it, &span));
	EXPECT_EQ(span.va, RIG_PAGE(511)); /* the last of its table */
	table = pa_to_frame(it.it.path[0].pa);
	touch_done();
	EXPECT_EQ(space_unmap(r.space, RIG_BASE, RIG_PAGE(700)), 0);
	EXPECT_EQ(frame_edges(table), 1u);
	REQUIRE(mirror_iter_next(&it, &span));
	EXPECT_EQ(span.va, RIG_PAGE(700));
	EXPECT_EQ(frame_edges(table), 0u);
	EXPECT_EQ(space_unmap(r.space, RIG_PAGE(700), RIG_PAGE(1100)), 0);
	rig_add_area(r.space, RIG_PAGE(720), 2, 0);
	EXPECT_EQ(soft_device_write(&r.dev, RIG_PAGE(721), 1), 0);
	REQUIRE(mirror_iter_next(&it, &span)); /* a new table for the same addresses */
	EXPECT_EQ(span.va, RIG_PAGE(721));
	REQUIRE(mirror_iter_next(&it, &span));
	EXPECT_EQ(span.va, RIG_PAGE(1100));
	mirror_iter_fini(&it);
	rig_close(&r);
}

/* A callback that compares with a second mirror, or stops. */
struct compare {
	struct mirror_iter other;
	unsigned same, stop_after;
};

static int compare_leaf(void *arg, const struct pt_span *span)
{
	struct compare *c = arg;
	struct pt_span other;

	if (mirror_iter_next(&c->other, &other) && other.va == span->va &&
	    pa_equal(other.pa, span->pa))
		c->same++;
	return c->same == c->stop_after ? 77 : 0;
}

// Addresses are explicit, so two mirrors can be walked together; a callback walk hands its answer
// up at once.
TEST(mirror_table, two_mirrors_walked_together)
{
	struct rig r, second;
	struct compare c = { .same = 0 };

	rig_open_written(&r, 20, 0);
	rig_attach(&second, r.space, false);
	for (unsigned i = 0; i < 20; i += 3) {
		EXPECT_EQ(mirror_fault(r.m, RIG_PAGE(i), RIG_PAGE(i + 1), PT_R), 0);
		EXPECT_EQ(mirror_fault(second.m, RIG_PAGE(i), RIG_PAGE(i + 1), PT_R), 0);
	}
	mirror_iter_init(&c.other, second.m, RIG_BASE, RIG_PAGE(20));
	EXPECT_EQ(mirror_walk(r.m, RIG_BASE, RIG_PAGE(20), compare_leaf, &c), 0);
	EXPECT_EQ(c.same, 7u);
	mirror_iter_fini(&c.other);
	c = (struct compare){ .stop_after = 2 };
	mirror_iter_init(&c.other, second.m, RIG_BASE, RIG_PAGE(20));
	EXPECT_EQ(mirror_walk(r.m, RIG_BASE, RIG_PAGE(20), compare_leaf, &c), 77);
	EXPECT_EQ(c.same, 2u);
	mirror_iter_fini(&c.other);
	rig_detach(&second);
	rig_close(&r);
}
