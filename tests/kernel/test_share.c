/*
 * Shared tables: what is shared, how much is copied when, and that nobody sees another's writes.
 */
#include <mm/copy.h>
#include <mm/fault.h>
#include <mm/share.h>
#include <mm/swap.h>
#include <tests/kernel/oracle.h>
#include <tests/kernel/test.h>
#include <tests/kernel/touch.h>

#define BASE 0x20000000000ull
#define PAGES(n) ((n)*PAGE_SIZE)

static struct share_stats before;

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

/* Fork with shared tables, whatever the run's strategy. */
static struct space *fork_shared(struct space *s)
{
	bool shares = fork_shares_tables;
	struct space *child;

	fork_shares_tables = true;
	before = share_stats;
	child = space_fork(s);
	fork_shares_tables = shares;
	EXPECT(child);
	EXPECT_EQ(oracle_check(), 0u);
	return child;
}

static void destroy_both(struct space *a, struct space *b)
{
	touch_done();
	space_destroy(a);
	EXPECT_EQ(oracle_check(), 0u);
	space_destroy(b);
}

// Forking a whole space shares one table at the root's entry, and counts no page.
TEST(share, fork_shares_at_the_root)
{
	struct space *parent = parent_of(600, 0), *child = fork_shared(parent);

	EXPECT_EQ(share_stats.shared - before.shared, 1ull);
	EXPECT_EQ(frame_edges(pa_to_frame(pt_translate(&child->root, BASE).pa)), 1u);
	for (unsigned i = 0; i < 600; i += 7)
		EXPECT(touch_reads(child, BASE + PAGES(i), i + 1));
	EXPECT_EQ(space_mapped(child, MAPPED_ANON), 600);
	EXPECT(!(pt_translate(&child->root, BASE).attr & PT_W));
	EXPECT(!(pt_translate(&parent->root, BASE).attr & PT_W));
	EXPECT_EQ(share_stats.copied, before.copied);
	destroy_both(parent, child);
}

// The first write copies one table a level and one page; the next in the same table one page only.
TEST(share, write_unshares_one_table_a_level)
{
	struct space *parent = parent_of(600, 0), *child = fork_shared(parent);
	unsigned below_root = parent->root.top.level;

	EXPECT(touch_write(child, BASE + PAGES(3), 1000));
	EXPECT_EQ(share_stats.copied - before.copied, (uint64_t)below_root);
	EXPECT_EQ(oracle_check(), 0u);
	EXPECT(touch_write(child, BASE + PAGES(4), 1001));
	EXPECT_EQ(share_stats.copied - before.copied, (uint64_t)below_root);
	EXPECT(touch_reads(parent, BASE + PAGES(3), 4));
	EXPECT(touch_reads(child, BASE + PAGES(3), 1000));
	EXPECT(touch_reads(child, BASE + PAGES(5), 6));
	EXPECT(touch_write(parent, BASE + PAGES(5),
			   2000)); /* its tables are its own by now, level 0's too */
	EXPECT_EQ(share_stats.copied - before.copied, (uint64_t)below_root);
	EXPECT(touch_reads(child, BASE + PAGES(5), 6));
	EXPECT_EQ(space_fault_count(child, FAULT_COPIED), 2ull);
	EXPECT_EQ(oracle_check(), 0u);
	destroy_both(child, parent);
}

// A cut at a table's border is above that table: what stays behind the border stays shared.
TEST(share, cut_at_a_border_copies_only_what_is_above)
{
	struct space *parent = parent_of(2 * 512, 0), *child = fork_shared(parent);

	EXPECT_EQ(space_unmap(parent, BASE, BASE + PAGES(512)), 0);
	EXPECT_EQ(share_stats.copied - before.copied, parent->root.top.level - 1ull);
	EXPECT_EQ(oracle_check(), 0u);
	EXPECT_EQ(space_mapped(parent, MAPPED_ANON), 512);
	EXPECT(touch_reads(parent, BASE + PAGES(512), 513));
	EXPECT(touch_reads(child, BASE, 1));
	destroy_both(parent, child);
}

// When the other side is gone tables and pages are taken back, not copied.
TEST(share, last_owner_takes_back)
{
	struct space *parent = parent_of(4, 0), *child = fork_shared(parent);
	pa_t pa = pt_translate(&parent->root, BASE).pa;

	touch_done();
	space_destroy(child);
	EXPECT_EQ(share_stats.dropped - before.dropped, 1ull);
	EXPECT(touch_write(parent, BASE, 9));
	EXPECT_EQ(share_stats.copied, before.copied);
	EXPECT(share_stats.reused > before.reused);
	EXPECT_EQ(pt_translate(&parent->root, BASE).pa.value, pa.value);
	EXPECT_EQ(space_fault_count(parent, FAULT_COPIED), 0ull);
	EXPECT_EQ(oracle_check(), 0u);
	touch_done();
	space_destroy(parent);
}

// A leaf that kept W in a shared table does not become writable again for pages that are shared by
// then.
TEST(share, no_stale_w_comes_back)
{
	struct space *a = parent_of(2, 0), *b = fork_shared(a);

	EXPECT(touch_write(a, BASE + PAGES(1), 20)); /* a leaves the bottom table to b */
	EXPECT(touch_write(b, BASE + PAGES(1),
			   30)); /* b takes the table back; page 0 has two edges */
	EXPECT(!touch_write_raw(b, BASE, 40));
	EXPECT(touch_write(b, BASE, 41));
	EXPECT(touch_reads(a, BASE, 1));
	EXPECT_EQ(oracle_check(), 0u);
	destroy_both(b, a);
}

// Memory that must stay writable or must not be inherited beside private memory: never
// write-protected, never seen.
TEST(share, mixed_areas_in_one_table)
{
	struct space *parent = parent_of(4, 0), *child;

	add(parent, BASE + PAGES(8), 2, AREA_SHARED);
	add(parent, BASE + PAGES(16), 2, AREA_NOFORK);
	add(parent, BASE + PAGES(512 * 3), 512, 0);
	REQUIRE(touch_write(parent, BASE + PAGES(8), 80));
	REQUIRE(touch_write(parent, BASE + PAGES(16), 160));
	REQUIRE(touch_write(parent, BASE + PAGES(512 * 3), 500));
	child = fork_shared(parent);
	EXPECT_EQ(share_stats.shared - before.shared, 1ull); /* the bottom table of the last area */
	EXPECT(touch_write_raw(child, BASE + PAGES(8), 81));
	EXPECT(touch_reads(parent, BASE + PAGES(8), 81));
	EXPECT(touch_write_raw(parent, BASE + PAGES(8), 82));
	EXPECT(touch_write_raw(parent, BASE + PAGES(16), 161));
	EXPECT(!touch_write(child, BASE + PAGES(16), 0));
	EXPECT(touch_reads(child, BASE, 1));
	EXPECT(touch_write(child, BASE + PAGES(512 * 3), 501));
	EXPECT(touch_reads(parent, BASE + PAGES(512 * 3), 500));
	EXPECT_EQ(oracle_check(), 0u);
	destroy_both(parent, child);
}

// copy_page_range of one area alone shares what is that area's, whatever lies beside it.
TEST(share, one_area_alone)
{
	struct space *parent = parent_of(512 * 4 + 100, 0), *child = space_create_related(parent);
	struct area *area = space_find_area(parent, BASE);
	bool shares = fork_shares_tables;
	struct area *clone;

	REQUIRE_EQ(space_clone_area(child, area, &clone), 0);
	add(parent, BASE + PAGES(512 * 4 + 200), 1, 0);
	REQUIRE(touch_write(parent, BASE + PAGES(512 * 4 + 200), 7));
	fork_shares_tables = true;
	before = share_stats;
	EXPECT_EQ(copy_page_range(child, parent, area), 0);
	fork_shares_tables = shares;
	EXPECT_EQ(share_stats.shared - before.shared, 4ull);
	EXPECT_EQ(space_mapped(child, MAPPED_ANON), 512 * 4 + 100);
	EXPECT(touch_reads(child, BASE + PAGES(512 * 4 + 99), 512 * 4 + 100));
	EXPECT(!touch_write(child, BASE + PAGES(512 * 4 + 200), 1));
	EXPECT_EQ(oracle_check(), 0u);
	destroy_both(parent, child);
}

/* `count` regions of two tables each, with a private area and a shared one in either. */
static struct space *parent_of_regions(unsigned count)
{
	struct space *s = space_create();

	for (unsigned i = 0; i < count; i++) {
		va_t va = BASE + i * pt_size(1) * 2;

		add(s, va, 600, 0);
		add(s, va + PAGES(600), 1, AREA_SHARED);
		EXPECT(touch_write(s, va, 3 * i + 1));
		EXPECT(touch_write(s, va + PAGES(599), 3 * i + 2));
		EXPECT(touch_write(s, va + PAGES(600), 3 * i + 3));
	}
	return s;
}

// However many ranges cannot be shared, few enough to be remembered or not, nothing is missed.
TEST(share, every_rest_is_copied)
{
	for (unsigned count = SHARE_REST_MAX - 1; count <= SHARE_REST_MAX + 2; count++) {
		struct space *parent = parent_of_regions(count), *child = fork_shared(parent);

		REQUIRE(child);
		EXPECT_EQ(share_stats.shared - before.shared, count);
		for (unsigned i = 0; i < count; i++) {
			va_t va = BASE + i * pt_size(1) * 2;

			EXPECT(touch_reads(child, va, 3 * i + 1));
			EXPECT(touch_reads(child, va + PAGES(599), 3 * i + 2));
			EXPECT(touch_write(child, va + PAGES(599), 100));
			EXPECT(touch_write_raw(child, va + PAGES(600), 200));
			EXPECT(touch_reads(parent, va + PAGES(599), 3 * i + 2));
			EXPECT(touch_reads(parent, va + PAGES(600), 200));
		}
		destroy_both(parent, child);
	}
}

// Huge pages whose table cannot be shared, because of a neighbour in it, are copied.
TEST(share, huge_pages_beside_shared_memory)
{
	struct space *parent = space_create(), *child;

	add(parent, BASE, 1024, AREA_HUGE);
	add(parent, BASE + PAGES(1024), 1, AREA_SHARED);
	for (unsigned i = 0; i < 1025; i += 512)
		EXPECT(touch_write(parent, BASE + PAGES(i), i + 1));
	child = fork_shared(parent);
	REQUIRE(child);
	for (unsigned i = 0; i < 1025; i += 512)
		EXPECT(touch_reads(child, BASE + PAGES(i), i + 1));
	EXPECT(touch_write(child, BASE, 7));
	EXPECT(touch_reads(parent, BASE, 1));
	EXPECT_EQ(oracle_check(), 0u);
	destroy_both(parent, child);
}

// Unmapping and protecting a part on one side changes nothing on the other.
TEST(share, unmap_and_protect_are_private)
{
	struct space *parent = parent_of(1100, 0), *child = fork_shared(parent);
	uint64_t value;

	EXPECT_EQ(space_unmap(child, BASE + PAGES(5), BASE + PAGES(600)), 0);
	EXPECT_EQ(oracle_check(), 0u);
	EXPECT_EQ(space_protect(child, BASE + PAGES(700), BASE + PAGES(800), PT_R), 0);
	EXPECT_EQ(oracle_check(), 0u);
	EXPECT(!touch_read(child, BASE + PAGES(5), &value));
	EXPECT(!touch_write(child, BASE + PAGES(700), 1));
	EXPECT(touch_reads(parent, BASE + PAGES(5), 6));
	EXPECT(touch_write(parent, BASE + PAGES(700), 701));
	EXPECT_EQ(space_mapped(child, MAPPED_ANON), 1100 - 595);
	EXPECT_EQ(space_mapped(parent, MAPPED_ANON), 1100);
	EXPECT(touch_reads(child, BASE + PAGES(1099), 1100));
	destroy_both(parent, child);
}

// Unmapping everything, as an exec does, lets go of the shared table without looking into it.
TEST(share, unmap_of_all_drops_one_edge)
{
	struct space *parent = parent_of(600, 0), *child = fork_shared(parent);

	EXPECT_EQ(space_unmap(child, USER_FIRST, child->root.last + 1 - PAGES(1)), 0);
	EXPECT_EQ(share_stats.dropped - before.dropped, 1ull);
	EXPECT_EQ(share_stats.copied, before.copied);
	EXPECT_EQ(space_mapped(child, MAPPED_ANON), 0);
	EXPECT(touch_write(parent, BASE, 1));
	EXPECT_EQ(oracle_check(), 0u);
	destroy_both(parent, child);
}

// Huge pages under a shared table stay huge until written, and then one is copied.
TEST(share, huge_pages)
{
	struct space *parent = parent_of(1024, AREA_HUGE), *child = fork_shared(parent);

	EXPECT(touch_write(child, BASE + PAGES(5), 500));
	EXPECT_EQ(pt_translate(&child->root, BASE).level, 1u);
	EXPECT(touch_reads(child, BASE + PAGES(6), 7));
	EXPECT(touch_reads(parent, BASE + PAGES(5), 6));
	EXPECT_EQ(oracle_check(), 0u);
	EXPECT_EQ(space_unmap(parent, BASE + PAGES(512), BASE + PAGES(513)), 0);
	EXPECT(touch_reads(child, BASE + PAGES(512), 513));
	EXPECT_EQ(oracle_check(), 0u);
	destroy_both(child, parent);
}

// Three generations on one tree: each write is its writer's own; they may end in any order.
TEST(share, generations)
{
	struct space *s[4] = { parent_of(520, 0) };

	for (unsigned i = 1; i < 4; i++)
		s[i] = fork_shared(s[i / 2]);
	for (unsigned i = 0; i < 4; i++)
		EXPECT(touch_write(s[i], BASE + PAGES(i), 100 + i));
	EXPECT_EQ(oracle_check(), 0u);
	for (unsigned i = 0; i < 4; i++) {
		for (unsigned j = 0; j < 4; j++)
			EXPECT(touch_reads(s[i], BASE + PAGES(j), i == j ? 100 + i : j + 1));
	}
	touch_done();
	space_destroy(s[0]);
	EXPECT_EQ(oracle_check(), 0u);
	space_destroy(s[3]);
	EXPECT_EQ(oracle_check(), 0u);
	EXPECT(touch_reads(s[2], BASE + PAGES(519), 520));
	destroy_both(s[2], s[1]);
}

// Soft entries below a shared table come back on either side; running out of count room is no
// failure.
TEST(share, soft_entries)
{
	struct space *parent = parent_of(2, 0), *child[6] = { NULL };
	swap_slot_t slot;
	ptv_t v;
	ptp_t p = pt_find(&parent->root, BASE, &v);
	struct frame *f = pa_to_frame(ptv_pa(v));

	touch_done();
	REQUIRE_EQ(swap_init(4), 0);
	REQUIRE_EQ(swap_alloc(&slot), 0);
	swap_write(slot, f);
	ptp_change(p, ptv_make_soft(slot, 0));
	arch_tlb_flush_page(BASE);
	frame_put(f);
	area_account(space_find_area(parent, BASE), MAPPED_ANON, -1);
	area_account(space_find_area(parent, BASE), MAPPED_SWAP, 1);
	for (unsigned i = 0; i < ARRAY_SIZE(child); i++) {
		child[i] = fork_shared(parent);
		EXPECT(touch_write(child[i], BASE + PAGES(1),
				   i)); /* copies the bottom table: one count more */
	}
	EXPECT_EQ(swap_count(slot), ARRAY_SIZE(child) + 1);
	EXPECT_EQ(oracle_check(), 0u);
	for (unsigned i = 0; i < ARRAY_SIZE(child); i++)
		EXPECT(touch_reads(child[i], BASE, 1));
	EXPECT(touch_reads(parent, BASE, 1));
	EXPECT_EQ(swap_used(), 0ull);
	EXPECT_EQ(oracle_check(), 0u);
	touch_done();
	for (unsigned i = 0; i < ARRAY_SIZE(child); i++)
		space_destroy(child[i]);
	space_destroy(parent);
	swap_fini();
}

// Every allocation of a write after a shared fork fails once in turn: the writer sees what it saw,
// and the other side too; the next try works.
TEST(share, unshare_fails_cleanly_at_every_allocation)
{
	struct space *parent = parent_of(600, 0), *child = fork_shared(parent);
	uint64_t failed_count = 0;
	int err = -ENOMEM;

	while (err) {
		frame_fail_after(0, 1);
		err = space_fault(child, BASE, PT_W);
		frame_fail_after(0, 0);
		EXPECT_EQ(err, -ENOMEM);
		EXPECT_EQ(oracle_check(), 0u);
		EXPECT(touch_reads(child, BASE, 1));
		EXPECT(touch_reads(parent, BASE, 1));
		frame_fail_after(1, 1); /* let it come one allocation further */
		err = space_fault(child, BASE, PT_W);
		frame_fail_after(0, 0);
		failed_count++;
		EXPECT_EQ(oracle_check(), 0u);
	}
	EXPECT_EQ(failed_count, (uint64_t)parent->root.top.level + 1);
	EXPECT(touch_write(child, BASE, 2));
	EXPECT(touch_reads(parent, BASE, 1));
	test_note("%lu allocations failed in turn", failed_count);
	destroy_both(parent, child);
}

// Every allocation of a fork of mixed areas fails once in turn; nothing leaks, the parent is
// unharmed.
TEST(share, fork_fails_cleanly_at_every_allocation)
{
	struct space *parent = parent_of(600, 0), *child = NULL;
	bool shares = fork_shares_tables;
	uint64_t failed_count = 0, free_before;

	add(parent, BASE + PAGES(700), 2, AREA_SHARED);
	add(parent, BASE + PAGES(800), 2, AREA_NOFORK);
	REQUIRE(touch_write(parent, BASE + PAGES(700), 1));
	touch_done();
	free_before = frame_free_count();
	fork_shares_tables = true;
	for (;; failed_count++) {
		frame_fail_after(failed_count, 1);
		child = space_fork(parent);
		frame_fail_after(0, 0);
		if (child)
			break;
		EXPECT_EQ(frame_free_count(), free_before);
		EXPECT_EQ(oracle_check(), 0u);
		EXPECT(touch_write(parent, BASE + PAGES(599), failed_count));
		touch_done();
	}
	fork_shares_tables = shares;
	EXPECT_LE(parent->root.top.level + 1, failed_count);
	EXPECT(touch_reads(child, BASE, 1));
	test_note("%lu allocations failed in turn", failed_count);
	destroy_both(child, parent);
}
