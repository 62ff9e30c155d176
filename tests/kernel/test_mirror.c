/*
 * Mirrors: what they bring, what they drop, and that the device sees what the space says.
 */
#include <dev/vtd_table.h>
#include <mm/copy.h>
#include <mm/fault.h>
#include <mm/share.h>
#include <tests/kernel/fork_as.h>
#include <tests/kernel/mirror_rig.h>
#include <tests/kernel/oracle.h>
#include <tests/kernel/test.h>

// A mirror starts empty, and the device may do nothing through it.
TEST(mirror, starts_empty)
{
	struct rig r;
	uint64_t value;

	rig_open_written(&r, 2, 0);
	EXPECT(!soft_device_access(&r.dev, RIG_BASE, &value, 8, false));
	EXPECT_EQ(r.dev.fault.reason, SOFT_NOT_PRESENT);
	EXPECT_EQ(rig_tables(&r), 1u);
	rig_close(&r);
}

// A fault for reading brings the pages that are there: no fault of the space, no flush, and no
// right to write beyond what is dirty.
TEST(mirror, fault_maps_what_is_present)
{
	struct rig r;

	rig_open_written(&r, 100, 0);
	EXPECT_EQ(mirror_fault(r.m, RIG_BASE, RIG_PAGE(100), PT_R), 0);
	EXPECT_EQ(r.m->stats.filled_leaves, 100u);
	EXPECT_EQ(r.m->stats.fault_count, 0u);
	EXPECT_EQ(r.m->stats.flush_count, 0u);
	EXPECT_EQ(rig_leaves(&r, 0), 100u);
	for (unsigned i = 0; i < 100; i++)
		EXPECT(soft_device_reads(&r.dev, RIG_PAGE(i), i + 1));
	EXPECT_EQ(r.dev.fault_count, 0u);
	rig_close(&r);
}

// Faulting again what is mapped changes nothing and flushes nothing.
TEST(mirror, fault_repeated_is_harmless)
{
	struct rig r;

	rig_open_written(&r, 10, 0);
	EXPECT_EQ(mirror_fault(r.m, RIG_BASE, RIG_PAGE(10), RW), 0);
	EXPECT_EQ(mirror_fault(r.m, RIG_BASE, RIG_PAGE(10), RW), 0);
	EXPECT_EQ(mirror_fault(r.m, RIG_PAGE(3), RIG_PAGE(4), PT_R), 0);
	EXPECT_EQ(r.m->stats.filled_leaves, 10u);
	EXPECT_EQ(r.m->stats.upgraded_leaves, 0u);
	EXPECT_EQ(r.m->stats.flush_count, 0u);
	rig_close(&r);
}

// A fault brings what is missing through the space's own fault handling: one fault a page, memory
// for writes.
TEST(mirror, fault_fills_the_space)
{
	struct rig r;

	rig_open(&r, 8, 0);
	EXPECT_EQ(mirror_fault(r.m, RIG_PAGE(0), RIG_PAGE(3), PT_R), 0);
	EXPECT_EQ(mirror_fault(r.m, RIG_PAGE(3), RIG_PAGE(8), RW), 0);
	EXPECT_EQ(r.m->stats.fault_count, 8u);
	EXPECT_EQ(space_mapped(r.space, MAPPED_ZERO), 3);
	EXPECT_EQ(space_mapped(r.space, MAPPED_ANON), 5);
	EXPECT_EQ(rig_rights(&r, RIG_PAGE(2)), PT_R);
	EXPECT_EQ(rig_rights(&r, RIG_PAGE(3)), RW);
	EXPECT_EQ(soft_device_write(&r.dev, RIG_PAGE(5), 55), 0);
	EXPECT(touch_reads(r.space, RIG_PAGE(5), 55));
	rig_close(&r);
}

// What is missing between pages that are there is faulted in, and a hole between them is found.
TEST(mirror, fault_fills_gaps)
{
	struct rig r;

	rig_open(&r, 6, 0);
	EXPECT(touch_write(r.space, RIG_PAGE(0), 1));
	EXPECT(touch_write(r.space, RIG_PAGE(2), 3));
	EXPECT(touch_write(r.space, RIG_PAGE(5), 6));
	EXPECT_EQ(mirror_fault(r.m, RIG_PAGE(0), RIG_PAGE(3), PT_R), 0);
	EXPECT_EQ(r.m->stats.fault_count, 1u);
	EXPECT_EQ(rig_leaves(&r, 0), 3u);
	touch_done();
	EXPECT_EQ(space_unmap(r.space, RIG_PAGE(4), RIG_PAGE(5)), 0);
	EXPECT_EQ(mirror_fault(r.m, RIG_PAGE(2), RIG_PAGE(6), PT_R), -EFAULT);
	EXPECT_EQ(rig_rights(&r, RIG_PAGE(5)), 0u);
	rig_close(&r);
}

// A device write to what it may only read faults once, gets memory, and nobody sees the zero page
// change.
TEST(mirror, write_to_the_zero_page)
{
	struct rig r;
	uint64_t value;

	rig_open(&r, 2, 0);
	EXPECT(soft_device_reads(&r.dev, RIG_BASE, 0));
	EXPECT_EQ(soft_device_write(&r.dev, RIG_BASE, 7), 0);
	EXPECT_EQ(r.dev.fault_count, 2u);
	EXPECT(touch_reads(r.space, RIG_BASE, 7));
	EXPECT(touch_read(r.space, RIG_PAGE(1), &value));
	EXPECT_EQ(value, 0u);
	EXPECT_EQ(r.m->stats.flush_count, 1u); /* of the zero page that was mapped */
	rig_close(&r);
}

// Holes, missing rights and device windows are refused; what lies in front of them stays mapped.
TEST(mirror, fault_refusals)
{
	struct rig r;
	struct area_spec window = { RIG_PAGE(20), RIG_PAGE(22), AREA_DEVICE, 0,
				    RW,           NULL,         0,           PA(0xfed00000) };

	rig_open_written(&r, 4, 0);
	EXPECT_EQ(space_add_area(r.space, &window), 0);
	EXPECT_EQ(mirror_fault(r.m, RIG_PAGE(2), RIG_PAGE(6), PT_R), -EFAULT);
	EXPECT_EQ(rig_leaves(&r, 0), 2u);
	EXPECT_EQ(mirror_fault(r.m, RIG_PAGE(20), RIG_PAGE(21), PT_R), -EFAULT);
	EXPECT_EQ(space_protect(r.space, RIG_PAGE(1), RIG_PAGE(2), PT_R), 0);
	EXPECT_EQ(mirror_fault(r.m, RIG_PAGE(1), RIG_PAGE(2), RW), -EFAULT);
	EXPECT_EQ(mirror_fault(r.m, RIG_PAGE(1), RIG_PAGE(2), PT_R), 0);
	EXPECT_EQ(space_protect(r.space, RIG_PAGE(1), RIG_PAGE(2), 0), 0);
	EXPECT_EQ(mirror_fault(r.m, RIG_PAGE(1), RIG_PAGE(2), PT_R), -EFAULT);
	EXPECT_EQ(rig_rights(&r, RIG_PAGE(1)), 0u);
	EXPECT_EQ(mirror_fault(r.m, RIG_BASE + 1, RIG_PAGE(1), PT_R), -EINVAL);
	EXPECT_EQ(mirror_fault(r.m, RIG_BASE, RIG_BASE, PT_R), -EINVAL);
	rig_close(&r);
}

// Addresses beyond the table's width are refused as a whole, whatever the CPU can address.
TEST(mirror, range_is_limited_by_the_table)
{
	struct rig r;
	struct mirror *narrow;

	rig_open_written(&r, 1, 0);
	narrow = mirror_create(r.space, &vtd_mirror_format, 2, &r.dev.ops);
	REQUIRE(narrow);
	EXPECT_EQ(narrow->root.last, (1ull << 39) - 1);
	EXPECT_EQ(r.m->root.last, (1ull << 48) - 1);
	EXPECT_EQ(mirror_fault(narrow, RIG_BASE, RIG_PAGE(1), PT_R), -ERANGE);
	EXPECT_EQ(mirror_fault(narrow, (1ull << 39) - PAGES(1), (1ull << 39) + PAGES(1), PT_R),
		  -ERANGE);
	EXPECT_EQ(mirror_snapshot(narrow, RIG_BASE, RIG_PAGE(1)), -ERANGE);
	EXPECT_EQ(mirror_harvest(r.m, 1ull << 48, (1ull << 48) + PAGES(1)), -ERANGE);
	EXPECT_EQ(mirror_fault(r.m, 1ull << 48, (1ull << 48) + PAGES(1), PT_R), -ERANGE);
	rig_add_area(r.space, (1ull << 39) - PAGES(1), 2, 0);
	EXPECT_EQ(mirror_fault(narrow, (1ull << 39) - PAGES(1), 1ull << 39, PT_R), 0);
	/* An invalidation that reaches beyond it is cut to what it can have. */
	EXPECT_EQ(space_unmap(r.space, (1ull << 39) - PAGES(1), (1ull << 39) + PAGES(1)), 0);
	EXPECT_EQ(narrow->stats.dropped_leaves, 1u);
	EXPECT_EQ(narrow->stats.invalidate_count, 1u);
	EXPECT_EQ(space_unmap(r.space, RIG_BASE, RIG_PAGE(1)), 0);
	EXPECT_EQ(narrow->stats.invalidate_count, 1u);
	mirror_destroy(narrow);
	rig_close(&r);
}

// Unmapping drops the range and nothing else: one callback, one flush, however many pages.
TEST(mirror, unmap_is_one_flush)
{
	struct rig r;
	uint64_t value;

	rig_open_written(&r, 200, 0);
	EXPECT_EQ(mirror_fault(r.m, RIG_BASE, RIG_PAGE(200), RW), 0);
	EXPECT_EQ(space_unmap(r.space, RIG_PAGE(50), RIG_PAGE(150)), 0);
	EXPECT_EQ(r.m->stats.invalidate_count, 1u);
	EXPECT_EQ(r.m->stats.dropped_leaves, 100u);
	EXPECT_EQ(r.dev.flush_count, 1u);
	EXPECT_EQ(rig_leaves(&r, 0), 100u);
	EXPECT(!soft_device_access(&r.dev, RIG_PAGE(50), &value, 8, false));
	EXPECT(soft_device_reads(&r.dev, RIG_PAGE(49), 50));
	rig_close(&r);
}

// Invalidating what is not mirrored calls nobody; what is not mirrored any more is not flushed.
TEST(mirror, unmirrored_range_is_not_flushed)
{
	struct rig r;

	rig_open_written(&r, 20, 0);
	EXPECT_EQ(mirror_fault(r.m, RIG_BASE, RIG_PAGE(10), RW), 0);
	EXPECT_EQ(space_unmap(r.space, RIG_PAGE(10), RIG_PAGE(20)), 0);
	EXPECT_EQ(space_protect(r.space, RIG_BASE, RIG_PAGE(10), PT_R), 0);
	EXPECT_EQ(space_protect(r.space, RIG_BASE, RIG_PAGE(10), RW), 0);
	EXPECT_EQ(r.m->stats.invalidate_count, 2u);
	EXPECT_EQ(r.dev.flush_count, 1u);
	rig_close(&r);
}

// Protecting drops the range: the device's next write is refused, its next read served again.
TEST(mirror, protect_takes_the_right)
{
	struct rig r;

	rig_open_written(&r, 4, 0);
	EXPECT_EQ(soft_device_write(&r.dev, RIG_PAGE(1), 11), 0);
	EXPECT_EQ(space_protect(r.space, RIG_BASE, RIG_PAGE(4), PT_R), 0);
	EXPECT_EQ(soft_device_write(&r.dev, RIG_PAGE(1), 12), -EFAULT);
	EXPECT(soft_device_reads(&r.dev, RIG_PAGE(1), 11));
	EXPECT_EQ(rig_rights(&r, RIG_PAGE(1)), PT_R);
	rig_close(&r);
}

// A flush that is forgotten is seen: the device goes on reading the page that was replaced. (So
// the others can fail.)
TEST(mirror, a_forgotten_flush_shows)
{
	struct rig r;
	struct space *child;
	uint64_t value = 0;

	rig_open_written(&r, 2, 0);
	child = space_fork(r.space);
	REQUIRE(child);
	EXPECT(soft_device_reads(&r.dev, RIG_BASE, 1));
	r.dev.deaf = true;
	EXPECT(touch_write(r.space, RIG_BASE, 50));
	EXPECT_EQ(rig_rights(&r, RIG_BASE), 0u);
	EXPECT(soft_device_access(&r.dev, RIG_BASE, &value, 8, false));
	EXPECT_EQ(value, 1u); /* the child's page by now */
	r.dev.deaf = false;
	touch_done();
	space_destroy(child);
	rig_close(&r);
}

// Device write after fork, by the parent's device or the child's: copied, the other side unchanged.
TEST(mirror, anon_write_child)
{
	struct rig r, c;
	struct space *child;

	rig_open_written(&r, 4, 0);
	EXPECT_EQ(mirror_fault(r.m, RIG_BASE, RIG_PAGE(4), RW), 0);
	child = space_fork(r.space);
	REQUIRE(child);
	EXPECT_EQ(r.m->stats.invalidate_count, 1u);
	EXPECT_EQ(r.m->stats.dropped_leaves, 4u);
	EXPECT_EQ(r.dev.flush_count, 1u);
	rig_attach(&c, child, false);
	EXPECT_EQ(soft_device_write(&c.dev, RIG_PAGE(0), 100), 0);
	EXPECT_EQ(soft_device_write(&r.dev, RIG_PAGE(1), 200), 0);
	EXPECT(touch_reads(r.space, RIG_PAGE(0), 1));
	EXPECT(touch_reads(child, RIG_PAGE(0), 100));
	EXPECT(touch_reads(r.space, RIG_PAGE(1), 200));
	EXPECT(touch_reads(child, RIG_PAGE(1), 2));
	EXPECT(soft_device_reads(&r.dev, RIG_PAGE(2), 3));
	EXPECT(soft_device_reads(&c.dev, RIG_PAGE(2), 3));
	EXPECT_EQ(oracle_check(), 0u);
	rig_close(&c);
	rig_close(&r);
}

// Shared memory stays shared: a device write after fork is seen by both sides. A fork that copies
// tells of private areas only, so it drops nothing.
TEST(mirror, anon_write_child_shared)
{
	struct rig r;
	bool shares = fork_shares_tables;
	struct space *child;

	rig_open_written(&r, 2, AREA_SHARED);
	EXPECT_EQ(mirror_fault(r.m, RIG_BASE, RIG_PAGE(2), RW), 0);
	fork_shares_tables = false;
	child = space_fork(r.space);
	fork_shares_tables = shares;
	REQUIRE(child);
	EXPECT_EQ(r.m->stats.invalidate_count, 0u);
	EXPECT_EQ(soft_device_write(&r.dev, RIG_PAGE(1), 9), 0);
	EXPECT_EQ(r.dev.fault_count, 0u);
	EXPECT(touch_reads(child, RIG_PAGE(1), 9));
	EXPECT(touch_reads(r.space, RIG_PAGE(1), 9));
	touch_done();
	space_destroy(child);
	rig_close(&r);
}

// A CPU write that copies a page takes the device along: it reads the new page, never the old one.
TEST(mirror, cow_moves_the_device_along)
{
	struct rig r;
	struct space *child;

	rig_open_written(&r, 2, 0);
	child = space_fork(r.space);
	REQUIRE(child);
	EXPECT(soft_device_reads(&r.dev, RIG_BASE, 1));
	EXPECT(soft_device_reads(&r.dev, RIG_PAGE(1), 2));
	EXPECT(touch_write(r.space, RIG_BASE, 50));
	EXPECT_EQ(r.m->stats.invalidate_count, 1u); /* the copy; at the fork nothing was there */
	EXPECT_EQ(r.m->stats.dropped_leaves, 1u);
	EXPECT(soft_device_reads(&r.dev, RIG_BASE, 50));
	EXPECT_EQ(oracle_check(), 0u);
	touch_done();
	space_destroy(child);
	rig_close(&r);
}

// Two mirrors of one space see the same pages; each drops its own.
TEST(mirror, double_map)
{
	struct rig r, second;

	rig_open_written(&r, 4, 0);
	rig_attach(&second, r.space, false);
	EXPECT(soft_device_reads(&r.dev, RIG_PAGE(1), 2));
	EXPECT(soft_device_reads(&second.dev, RIG_PAGE(1), 2));
	EXPECT_EQ(soft_device_write(&second.dev, RIG_PAGE(2), 33), 0);
	EXPECT(soft_device_reads(&r.dev, RIG_PAGE(2), 33));
	EXPECT(pa_equal(mirror_translate(r.m, RIG_PAGE(1)).pa,
			mirror_translate(second.m, RIG_PAGE(1)).pa));
	EXPECT_EQ(space_unmap(r.space, RIG_PAGE(1), RIG_PAGE(2)), 0);
	EXPECT_EQ(r.dev.flush_count, 1u);
	EXPECT_EQ(second.dev.flush_count, 1u);
	rig_detach(&second);
	EXPECT_EQ(space_unmap(r.space, RIG_PAGE(2), RIG_PAGE(3)), 0);
	EXPECT_EQ(second.dev.flush_count, 2u); /* when it was taken down, and not again */
	rig_close(&r);
}

// A mirror keeps no reference on what it maps: a page has the edges that spaces give it, and no
// other.
TEST(mirror, no_reference_on_data)
{
	struct rig r, second;
	struct frame *f;

	rig_open_written(&r, 1, 0);
	rig_attach(&second, r.space, false);
	f = pa_to_frame(pt_translate(&r.space->root, RIG_BASE).pa);
	EXPECT_EQ(frame_edges(f), 1u);
	EXPECT_EQ(soft_device_write(&r.dev, RIG_BASE, 1), 0);
	EXPECT_EQ(soft_device_write(&second.dev, RIG_BASE, 2), 0);
	EXPECT_EQ(frame_edges(f), 1u);
	touch_done();
	EXPECT_EQ(space_unmap(r.space, RIG_BASE, RIG_PAGE(1)), 0);
	EXPECT_EQ(frame_edges(f), 0u);
	rig_detach(&second);
	rig_close(&r);
}

// The space may go first: its mirrors are emptied, and say so from then on.
TEST(mirror, release_at_exit)
{
	struct rig r;
	uint64_t value;

	rig_open_written(&r, 4, 0);
	EXPECT_EQ(mirror_fault(r.m, RIG_BASE, RIG_PAGE(4), RW), 0);
	touch_done();
	space_destroy(r.space);
	EXPECT_EQ(r.dev.flush_count, 1u);
	EXPECT_EQ(r.m->stats.dropped_leaves, 4u);
	EXPECT(!soft_device_access(&r.dev, RIG_BASE, &value, 8, false));
	EXPECT_EQ(mirror_fault(r.m, RIG_BASE, RIG_PAGE(1), PT_R), -ENOENT);
	EXPECT_EQ(mirror_snapshot(r.m, RIG_BASE, RIG_PAGE(1)), -ENOENT);
	EXPECT_EQ(rig_tables(&r), 1u);
	mirror_destroy(r.m);
}

// While a section is open in its range a mirror establishes nothing; elsewhere it does;
// afterwards it may.
TEST(mirror, open_section_blocks_only_its_range)
{
	struct rig r;
	struct notifier_section section;

	rig_open_written(&r, 8, 0);
	notifier_start(&r.space->notifier, &section, RIG_PAGE(2), RIG_PAGE(4), NOTIFY_UNMAP, true);
	EXPECT_EQ(mirror_fault(r.m, RIG_PAGE(3), RIG_PAGE(4), PT_R), -EAGAIN);
	EXPECT_EQ(mirror_fault(r.m, RIG_PAGE(0), RIG_PAGE(8), PT_R), -EAGAIN);
	EXPECT_EQ(mirror_fault(r.m, RIG_PAGE(4), RIG_PAGE(8), PT_R), 0);
	EXPECT_EQ(rig_rights(&r, RIG_PAGE(2)), 0u);
	EXPECT_EQ(r.m->stats.retry_count, 2u); /* it did not try for long */
	notifier_end(&r.space->notifier, &section);
	EXPECT_EQ(mirror_fault(r.m, RIG_PAGE(0), RIG_PAGE(8), PT_R), 0);
	EXPECT_EQ(rig_leaves(&r, 0), 8u);
	rig_close(&r);
}

// A mirror that is made while a section is open establishes nothing in it either.
TEST(mirror, made_inside_a_section)
{
	struct rig r, late;
	struct notifier_section section;

	rig_open_written(&r, 4, 0);
	notifier_start(&r.space->notifier, &section, RIG_PAGE(0), RIG_PAGE(2), NOTIFY_UNMAP, true);
	rig_attach(&late, r.space, false);
	EXPECT_EQ(mirror_fault(late.m, RIG_PAGE(0), RIG_PAGE(1), PT_R), -EAGAIN);
	EXPECT_EQ(mirror_fault(late.m, RIG_PAGE(2), RIG_PAGE(3), PT_R), 0);
	notifier_end(&r.space->notifier, &section);
	EXPECT_EQ(mirror_fault(late.m, RIG_PAGE(0), RIG_PAGE(1), PT_R), 0);
	rig_detach(&late);
	rig_close(&r);
}

// A device whose flush sleeps refuses an impatient caller, but only for what it has mapped.
TEST(mirror, a_sleeping_device_refuses)
{
	struct rig r;
	struct notifier_section section;
	struct notifier *n;

	rig_open_written(&r, 4, 0);
	n = &r.space->notifier;
	r.dev.ops.flush_sleeps = true;
	EXPECT_EQ(mirror_fault(r.m, RIG_PAGE(0), RIG_PAGE(2), PT_R), 0);
	EXPECT_EQ(notifier_start(n, &section, RIG_PAGE(1), RIG_PAGE(3), NOTIFY_MIGRATE, false),
		  -EAGAIN);
	EXPECT_EQ(rig_leaves(&r, 0), 2u);
	EXPECT_EQ(r.m->stats.refused_count, 1u);
	EXPECT_EQ(notifier_start(n, &section, RIG_PAGE(2), RIG_PAGE(4), NOTIFY_MIGRATE, false), 0);
	notifier_end(n, &section);
	EXPECT_EQ(notifier_start(n, &section, RIG_PAGE(1), RIG_PAGE(3), NOTIFY_MIGRATE, true), 0);
	notifier_end(n, &section);
	EXPECT_EQ(rig_leaves(&r, 0), 1u);
	rig_close(&r);
}

// Who forks, and who leaves a page of a fork for one of its own, waits for it.
TEST(mirror, a_sleeping_device_is_waited_for)
{
	for (unsigned shared = 0; shared < 2; shared++) {
		struct space *child;
		struct rig r;

		rig_open_written(&r, 2, 0);
		r.dev.ops.flush_sleeps = true;
		EXPECT_EQ(mirror_fault(r.m, RIG_PAGE(0), RIG_PAGE(2), RW), 0);
		child = fork_as(r.space, shared);
		REQUIRE(child);
		EXPECT_EQ(rig_leaves(&r, 0), 0u);
		EXPECT_EQ(mirror_fault(r.m, RIG_PAGE(0), RIG_PAGE(2), PT_R), 0);
		EXPECT(touch_write(r.space, RIG_PAGE(0), 77));
		EXPECT_EQ(rig_leaves(&r, 0), 1u);
		EXPECT(soft_device_reads(&r.dev, RIG_PAGE(0), 77));
		EXPECT_EQ(r.m->stats.refused_count, 0u);
		touch_done();
		space_destroy(child);
		rig_close(&r);
	}
}

// Rights come from the whole path: W that a table above the leaf withholds is not given to the
// device.
TEST(mirror, effective_rights)
{
	struct rig r;
	ptp_t p;
	ptv_t v;

	rig_open_written(&r, 2, 0);
	touch_done();
	p = pt_top(&r.space->root, RIG_BASE);
	v = ptp_get(p);
	ptp_exchange(p, ptv_write_protect(v));
	EXPECT_EQ(mirror_snapshot(r.m, RIG_BASE, RIG_PAGE(2)), 0);
	EXPECT_EQ(rig_rights(&r, RIG_BASE), PT_R);
	EXPECT_EQ(oracle_check(), 0u);
	ptp_exchange(p, v);
	EXPECT_EQ(mirror_fault(r.m, RIG_BASE, RIG_PAGE(1), RW), 0);
	EXPECT_EQ(rig_rights(&r, RIG_BASE), RW);
	EXPECT_EQ(r.m->stats.upgraded_leaves, 1u);
	EXPECT_EQ(r.m->stats.flush_count, 1u); /* the device may remember that it had no W */
	rig_close(&r);
}
