/*
 * Fork by copy_page_range: what parent and child see, on the MMU, whatever fails on the way.
 */
#include <mm/copy.h>
#include <mm/fault.h>
#include <mm/share.h>
#include <tests/kernel/fork_as.h>
#include <tests/kernel/oracle.h>
#include <tests/kernel/test.h>
#include <tests/kernel/touch.h>

#define BASE 0x10000000000ull
#define PAGES(n) ((n)*PAGE_SIZE)

static void add(struct space *s, va_t start, uint64_t pages, unsigned flags)
{
	struct area_spec spec = {
		start, start + PAGES(pages), AREA_ANON, flags, PT_R | PT_W, NULL, 0, PA(0)
	};

	EXPECT_EQ(space_add_area(s, &spec), 0);
}

static struct space *parent_of(uint64_t pages, unsigned flags)
{
	struct space *s = space_create();

	add(s, BASE, pages, flags);
	for (uint64_t i = 0; i < pages; i++)
		EXPECT(touch_write(s, BASE + PAGES(i), i + 1));
	return s;
}

static void destroy_both(struct space *a, struct space *b)
{
	touch_done();
	space_destroy(a);
	space_destroy(b);
}

// After a fork both read what the parent wrote, and neither sees what the other writes then.
TEST(copy, private_memory_is_copied_on_write)
{
	struct space *parent = parent_of(3, 0), *child = space_fork(parent);

	REQUIRE(child);
	EXPECT_EQ(oracle_check(), 0u);
	for (unsigned i = 0; i < 3; i++) {
		EXPECT(touch_reads(parent, BASE + PAGES(i), i + 1));
		EXPECT(touch_reads(child, BASE + PAGES(i), i + 1));
	}
	EXPECT(touch_write(parent, BASE, 100));
	EXPECT(touch_reads(child, BASE, 1));
	EXPECT(touch_write(child, BASE + PAGES(1), 200));
	EXPECT(touch_reads(parent, BASE + PAGES(1), 2));
	EXPECT(touch_reads(parent, BASE, 100));
	EXPECT(touch_reads(child, BASE + PAGES(1), 200));
	EXPECT_EQ(space_fault_count(parent, FAULT_COPIED), 1ull);
	EXPECT_EQ(space_fault_count(child, FAULT_COPIED), 1ull);
	EXPECT_EQ(oracle_check(), 0u);
	destroy_both(parent, child);
}

// The parent's stale writable TLB entry is gone when fork returns: its next write faults.
TEST(copy, parent_is_flushed)
{
	struct space *parent = parent_of(2, 0), *child;

	REQUIRE(touch_write_raw(parent, BASE, 5)); /* the entry is in the TLB, writable */
	child = space_fork(parent);
	REQUIRE(child);
	EXPECT(!touch_write_raw(parent, BASE, 6));
	EXPECT(touch_reads(child, BASE, 5));
	destroy_both(parent, child);
}

// The second writer of a page is its last owner: it keeps the page and copies nothing.
TEST(copy, last_owner_reuses)
{
	struct space *parent = parent_of(1, 0), *child = space_fork(parent);
	pa_t pa = pt_translate(&parent->root, BASE).pa;

	REQUIRE(child);
	EXPECT(touch_write(child, BASE, 9));
	EXPECT(touch_write(parent, BASE, 10));
	EXPECT_EQ(pt_translate(&parent->root, BASE).pa.value, pa.value);
	EXPECT_EQ(space_fault_count(parent, FAULT_REUSED), 1ull);
	EXPECT_EQ(space_fault_count(parent, FAULT_COPIED), 0ull);
	destroy_both(parent, child);
}

// A fork of a fork keeps copy-on-write among all three (nanvix#2512).
TEST(copy, fork_of_a_fork)
{
	struct space *a = parent_of(2, 0), *b = space_fork(a), *c = b ? space_fork(b) : NULL;

	REQUIRE(c);
	EXPECT_EQ(oracle_check(), 0u);
	EXPECT(touch_write(b, BASE, 20));
	EXPECT(touch_write(a, BASE, 10));
	EXPECT(touch_reads(c, BASE, 1));
	EXPECT(touch_write(c, BASE, 30));
	EXPECT(touch_reads(a, BASE, 10));
	EXPECT(touch_reads(b, BASE, 20));
	EXPECT(touch_reads(c, BASE + PAGES(1), 2));
	EXPECT_EQ(oracle_check(), 0u);
	touch_done();
	space_destroy(b);
	EXPECT_EQ(oracle_check(), 0u);
	destroy_both(a, c);
}

// The kernel's own write to a copy-on-write page copies it, too (MentOS#397, duckOS#61: CR0.WP).
TEST(copy, kernel_write_copies)
{
	struct space *parent = parent_of(1, 0), *child = space_fork(parent);

	REQUIRE(child);
	EXPECT(!touch_write_raw(child, BASE, 1)); /* a supervisor write, refused by WP */
	EXPECT(touch_write(child, BASE, 77));
	EXPECT(touch_reads(parent, BASE, 1));
	destroy_both(parent, child);
}

// Shared memory stays shared and writable, without a fault; areas that are not inherited are
// absent.
TEST(copy, shared_and_not_inherited)
{
	struct space *parent = space_create(), *child;

	add(parent, BASE, 1, AREA_SHARED);
	add(parent, BASE + PAGES(8), 1, AREA_NOFORK);
	REQUIRE(touch_write(parent, BASE, 1));
	REQUIRE(touch_write(parent, BASE + PAGES(8), 1));
	child = space_fork(parent);
	REQUIRE(child);
	EXPECT(touch_write_raw(child, BASE, 2));
	EXPECT(touch_reads(parent, BASE, 2));
	EXPECT(!touch_write(child, BASE + PAGES(8), 2));
	EXPECT_EQ(oracle_check(), 0u);
	destroy_both(parent, child);
}

// The child's pages are old, dirty as before if private, clean if shared; the zero page stays one.
TEST(copy, age_and_dirt)
{
	struct space *parent = parent_of(1, 0), *child;
	uint64_t value;

	add(parent, BASE + PAGES(4), 1, AREA_SHARED);
	add(parent, BASE + PAGES(8), 1, 0);
	REQUIRE(touch_write(parent, BASE + PAGES(4), 1));
	REQUIRE(touch_read(parent, BASE + PAGES(8), &value));
	child = space_fork(parent);
	REQUIRE(child);
	EXPECT_EQ(pt_translate(&child->root, BASE).attr & (PT_YOUNG | PT_DIRTY), PT_DIRTY);
	EXPECT_EQ(pt_translate(&child->root, BASE + PAGES(4)).attr & (PT_YOUNG | PT_DIRTY), 0u);
	EXPECT_EQ(pt_translate(&child->root, BASE + PAGES(8)).pa.value, zero_page.value);
	EXPECT_EQ(space_mapped(child, MAPPED_ZERO), 1);
	destroy_both(parent, child);
}

// Huge pages are copied as huge; a write copies all of it, or one small page when memory is short.
TEST(copy, huge_pages)
{
	struct space *parent = parent_of(1024, AREA_HUGE), *child = space_fork(parent);

	REQUIRE(child);
	EXPECT_EQ(pt_translate(&child->root, BASE).level, 1u);
	EXPECT_EQ(oracle_check(), 0u);
	EXPECT(touch_write(child, BASE + PAGES(5), 500));
	EXPECT_EQ(pt_translate(&child->root, BASE).level, 1u);
	EXPECT(touch_reads(child, BASE + PAGES(6), 7));
	EXPECT(touch_reads(parent, BASE + PAGES(5), 6));
	frame_fail_after(0, 1); /* no huge block */
	EXPECT(touch_write(child, BASE + PAGES(512 + 5), 600));
	frame_fail_after(0, 0);
	EXPECT_EQ(pt_translate(&child->root, BASE + PAGES(512 + 5)).level, 0u);
	EXPECT(touch_reads(child, BASE + PAGES(512 + 6), 512 + 7));
	EXPECT(touch_reads(parent, BASE + PAGES(512 + 5), 512 + 6));
	EXPECT_EQ(pt_translate(&parent->root, BASE + PAGES(512 + 5)).level, 1u);
	EXPECT_EQ(oracle_check(), 0u);
	EXPECT(touch_write(parent, BASE + PAGES(512 + 9), 700));
	EXPECT(touch_reads(child, BASE + PAGES(512 + 9), 512 + 10));
	EXPECT_EQ(oracle_check(), 0u);
	destroy_both(parent, child);
}

// Broken off at every bottom table and taken up again, the copy is the same (the seed's moved
// pointers).
TEST(copy, lock_breaks)
{
	struct space *parent = space_create(), *child;
	uint64_t breaks = copy_break_count;
	bool shares = fork_shares_tables;
	const unsigned regions = 9;

	add(parent, BASE, regions * 512, 0);
	for (unsigned i = 0; i < regions; i++) {
		EXPECT(touch_write(parent, BASE + PAGES(i * 512 + i), i));
		EXPECT(touch_write(parent, BASE + PAGES(i * 512 + 511), i + 100));
	}
	fork_shares_tables = false;
	copy_break_interval = 1;
	child = space_fork(parent);
	copy_break_interval = 0;
	fork_shares_tables = shares;
	REQUIRE(child);
	EXPECT_EQ(copy_break_count - breaks, regions - 1);
	for (unsigned i = 0; i < regions; i++) {
		EXPECT(touch_reads(child, BASE + PAGES(i * 512 + i), i));
		EXPECT(touch_reads(child, BASE + PAGES(i * 512 + 511), i + 100));
	}
	EXPECT_EQ(space_mapped(child, MAPPED_ANON), 2 * (int64_t)regions);
	EXPECT_EQ(oracle_check(), 0u);
	destroy_both(parent, child);
}

// Every allocation of a fork fails once in turn: it says so (and does not loop for ever, as the
// seed does), nothing is left of the child, the parent is as it was, and the next try works.
TEST(copy, every_allocation_fails_once)
{
	struct space *parent = parent_of(3, 0), *child = NULL;
	uint64_t failed_count = 0, free_before;

	add(parent, BASE + (1ull << 39), 2, 0);
	add(parent, BASE + (1ull << 30), 512, AREA_HUGE);
	REQUIRE(touch_write(parent, BASE + (1ull << 39), 50));
	REQUIRE(touch_write(parent, BASE + (1ull << 30), 60));
	touch_done();
	free_before = frame_free_count();
	for (; !child; failed_count++) {
		frame_fail_after(failed_count, 1);
		child = space_fork(parent);
		frame_fail_after(0, 0);
		if (child)
			break;
		EXPECT_EQ(frame_free_count(), free_before);
		EXPECT_EQ(oracle_check(), 0u);
		EXPECT(touch_write(parent, BASE, 1000 + failed_count));
		EXPECT(touch_reads(parent, BASE + PAGES(2), 3));
		touch_done();
	}
	EXPECT_LE(fork_shares_tables ? 1u : 6u, failed_count);
	EXPECT(touch_reads(child, BASE + (1ull << 39), 50));
	EXPECT(touch_reads(child, BASE + (1ull << 30), 60));
	EXPECT_EQ(oracle_check(), 0u);
	test_note("%lu allocations failed in turn", failed_count);
	destroy_both(parent, child);
}

// Subscribers of the parent see one section for each private area, none for shared ones.
TEST(copy, notifies_once_an_area)
{
	struct space *parent = parent_of(3, 0), *child;

	add(parent, BASE + PAGES(8), 1, AREA_SHARED);
	child = space_fork(parent);
	REQUIRE(child);
	EXPECT_EQ(parent->notifier.sequence, 1ull);
	EXPECT(!notifier_is_open(&parent->notifier, 0, 0));
	destroy_both(parent, child);
}

// A bad entry in the source is reported and dropped, and the rest is copied.
TEST(copy, bad_entry_is_contained)
{
	struct space *parent = parent_of(2, 0), *child;
	uint64_t bad = pt_bad_count;
	ptv_t v;
	ptp_t p = pt_find(&parent->root, BASE, &v);
	ptv_t nonsense = ptv_make_leaf(PA(pt_pa_limit()), PT_R, 0);
	struct frame *lost = pa_to_frame(ptv_pa(v));

	touch_done();
	ptp_change(p, nonsense);
	child = fork_eagerly(parent);
	REQUIRE(child);
	EXPECT_EQ(pt_bad_count, bad + 1);
	EXPECT(touch_reads(child, BASE + PAGES(1), 2));
	EXPECT(touch_reads(child, BASE, 0));
	touch_done();
	frame_put(lost); /* what the entry pointed to is lost; here the test knows it */
	area_account(space_find_area(parent, BASE), MAPPED_ANON, -1);
	area_account(space_find_area(child, BASE), MAPPED_ANON, -1);
	EXPECT_EQ(oracle_check(), 0u);
	destroy_both(parent, child);
}
