/*
 * The clock that chooses which pages go out: against a model, with huge leaves, and with a device
 * that uses pages too.
 */
#include <mm/reclaim.h>
#include <mm/swap.h>
#include <tests/kernel/page_room.h>
#include <tests/kernel/test.h>

#define SLOTS 32
#define HUGE_PAGES 512

// The kernel's own space is not reclaimed, and asking for nothing changes nothing.
TEST(reclaim_clock, nothing_to_do)
{
	struct space *space = room_create_filled(2, SLOTS);

	REQUIRE(space != NULL);
	EXPECT_EQ(space_reclaim(space, 0), 0);
	EXPECT(room_is_young(space, ROOM_PAGE(0)) && room_is_young(space, ROOM_PAGE(1)));
	space->user = 0;
	EXPECT_EQ(space_reclaim(space, 2), 0);
	space->user = PT_U;
	EXPECT_EQ(space_reclaim(space, 5), 2);
	EXPECT_EQ(space_reclaim(space, 5), 0);
	room_close_filled(space);
}

// A cold huge leaf goes page by page, a young one is made old as a whole.
TEST(reclaim_clock, the_clock_takes_huge_leaves_apart)
{
	struct space *space = room_create(HUGE_PAGES, AREA_HUGE);

	REQUIRE(space != NULL);
	REQUIRE_EQ(swap_init(SLOTS), 0);
	EXPECT(room_fill(space, ROOM_PAGE(0), 5));
	if (pt_translate(&space->root, ROOM_START).level == 1) {
		EXPECT_EQ(space_reclaim(space, SLOTS - 1), SLOTS - 1);
		EXPECT(room_counts(space, HUGE_PAGES - SLOTS + 1, SLOTS - 1));
		EXPECT_EQ(space_reclaim(space, HUGE_PAGES), 1); /* slots run out */
		EXPECT(room_holds(space, ROOM_PAGE(0), 5));
	}
	room_close_filled(space);
}

struct device {
	struct subscriber subscriber;
	va_t used; /* a page that it has used */
};

static int device_invalidate(struct subscriber *s, va_t start, va_t end, enum notify_why why,
			     bool may_block)
{
	(void)s, (void)start, (void)end, (void)why, (void)may_block;
	return 0;
}

static bool device_test_young(struct subscriber *s, va_t start, va_t end, bool clear)
{
	struct device *d = CONTAINER_OF(s, struct device, subscriber);
	bool young = d->used >= start && d->used < end;

	if (clear && young)
		d->used = 0;
	return young;
}

static const struct subscriber_ops device_ops = {
	.invalidate = device_invalidate,
	.test_young = device_test_young,
};

// A page that only a secondary MMU has used is young: it gets its second chance.
TEST(reclaim_clock, a_device_keeps_a_page_young)
{
	struct device d = { .subscriber.ops = &device_ops, .used = ROOM_PAGE(1) };
	struct space *space = room_create_filled(3, SLOTS);

	REQUIRE(space != NULL);
	REQUIRE_EQ(notifier_register(&space->notifier, &d.subscriber), 0);
	notifier_read_retry(&space->notifier, 0, ROOM_PAGE(0), ROOM_PAGE(3));
	EXPECT_EQ(pt_protect(&space->root, ROOM_PAGE(0), ROOM_PAGE(3), PT_YOUNG, 0), 0);
	EXPECT_EQ(space_reclaim(space, 2), 2);
	EXPECT_EQ(room_kind(space, ROOM_PAGE(0)), PT_SOFT);
	EXPECT_EQ(room_kind(space, ROOM_PAGE(1)), PT_LEAF);
	EXPECT_EQ(room_kind(space, ROOM_PAGE(2)), PT_SOFT);
	EXPECT_EQ(d.used, 0);
	EXPECT_EQ(space_reclaim(space, 1), 1);
	notifier_unregister(&d.subscriber);
	room_close_filled(space);
}

/* ---- The clock against a model. ---- */

#define CLOCK_PAGES 12

enum { OUT, OLD, YOUNG };

struct clock {
	unsigned page[CLOCK_PAGES];
	unsigned hand;
};

/* The hand comes by one page. */
static unsigned clock_step(struct clock *c)
{
	unsigned went = c->page[c->hand] == OLD;

	if (c->page[c->hand] != OUT)
		c->page[c->hand]--;
	c->hand = (c->hand + 1) % CLOCK_PAGES;
	return went;
}

static unsigned clock_reclaim(struct clock *c, unsigned wanted)
{
	unsigned left = 3 * CLOCK_PAGES - c->hand, count = 0;

	for (; left && count < wanted; left--)
		count += clock_step(c);
	return count;
}

static bool clock_agrees(const struct clock *c, const struct space *space)
{
	for (unsigned i = 0; i < CLOCK_PAGES; i++) {
		bool young = room_is_young(space, ROOM_PAGE(i));

		if ((c->page[i] == OUT) != (room_kind(space, ROOM_PAGE(i)) == PT_SOFT))
			return false;
		if (c->page[i] != OUT && (c->page[i] == YOUNG) != young)
			return false;
	}
	return true;
}

// Whatever is touched, the pages that go are the ones a textbook clock takes, in its order.
TEST(reclaim_clock, the_clock_is_a_clock)
{
	struct space *space = room_create_filled(CLOCK_PAGES, SLOTS);
	struct clock c = { .hand = 0 };
	unsigned went_count = 0;

	REQUIRE(space != NULL);
	for (unsigned i = 0; i < CLOCK_PAGES; i++)
		c.page[i] = YOUNG;
	for (unsigned round = 0; round < 2000; round++) {
		unsigned wanted = test_random() % 5, went;

		for (unsigned n = test_random() % 6; n; n--) {
			unsigned i = test_random() % CLOCK_PAGES;

			EXPECT(room_holds(space, ROOM_PAGE(i), i));
			c.page[i] = YOUNG;
		}
		went = space_reclaim(space, wanted);
		REQUIRE_EQ(went, clock_reclaim(&c, wanted));
		REQUIRE(clock_agrees(&c, space));
		went_count += went;
	}
	test_note("%u pages went out", went_count);
	room_close_filled(space);
}
