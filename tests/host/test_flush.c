/*
 * What a batch flushes, to the page, and when it lets frames go: by the counts of all flushes, and
 * by what the fake machine's TLB was told.
 */
#include <lib/string.h>
#include <mm/copy.h>
#include <mm/fault.h>
#include <mm/flush.h>
#include <mm/reclaim.h>
#include <mm/share.h>
#include <tests/host/host_tlb.h>
#include <tests/kernel/fork_as.h>
#include <tests/kernel/page_room.h>
#include <tests/kernel/test.h>
#include <tests/kernel/touch.h>

#define PAGES(n) ((n)*PAGE_SIZE)
#define VA 0x7000000000ull

static struct flush_stats stats;
static struct host_flushes told;

static void note(void)
{
	stats = flush_stats;
	told = host_flushes;
}

/* Since note(): so many batches flushed, so many of them everything, and so many pages. */
static bool flushed(uint64_t rounds, uint64_t full, uint64_t pages)
{
	return EXPECT_EQ(flush_stats.rounds - stats.rounds, rounds) &&
	       EXPECT_EQ(flush_stats.full - stats.full, full) &&
	       EXPECT_EQ(flush_stats.ranges - stats.ranges, rounds - full) &&
	       EXPECT_EQ(flush_stats.pages - stats.pages, pages);
}

/* And so was this CPU's TLB, the pages being [first, last] with nothing between left out. */
static bool was_told(uint64_t all, uint64_t pages, va_t first, va_t last)
{
	return EXPECT_EQ(host_flushes.all - told.all, all) &&
	       EXPECT_EQ(host_flushes.pages - told.pages, pages) &&
	       (!pages ||
		(EXPECT_EQ(host_flushes.lowest, first) && EXPECT_EQ(host_flushes.highest, last)));
}

static void flush_range(struct space *s, va_t start, va_t last, unsigned level)
{
	FLUSH_BATCH(b);

	flush_begin(&b, s);
	note();
	host_flushes.lowest = ~0ull;
	host_flushes.highest = 0;
	flush_add_range(&b, start, last, level);
	flush_end(&b);
}

// The kernel's translations are flushed page by page up to the limit, and all at once beyond.
TEST(flush, a_few_pages_or_all)
{
	flush_range(NULL, VA, VA + PAGE_SIZE - 1, 0);
	EXPECT(flushed(1, 0, 1) && was_told(0, 1, VA, VA));
	flush_range(NULL, VA, VA + PAGES(FLUSH_PAGES_MAX) - 1, 0);
	EXPECT(flushed(1, 0, FLUSH_PAGES_MAX));
	EXPECT(was_told(0, FLUSH_PAGES_MAX, VA, VA + PAGES(FLUSH_PAGES_MAX - 1)));
	flush_range(NULL, VA, VA + PAGES(FLUSH_PAGES_MAX + 1) - 1, 0);
	EXPECT(flushed(1, 1, 0) && was_told(1, 0, 0, 0));
	flush_range(NULL, VA, VA + 2 * pt_size(1) - 1, 1);
	EXPECT(flushed(1, 0, 2) && was_told(0, 2, VA, VA + pt_size(1)));
}

// Ranges add up to one that holds them all, in steps of the smallest leaf; then it begins anew.
TEST(flush, ranges_add_up)
{
	FLUSH_BATCH(b);

	flush_begin(&b, NULL);
	note();
	flush_now(&b);
	EXPECT(flushed(0, 0, 0) && was_told(0, 0, 0, 0));
	flush_add_range(&b, VA + PAGES(4), VA + PAGES(5) - 1, 0);
	flush_add_range(&b, VA + PAGES(2), VA + PAGES(3) - 1, 0);
	flush_add_range(&b, VA + PAGES(6), VA + PAGES(7) - 1, 0);
	flush_now(&b);
	EXPECT(flushed(1, 0, 5));
	flush_now(&b);
	EXPECT(flushed(1, 0, 5));
	flush_add_range(&b, VA, VA + pt_size(1) - 1, 1);
	flush_now(&b);
	EXPECT(flushed(2, 0, 6));
	flush_add_range(&b, VA, VA + PAGE_SIZE - 1, 0);
	flush_add_range(&b, VA, VA + pt_size(1) - 1, 1);
	flush_now(&b);
	EXPECT(flushed(3, 1, 6));
	flush_end(&b);
	EXPECT(flushed(3, 1, 6));
	EXPECT_BUG(flush_now(&b));
	EXPECT_BUG(flush_add_range(&b, VA, VA, 0));
}

// A batch begins empty, whatever was in its memory.
TEST(flush, a_batch_begins_empty)
{
	struct pt_batch b;
	uint64_t free_before = frame_free_count();

	memset(&b, 0xff, sizeof(b));
	flush_begin(&b, NULL);
	note();
	flush_now(&b);
	EXPECT(flushed(0, 0, 0) && was_told(0, 0, 0, 0));
	flush_add_range(&b, VA + PAGES(2), VA + PAGES(3) - 1, 0);
	flush_now(&b);
	EXPECT(flushed(1, 0, 1));
	flush_end(&b);
	EXPECT_EQ(frame_free_count(), free_before);
	EXPECT_EQ(b.frame_count, 0u);
}

// A batch that has let a shared table go lets plain frames go after it.
TEST(flush, places_are_used_again)
{
	struct space *s = room_create(1, 0);
	struct frame *f = frame_alloc(0, FRAME_DATA);
	uint64_t dropped = share_stats.dropped, tables;
	FLUSH_BATCH(b);
	pt_t table;

	REQUIRE(s && f);
	REQUIRE_EQ(pt_alloc(&s->family->owner, 1, &table), 0);
	tables = s->family->owner.table_count[1];
	frame_get(pa_to_frame(table.pa));
	flush_begin(&b, s);
	flush_add_shared_table(&b, table);
	flush_now(&b);
	EXPECT_EQ(share_stats.dropped, dropped + 1);
	frame_get(f);
	flush_add_frame(&b, f, 0);
	flush_end(&b);
	EXPECT_EQ(share_stats.dropped, dropped + 1);
	EXPECT_EQ(frame_edges(f), 1u);
	frame_free(f);
	EXPECT_EQ(s->family->owner.table_count[1], tables);
	pt_release(&s->family->owner, table, NULL);
	space_destroy(s);
}

// Only a CPU that has the space loaded forgets.
TEST(flush, where_it_is_loaded)
{
	struct space *s = space_create();

	REQUIRE(s);
	flush_range(s, VA, VA, 0);
	EXPECT(flushed(1, 0, 1) && was_told(0, 0, 0, 0));
	space_switch(s);
	flush_range(s, VA, VA, 0);
	EXPECT(flushed(1, 0, 1) && was_told(0, 1, VA, VA));
	EXPECT_EQ(flush_stats.calls, stats.calls);
	space_switch(NULL);
	flush_range(s, VA, VA, 0);
	EXPECT(was_told(0, 0, 0, 0));
	space_destroy(s);
}

/* Give up `count` frames in one batch. Returns how many were free again before its end. */
static uint64_t give_up(unsigned count, unsigned *after)
{
	uint64_t free_before = frame_free_count(), early;
	struct frame *f[200];
	FLUSH_BATCH(b);

	for (unsigned i = 0; i < count; i++)
		f[i] = frame_alloc(0, FRAME_DATA);
	flush_begin(&b, NULL);
	for (unsigned i = 0; i < count; i++)
		flush_add_frame(&b, f[i], 0);
	early = frame_free_count() - (free_before - count);
	flush_end(&b);
	*after = (unsigned)(free_before - frame_free_count());
	return early;
}

// Frames wait for the flush, however many they are; they cost a page for each 64 meanwhile.
TEST(flush, frames_wait)
{
	unsigned lost;

	for (unsigned count = 1; count <= 200; count += count < 60 ? 59 : count < 66 ? 1 : 67) {
		uint64_t pages = (count - 1) / FLUSH_FRAMES_MAX;

		EXPECT_EQ(give_up(count, &lost), 0 - pages);
		EXPECT_EQ(lost, 0u);
	}
}

// Without memory to wait in, a full batch flushes and lets go.
TEST(flush, no_room_to_wait)
{
	struct frame *f[FLUSH_FRAMES_MAX + 1];
	uint64_t free_before = frame_free_count();
	FLUSH_BATCH(b);

	for (unsigned i = 0; i <= FLUSH_FRAMES_MAX; i++)
		f[i] = frame_alloc(0, FRAME_DATA);
	flush_begin(&b, NULL);
	for (unsigned i = 0; i < FLUSH_FRAMES_MAX; i++)
		flush_add_frame(&b, f[i], 0);
	flush_add_range(&b, VA, VA, 0);
	note();
	frame_fail_after(0, 1);
	flush_add_frame(&b, f[FLUSH_FRAMES_MAX], 0);
	frame_fail_after(0, 0);
	EXPECT(flushed(1, 0, 1));
	EXPECT_EQ(frame_free_count(), free_before - 1);
	flush_end(&b);
	EXPECT_EQ(frame_free_count(), free_before);
}

// A batch with a table flushes everything, though nothing was translated through it.
TEST(flush, a_table_flushes_all)
{
	struct frame *f = frame_alloc(0, FRAME_KERNEL);
	FLUSH_BATCH(b);

	flush_begin(&b, NULL);
	flush_add_table(&b, f);
	note();
	flush_now(&b);
	EXPECT(flushed(1, 1, 0) && was_told(1, 0, 0, 0));
	flush_end(&b);
	EXPECT(flushed(1, 1, 0));
}

// A page that a write copies is flushed, and it alone; one that is given back to its last owner is
// not.
TEST(flush, of_a_copying_fault)
{
	struct space *s = room_create(4, 0), *child;

	REQUIRE(s);
	for (unsigned i = 0; i < 4; i++)
		EXPECT(touch_write(s, ROOM_PAGE(i), i));
	child = fork_eagerly(s);
	REQUIRE(child);
	EXPECT(touch_reads(s, ROOM_PAGE(1), 1));
	note();
	host_flushes.lowest = ~0ull;
	host_flushes.highest = 0;
	EXPECT_EQ(space_fault(s, ROOM_PAGE(1) + 8, PT_W), 0);
	EXPECT(flushed(1, 0, 1) && was_told(0, 1, ROOM_PAGE(1), ROOM_PAGE(1)));
	note();
	EXPECT_EQ(space_fault(child, ROOM_PAGE(1), PT_W), 0);
	EXPECT_EQ(space_fault_count(child, FAULT_REUSED), 1u);
	EXPECT(flushed(0, 0, 0));
	touch_done();
	space_destroy(child);
	space_destroy(s);
}

// A fault of which the entry says that it need not be was by a stale translation: this CPU's is
// dropped, and nobody is called.
TEST(flush, of_a_stale_fault)
{
	struct space *s = room_create(1, 0);

	REQUIRE(s);
	EXPECT(touch_write(s, ROOM_PAGE(0), 1));
	note();
	host_flushes.lowest = ~0ull;
	host_flushes.highest = 0;
	EXPECT_EQ(space_fault(s, ROOM_PAGE(0) + 8, PT_W), 0);
	EXPECT_EQ(space_fault_count(s, FAULT_STALE), 1u);
	EXPECT(flushed(0, 0, 0));
	EXPECT(was_told(0, 1, ROOM_PAGE(0) + 8, ROOM_PAGE(0) + 8));
	touch_done();
	space_destroy(s);
}

// Making pages old flushes them together; the one that goes out then is flushed when it may no
// longer be written, and when it is gone.
TEST(flush, of_pages_that_are_made_old)
{
	struct space *s = room_create_filled(3, 4);

	REQUIRE(s);
	note();
	EXPECT_EQ(space_reclaim(s, 1), 1u);
	EXPECT_EQ(room_kind(s, ROOM_PAGE(0)), PT_SOFT);
	EXPECT(flushed(3, 0, 3 + 1 + 1));
	room_close_filled(s);
}

// Protecting and unmapping flush the pages of the range, no more.
TEST(flush, of_a_range)
{
	struct space *s = room_create(8, 0);

	REQUIRE(s);
	for (unsigned i = 0; i < 8; i++)
		EXPECT(touch_write(s, ROOM_PAGE(i), i));
	note();
	EXPECT_EQ(space_protect(s, ROOM_PAGE(2), ROOM_PAGE(4), PT_R), 0);
	EXPECT(flushed(1, 0, 2));
	note();
	EXPECT_EQ(space_unmap(s, ROOM_PAGE(3), ROOM_PAGE(6)), 0);
	EXPECT(flushed(1, 0, 3));
	note();
	EXPECT_EQ(space_unmap(s, ROOM_PAGE(3), ROOM_PAGE(6)), 0); /* nothing is there */
	EXPECT(flushed(0, 0, 0));
	touch_done();
	space_destroy(s);
}
