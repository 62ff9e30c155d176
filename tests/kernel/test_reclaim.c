/*
 * Pages go out and come back: contract, refusals, huge leaves, copy-on-write, subscribers.
 */
#include <lib/string.h>
#include <mm/copy.h>
#include <mm/fault.h>
#include <mm/flush.h>
#include <mm/reclaim.h>
#include <mm/share.h>
#include <mm/swap.h>
#include <tests/kernel/oracle.h>
#include <tests/kernel/page_room.h>
#include <tests/kernel/test.h>

#define PAGES 8
#define SLOTS 32
#define HUGE_PAGES 512

/* What must not change when space_swap_out fails. Words only, to be compared as bytes. */
struct state {
	uint64_t bits, level, free_frames, used_slots, anon, swap;
};

static struct state state_of(const struct space *space, va_t va)
{
	ptv_t v;

	pt_find(&space->root, va, &v);
	return (struct state){
		.bits = ptv_raw(v),
		.level = v.level,
		.free_frames = frame_free_count(),
		.used_slots = swap_used(),
		.anon = (uint64_t)space_mapped(space, MAPPED_ANON),
		.swap = (uint64_t)space_mapped(space, MAPPED_SWAP),
	};
}

static void check_refusal(struct space *space, va_t va, int expected)
{
	struct state before = state_of(space, va), after;

	EXPECT_EQ(space_swap_out(space, va), expected);
	after = state_of(space, va);
	EXPECT(!memcmp(&before, &after, sizeof(before)));
}

// A page that goes out gives its frame back; a read or a write brings it back as it was.
TEST(reclaim, pages_go_out_and_come_back)
{
	struct space *space = room_create_filled(PAGES, SLOTS);
	uint64_t free_before = frame_free_count();

	REQUIRE(space != NULL);
	for (unsigned i = 0; i < PAGES; i++) {
		EXPECT_EQ(space_swap_out(space, ROOM_PAGE(i) + 123), 0);
		EXPECT_EQ(room_kind(space, ROOM_PAGE(i)), PT_SOFT);
		EXPECT_EQ(frame_free_count(), free_before + i + 1);
		EXPECT_EQ(swap_used(), i + 1);
		EXPECT(room_counts(space, PAGES - i - 1, i + 1));
	}
	for (unsigned i = 0; i < PAGES; i++) {
		if (i & 1)
			EXPECT(room_write(space, ROOM_PAGE(i) + 8, 77));
		EXPECT(room_holds(space, ROOM_PAGE(i), i));
		EXPECT_EQ(swap_used(), PAGES - i - 1);
		EXPECT(room_counts(space, i + 1, PAGES - i - 1));
	}
	EXPECT_EQ(frame_free_count(), free_before);
	room_close_filled(space);
}

// A writable page is flushed before it is copied, and every page before its frame goes.
TEST(reclaim, contents_stand_still_before_they_are_copied)
{
	bool shares = fork_shares_tables;
	struct space *parent = room_create_filled(2, SLOTS), *child;
	uint64_t rounds;

	fork_shares_tables = false; /* counts by entry, not by table */
	REQUIRE(parent != NULL);
	rounds = flush_stats.rounds;
	EXPECT_EQ(space_swap_out(parent, ROOM_PAGE(0)), 0);
	EXPECT_EQ(flush_stats.rounds, rounds + 2);
	child = space_fork(parent);
	REQUIRE(child != NULL);
	rounds = flush_stats.rounds;
	EXPECT_EQ(space_swap_out(parent, ROOM_PAGE(1)), 0);
	EXPECT_EQ(flush_stats.rounds, rounds + 1);
	space_destroy(child);
	room_close_filled(parent);
	fork_shares_tables = shares;
}

/* ---- Refusals. ---- */

static void add_area(struct space *space, va_t start, enum area_kind kind, struct object *object)
{
	struct area_spec spec = {
		.start = start,
		.end = start + PAGE_SIZE,
		.kind = kind,
		.rights = PT_R,
		.object = object,
		.pa = PA(0xfee00000),
	};

	EXPECT_EQ(space_add_area(space, &spec), 0);
}

// What is not there, or cannot be filled again from a slot, does not go; nothing changes then.
TEST(reclaim, what_cannot_go_stays_as_it_is)
{
	const va_t zero = ROOM_PAGE(PAGES), none = zero + PAGE_SIZE, object = none + 8 * PAGE_SIZE,
		   device = object + PAGE_SIZE, nowhere = device + PAGE_SIZE;
	struct object *o = object_create(1);
	struct space *space = room_create(PAGES + 2, 0);
	uint64_t value;

	REQUIRE(space && o);
	REQUIRE_EQ(swap_init(SLOTS), 0);
	add_area(space, object, AREA_OBJECT, o);
	add_area(space, device, AREA_DEVICE, NULL);
	EXPECT(room_read(space, zero, &value));
	EXPECT(room_read(space, object, &value));
	EXPECT(room_fill(space, ROOM_PAGE(0), 1));
	check_refusal(space, none, -EFAULT);
	check_refusal(space, nowhere, -EFAULT);
	check_refusal(space, 0, -EFAULT);
	check_refusal(space, DIRECT_BASE, -EFAULT);
	check_refusal(space, zero, -EBUSY);
	check_refusal(space, object, -EBUSY);
	check_refusal(space, device, -EBUSY);
	space->user = 0; /* a kernel space could not fault the page in again */
	check_refusal(space, ROOM_PAGE(0), -EBUSY);
	space->user = PT_U;
	EXPECT_EQ(space_swap_out(space, ROOM_PAGE(0)), 0);
	check_refusal(space, ROOM_PAGE(0), -EFAULT);
	object_put(o);
	room_close_filled(space);
}

// A writable page that somebody holds besides the entry (for a transfer, say) does not go.
TEST(reclaim, a_held_page_stays)
{
	struct space *space = room_create_filled(1, SLOTS);
	struct frame *f;

	REQUIRE(space != NULL);
	f = pa_to_frame(pt_translate(&space->root, ROOM_PAGE(0)).pa);
	frame_get(f);
	check_refusal(space, ROOM_PAGE(0), -EBUSY);
	frame_put(f);
	EXPECT_EQ(space_swap_out(space, ROOM_PAGE(0)), 0);
	room_close_filled(space);
}

// Without a free slot nothing goes; with the first one that is free again, it does.
TEST(reclaim, no_slot_no_change)
{
	struct space *space = room_create(3, 0);

	REQUIRE(space != NULL);
	for (unsigned i = 0; i < 3; i++)
		EXPECT(room_fill(space, ROOM_PAGE(i), i));
	check_refusal(space, ROOM_PAGE(0), -ENOSPC);
	REQUIRE_EQ(swap_init(2), 0);
	EXPECT_EQ(space_swap_out(space, ROOM_PAGE(0)), 0);
	EXPECT_EQ(space_reclaim(space, 3), 1);
	EXPECT_EQ(space->reclaim_hand, ROOM_PAGE(2)); /* the first to go when there is a slot */
	check_refusal(space, ROOM_PAGE(2), -ENOSPC);
	EXPECT(room_holds(space, ROOM_PAGE(0), 0));
	EXPECT_EQ(space_swap_out(space, ROOM_PAGE(2)), 0);
	for (unsigned i = 0; i < 3; i++)
		EXPECT(room_holds(space, ROOM_PAGE(i), i));
	room_close_filled(space);
}

// Going out allocates nothing: it works when every allocation fails.
TEST(reclaim, needs_no_memory)
{
	struct space *space = room_create_filled(2, SLOTS);

	REQUIRE(space != NULL);
	frame_fail_after(0, ~0ull);
	EXPECT_EQ(space_swap_out(space, ROOM_PAGE(1)), 0);
	EXPECT_EQ(space_fault(space, ROOM_PAGE(1), PT_R), -ENOMEM);
	frame_fail_after(0, 0);
	EXPECT(room_counts(space, 1, 1));
	EXPECT(room_holds(space, ROOM_PAGE(1), 1));
	room_close_filled(space);
}

/* ---- Huge leaves. ---- */

// One page of a huge leaf goes after a split; if that finds no memory, the leaf stays whole.
TEST(reclaim, a_huge_leaf_is_split_for_its_pages)
{
	struct space *space = room_create(HUGE_PAGES, AREA_HUGE);
	const va_t va = ROOM_PAGE(7);
	uint64_t free_before;

	REQUIRE(space != NULL);
	REQUIRE_EQ(swap_init(SLOTS), 0);
	EXPECT(room_fill(space, va, 7));
	if (pt_translate(&space->root, va).level != 1)
		goto out; /* no block was that large */
	for (unsigned i = 0; i < HUGE_PAGES; i++)
		EXPECT(room_fill(space, ROOM_PAGE(i), i));
	free_before = frame_free_count();
	frame_fail_after(0, 1);
	check_refusal(space, va, -ENOMEM);
	frame_fail_after(0, 0);
	EXPECT_EQ(pt_translate(&space->root, va).level, 1);
	EXPECT_EQ(space_swap_out(space, va), 0);
	EXPECT_EQ(frame_free_count(), free_before); /* one page less, one table more */
	EXPECT(room_counts(space, HUGE_PAGES - 1, 1));
	for (unsigned i = 0; i < HUGE_PAGES; i++)
		EXPECT(room_holds(space, ROOM_PAGE(i), i));
	EXPECT(room_counts(space, HUGE_PAGES, 0));
out:
	room_close_filled(space);
}

/* ---- Sharing. ---- */

// A page shared copy-on-write goes out of one space; the other keeps it, contents stay apart.
TEST(reclaim, a_shared_page_goes_out_of_one_space_only)
{
	bool shares = fork_shares_tables;
	struct space *parent = room_create_filled(1, SLOTS), *child;
	uint64_t free_before;

	fork_shares_tables = false; /* counts by entry, not by table */
	REQUIRE(parent != NULL);
	child = space_fork(parent);
	REQUIRE(child != NULL);
	free_before = frame_free_count();
	EXPECT_EQ(space_swap_out(parent, ROOM_START), 0);
	EXPECT_EQ(frame_free_count(), free_before); /* the child has it */
	EXPECT(room_counts(parent, 0, 1));
	EXPECT(room_counts(child, 1, 0));
	EXPECT(room_fill(child, ROOM_START, 99));
	EXPECT_EQ(space_fault_count(child, FAULT_REUSED), 1); /* alone with it */
	EXPECT_EQ(space_swap_out(child, ROOM_START), 0);
	EXPECT_EQ(frame_free_count(), free_before + 1);
	EXPECT_EQ(swap_used(), 2);
	EXPECT(room_holds(parent, ROOM_START, 0));
	EXPECT(room_holds(child, ROOM_START, 99));
	space_destroy(child);
	room_close_filled(parent);
	fork_shares_tables = shares;
}

// A page that is out at a fork is counted once more; each side comes back to a copy of its own.
TEST(reclaim, a_fork_shares_the_slot)
{
	bool shares = fork_shares_tables;
	struct space *parent = room_create_filled(2, SLOTS), *child, *grandchild;

	fork_shares_tables = false; /* counts by entry, not by table */
	REQUIRE(parent != NULL);
	EXPECT_EQ(space_swap_out(parent, ROOM_PAGE(1)), 0);
	child = space_fork(parent);
	grandchild = child ? space_fork(child) : NULL;
	REQUIRE(child && grandchild);
	EXPECT_EQ(swap_count(0), 3);
	EXPECT(room_counts(grandchild, 1, 1));
	EXPECT(room_fill(child, ROOM_PAGE(1), 55));
	EXPECT_EQ(swap_count(0), 2);
	EXPECT(room_holds(parent, ROOM_PAGE(1), 1));
	EXPECT(room_holds(child, ROOM_PAGE(1), 55));
	EXPECT_EQ(swap_count(0), 1);
	space_destroy(child);
	space_destroy(parent);
	EXPECT(room_holds(grandchild, ROOM_PAGE(1), 1));
	EXPECT_EQ(swap_used(), 0);
	room_close_filled(grandchild);
	fork_shares_tables = shares;
}

// Unmapping gives slots back, cutting keeps accounts, new rights hold for what comes back.
TEST(reclaim, unmap_and_protect_know_soft_entries)
{
	struct space *space = room_create_filled(PAGES, SLOTS);

	REQUIRE(space != NULL);
	EXPECT_EQ(space_reclaim(space, PAGES), PAGES);
	EXPECT_EQ(space_unmap(space, ROOM_PAGE(1), ROOM_PAGE(3)), 0);
	EXPECT_EQ(swap_used(), PAGES - 2);
	EXPECT_EQ(oracle_check(), 0);
	EXPECT_EQ(space_mapped(space, MAPPED_SWAP), PAGES - 2);
	EXPECT_EQ(space_protect(space, ROOM_PAGE(4), ROOM_PAGE(5), PT_R), 0);
	EXPECT_EQ(oracle_check(), 0);
	EXPECT(room_holds(space, ROOM_PAGE(4), 4));
	EXPECT(!room_write(space, ROOM_PAGE(4), 0));
	EXPECT(room_fill(space, ROOM_PAGE(5), 50));
	EXPECT(room_holds(space, ROOM_PAGE(5), 50));
	EXPECT_EQ(oracle_check(), 0);
	room_close_filled(space);
}

/* ---- Subscribers. ---- */

struct watcher {
	struct subscriber subscriber;
	struct space *space;
	unsigned call_count;
	va_t start, end;
	enum notify_why why;
	enum pt_kind kind; /* of the entry when told */
};

static int watcher_invalidate(struct subscriber *s, va_t start, va_t end, enum notify_why why,
			      bool may_block)
{
	struct watcher *w = CONTAINER_OF(s, struct watcher, subscriber);

	(void)may_block;
	w->call_count++;
	w->start = start;
	w->end = end;
	w->why = why;
	w->kind = room_kind(w->space, start);
	return 0;
}

static const struct subscriber_ops watcher_ops = {
	.invalidate = watcher_invalidate,
};

// Subscribers hear of exactly the page, before its entry changes; a refusal tells nobody.
TEST(reclaim, subscribers_hear_of_the_page)
{
	struct watcher w = { .subscriber.ops = &watcher_ops };

	w.space = room_create_filled(3, SLOTS);
	REQUIRE(w.space != NULL);
	REQUIRE_EQ(notifier_register(&w.space->notifier, &w.subscriber), 0);
	notifier_read_retry(&w.space->notifier, 0, ROOM_PAGE(0), ROOM_PAGE(3));
	EXPECT_EQ(space_swap_out(w.space, ROOM_PAGE(1) + 5), 0);
	EXPECT_EQ(w.call_count, 1);
	EXPECT_EQ(w.start, ROOM_PAGE(1));
	EXPECT_EQ(w.end, ROOM_PAGE(2));
	EXPECT_EQ(w.why, NOTIFY_MIGRATE);
	EXPECT_EQ(w.kind, PT_LEAF);
	EXPECT(!notifier_is_open(&w.space->notifier, 0, 0));
	EXPECT_EQ(space_swap_out(w.space, ROOM_PAGE(1)), -EFAULT);
	EXPECT_EQ(w.call_count, 1);
	notifier_unregister(&w.subscriber);
	room_close_filled(w.space);
}
