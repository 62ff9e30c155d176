/*
 * The notifier's protocol, without a space: sections, refusals, coming and going at any point.
 */
#include <tests/kernel/recorder.h>
#include <tests/kernel/test.h>

#define A 0x10000ull
#define B 0x20000ull
#define C 0x30000ull
#define D 0x40000ull
#define PAGE 0x1000ull

static void setup(struct notifier *n, struct recorder *r, unsigned count)
{
	notifier_init(n);
	for (unsigned i = 0; i < count; i++) {
		recorder_init(&r[i]);
		EXPECT_EQ(recorder_register(&r[i], n), 0);
	}
}

// A section tells every subscriber once, with the range and the reason; its end tells nobody.
TEST(notifier, a_section_tells_everybody_once)
{
	struct notifier n;
	struct notifier_section section;
	struct recorder r[3];

	setup(&n, r, 3);
	EXPECT_EQ(notifier_start(&n, &section, A, B, NOTIFY_PROTECT, true), 0);
	notifier_end(&n, &section);
	for (unsigned i = 0; i < 3; i++) {
		EXPECT_EQ(r[i].count, 1u);
		EXPECT(recorder_saw(&r[i], 0, A, B, NOTIFY_PROTECT));
	}
	EXPECT_EQ(n.sequence, 1ull);
	EXPECT_EQ(n.page_count, 0ull);
}

// A page event tells everybody once and leaves nothing open.
TEST(notifier, a_page_blocks_nobody)
{
	struct notifier n;
	struct recorder r;
	uint64_t sequence;

	setup(&n, &r, 1);
	sequence = notifier_read_begin(&n);
	notifier_page(&n, A, B, NOTIFY_COW);
	EXPECT(recorder_saw(&r, 0, A, B, NOTIFY_COW));
	EXPECT_EQ(r.count, 1u);
	EXPECT(notifier_read_retry(&n, sequence, A, B));
	EXPECT(!notifier_is_open(&n, A, B));
	EXPECT(!notifier_read_retry(&n, notifier_read_begin(&n), A, B));
	EXPECT_EQ(n.page_count, 1ull);
}

// Readers of a range retry from the first of overlapping or nested sections to the end of the last.
TEST(notifier, sections_nest_and_overlap)
{
	struct notifier n;
	struct notifier_section outer, inner, repeat;

	notifier_init(&n);
	notifier_start(&n, &outer, A, C, NOTIFY_UNMAP, true);
	notifier_start(&n, &inner, B, D, NOTIFY_COW, true);
	notifier_start(&n, &repeat, A, C, NOTIFY_UNMAP, true);
	EXPECT(notifier_read_retry(&n, notifier_read_begin(&n), A, B));
	EXPECT(notifier_read_retry(&n, notifier_read_begin(&n), C, D));
	notifier_end(&n, &outer); /* not the last that was opened */
	EXPECT(notifier_is_open(&n, A, B));
	notifier_end(&n, &repeat);
	EXPECT(!notifier_is_open(&n, A, B));
	EXPECT(!notifier_read_retry(&n, notifier_read_begin(&n), A, B));
	EXPECT(notifier_read_retry(&n, notifier_read_begin(&n), B, C));
	EXPECT(notifier_is_open(&n, D - 1, D));
	EXPECT(!notifier_is_open(&n, D, D + 1));
	notifier_end(&n, &inner);
	EXPECT(!notifier_read_retry(&n, notifier_read_begin(&n), A, D));
}

// A section that began and ended while a reader was at work makes it retry.
TEST(notifier, a_whole_section_is_noticed)
{
	struct notifier n;
	struct notifier_section section;
	uint64_t sequence;

	notifier_init(&n);
	sequence = notifier_read_begin(&n);
	EXPECT(!notifier_read_retry(&n, sequence, A, B));
	notifier_start(&n, &section, A, B, NOTIFY_UNMAP, true);
	notifier_end(&n, &section);
	EXPECT(notifier_read_retry(&n, sequence, A, B));
	EXPECT(notifier_read_retry(&n, sequence, A + 0x1000, A + 0x2000));
	EXPECT(!notifier_read_retry(&n, sequence, B, C));
}

// What happens elsewhere costs a reader nothing, as long as it is not too long ago to be known.
TEST(notifier, events_elsewhere_do_not_disturb)
{
	struct notifier n;
	uint64_t sequence;

	notifier_init(&n);
	sequence = notifier_read_begin(&n);
	for (unsigned i = 0; i < NOTIFIER_RECENT; i++)
		notifier_page(&n, C, D, NOTIFY_COW);
	EXPECT(!notifier_read_retry(&n, sequence, A, C));
	EXPECT(notifier_read_retry(&n, sequence, A, C + 1));
	notifier_page(&n, C, D, NOTIFY_COW);
	EXPECT(notifier_read_retry(&n, sequence, A, C));
	EXPECT(!notifier_read_retry(&n, sequence + 1, A, C));
}

// A range whose end is 0 reaches to 2^64.
TEST(notifier, end_may_wrap)
{
	struct notifier n;
	struct notifier_section section;

	notifier_init(&n);
	notifier_start(&n, &section, B, 0, NOTIFY_UNMAP, true);
	EXPECT(notifier_is_open(&n, ~0xfffull, 0));
	EXPECT(notifier_is_open(&n, C, D));
	EXPECT(!notifier_is_open(&n, A, B));
	notifier_end(&n, &section);
}

// A subscriber that may not sleep can refuse: nothing is open then, and those behind it hear
// nothing.
TEST(notifier, a_refusal_is_unwound)
{
	struct notifier n;
	struct notifier_section section;
	struct recorder r[3];
	uint64_t sequence;

	setup(&n, r, 3);
	r[1].refuse = true;
	sequence = notifier_read_begin(&n);
	EXPECT_EQ(notifier_start(&n, &section, A, B, NOTIFY_MIGRATE, false), -EAGAIN);
	EXPECT_EQ(r[0].count, 1u);
	EXPECT_EQ(r[1].count, 0u);
	EXPECT_EQ(r[2].count, 0u);
	EXPECT(!notifier_is_open(&n, A, B));
	EXPECT(notifier_read_retry(&n, sequence, A, B));
	EXPECT(!notifier_read_retry(&n, notifier_read_begin(&n), A, B));
	EXPECT_EQ(n.refused_count, 1ull);
	EXPECT_EQ(notifier_start(&n, &section, A, B, NOTIFY_MIGRATE, true), 0);
	EXPECT_EQ(r[1].count + r[2].count, 2u);
	notifier_end(&n, &section);
}

// A refusal when the caller may block is the subscriber's bug, and is caught.
TEST(notifier, a_refusal_of_a_patient_caller_is_a_bug)
{
	static struct notifier n;
	static struct notifier_section section;
	static struct recorder r;
	static struct subscriber_ops ops;

	setup(&n, &r, 1);
	r.refuse = true;
	ops = *r.subscriber.ops;
	r.subscriber.ops = &ops;
	EXPECT_EQ(notifier_start(&n, &section, A, B, NOTIFY_UNMAP, false), -EAGAIN);
	EXPECT_EQ(notifier_start(&n, &section, A, B, NOTIFY_UNMAP, true), 0);
	notifier_end(&n, &section);
	EXPECT_BUG(notifier_end(&n, &section)); /* an end without a start */
}

// One who registers while a section is open hears nothing of it, and may not establish anything
// in it.
TEST(notifier, register_inside_a_section)
{
	struct notifier n;
	struct notifier_section section;
	struct recorder r;

	notifier_init(&n);
	notifier_start(&n, &section, A, B, NOTIFY_UNMAP, true);
	recorder_init(&r);
	EXPECT_EQ(recorder_register(&r, &n), 0);
	EXPECT_EQ(r.count, 0u);
	EXPECT(notifier_read_retry(&n, notifier_read_begin(&n), A, B));
	EXPECT(!notifier_read_retry(&n, notifier_read_begin(&n), B, C));
	notifier_end(&n, &section); /* an end, of which it knows no start */
	EXPECT_EQ(r.count, 0u);
	EXPECT(!notifier_read_retry(&n, notifier_read_begin(&n), A, B));
	notifier_page(&n, A, B, NOTIFY_COW);
	EXPECT_EQ(r.count, 1u);
}

// One who leaves while a section is open hears of nothing afterwards; the section goes on.
TEST(notifier, unregister_inside_a_section)
{
	struct notifier n;
	struct notifier_section section;
	struct recorder r[2];

	setup(&n, r, 2);
	notifier_start(&n, &section, A, B, NOTIFY_UNMAP, true);
	notifier_unregister(&r[0].subscriber);
	notifier_unregister(&r[0].subscriber); /* once more is harmless */
	EXPECT(notifier_is_open(&n, A, B));
	notifier_end(&n, &section);
	notifier_page(&n, A, B, NOTIFY_COW);
	EXPECT_EQ(r[0].count, 1u);
	EXPECT_EQ(r[1].count, 2u);
}

// A subscriber registers once; it may come back after leaving.
TEST(notifier, registering_twice_is_refused)
{
	struct notifier n;
	struct recorder r;

	setup(&n, &r, 1);
	EXPECT_EQ(recorder_register(&r, &n), -EBUSY);
	notifier_page(&n, A, B, NOTIFY_COW);
	EXPECT_EQ(r.count, 1u);
	notifier_unregister(&r.subscriber);
	EXPECT_EQ(recorder_register(&r, &n), 0);
}

// Who comes when nobody was left hears only of what has been read since.
TEST(notifier, what_was_read_before_is_forgotten)
{
	struct notifier n;
	struct recorder r[2];

	setup(&n, r, 1);
	recorder_init(&r[1]);
	EXPECT_EQ(notifier_register(&n, &r[1].subscriber), 0);
	notifier_unregister(&r[0].subscriber);
	notifier_page(&n, A, B, NOTIFY_COW);
	EXPECT_EQ(r[1].count, 1u); /* somebody was there all the time */
	notifier_unregister(&r[1].subscriber);
	EXPECT_EQ(notifier_register(&n, &r[0].subscriber), 0);
	notifier_page(&n, A, B, NOTIFY_COW);
	EXPECT_EQ(r[0].count, 0u);
	EXPECT(!notifier_read_retry(&n, notifier_read_begin(&n), A, B));
	notifier_page(&n, A, B, NOTIFY_COW);
	EXPECT_EQ(r[0].count, 1u);
}

// Of what happens beside the pages that have been read nobody hears, on either side.
TEST(notifier, neighbours_tell_nobody)
{
	struct notifier n;
	struct notifier_section section;
	struct recorder r;

	notifier_init(&n);
	recorder_init(&r);
	r.young = true;
	EXPECT_EQ(notifier_register(&n, &r.subscriber), 0);
	EXPECT(!notifier_read_retry(&n, notifier_read_begin(&n), B, C));
	notifier_page(&n, A, B, NOTIFY_COW);
	notifier_page(&n, C, D, NOTIFY_COW);
	for (unsigned i = 0; i < 2; i++) {
		EXPECT_EQ(notifier_start(&n, &section, i ? A : C, i ? B : D, NOTIFY_UNMAP, true),
			  0);
		notifier_end(&n, &section);
	}
	EXPECT(!notifier_test_young(&n, A, B, true) && !notifier_test_young(&n, C, D, true));
	EXPECT_EQ(r.count + r.young_count, 0u);
	notifier_page(&n, C - PAGE, C, NOTIFY_COW);
	EXPECT_EQ(notifier_start(&n, &section, B, B + PAGE, NOTIFY_UNMAP, true), 0);
	notifier_end(&n, &section);
	EXPECT_EQ(r.count, 2u);
	EXPECT(notifier_test_young(&n, B, B + PAGE, true));
}

static void hook_leave_self(struct recorder *r)
{
	notifier_unregister(&r->subscriber);
}

static void hook_expel_other(struct recorder *r)
{
	notifier_unregister(&r->other->subscriber);
}

static void hook_bring_other(struct recorder *r)
{
	if (!r->other->subscriber.notifier)
		EXPECT_EQ(recorder_register(r->other, r->subscriber.notifier), 0);
}

static void hook_page(struct recorder *r)
{
	r->hook = NULL;
	notifier_page(r->subscriber.notifier, C, D, NOTIFY_COW);
}

// Inside a callback a subscriber may leave, or make any other leave: all who stay are told, once.
TEST(notifier, leaving_inside_a_callback)
{
	for (unsigned who = 0; who < 4; who++) {
		struct notifier n;
		struct recorder r[4];

		setup(&n, r, 4);
		r[1].hook = who == 1 ? hook_leave_self : hook_expel_other;
		r[1].other = &r[who];
		notifier_page(&n, A, B, NOTIFY_COW);
		EXPECT_EQ(r[0].count, 1u);
		EXPECT_EQ(r[1].count, 1u);
		EXPECT_EQ(r[2].count, who == 2 ? 0u : 1u);
		EXPECT_EQ(r[3].count, who == 3 ? 0u : 1u);
		notifier_page(&n, A, B, NOTIFY_COW);
		for (unsigned i = 0; i < 4; i++)
			EXPECT_EQ(r[i].count, who == i ? (i < 2 ? 1u : 0u) : 2u);
	}
}

// Inside a callback a subscriber may come, and events may nest.
TEST(notifier, coming_inside_a_callback)
{
	struct notifier n;
	struct recorder r[2], late;

	setup(&n, r, 2);
	recorder_init(&late);
	r[0].hook = hook_bring_other;
	r[0].other = &late;
	r[1].hook = hook_page;
	notifier_page(&n, A, B, NOTIFY_COW);
	EXPECT_EQ(r[0].count, 2u);
	EXPECT_EQ(r[1].count, 2u);
	EXPECT(recorder_saw(&r[1], 1, C, D, NOTIFY_COW));
	EXPECT(late.count >= 1); /* of the inner event; of the outer one it may hear */
	EXPECT(list_empty(&n.calls));
}

// Everybody is asked for young bits, so that all can clear them.
TEST(notifier, young_asks_everybody)
{
	struct notifier n;
	struct recorder r[3];

	setup(&n, r, 3);
	EXPECT(!notifier_test_young(&n, A, B, false));
	r[0].young = r[2].young = true;
	EXPECT(notifier_test_young(&n, A, B, false));
	EXPECT(notifier_test_young(&n, A, B, true));
	EXPECT(!notifier_test_young(&n, A, B, true));
	for (unsigned i = 0; i < 3; i++)
		EXPECT_EQ(r[i].young_count, 4u);
}

// The space may go while a section is open: whoever opened it ends it, and nobody hears of it.
TEST(notifier, release_inside_a_section)
{
	struct notifier n;
	struct notifier_section section;
	struct recorder r[2];

	setup(&n, r, 2);
	notifier_start(&n, &section, A, B, NOTIFY_UNMAP, true);
	notifier_release(&n);
	EXPECT(notifier_is_open(&n, A, B));
	EXPECT(notifier_read_retry(&n, notifier_read_begin(&n), A, B));
	notifier_end(&n, &section);
	EXPECT(!notifier_is_open(&n, A, B));
	EXPECT(notifier_read_retry(&n, notifier_read_begin(&n), A, B)); /* for good */
	EXPECT_EQ(r[0].count, 1u);
	EXPECT_EQ(r[0].release_count + r[1].release_count, 2u);
}

// Release: everybody is released once, hears nothing more, nobody can come, and readers fail.
TEST(notifier, release_ends_it)
{
	struct notifier n;
	struct recorder r[3];
	struct subscriber_ops without;
	uint64_t sequence;

	setup(&n, r, 3);
	without = *r[1].subscriber.ops;
	without.release = NULL;
	r[1].subscriber.ops = &without;
	sequence = notifier_read_begin(&n);
	notifier_release(&n);
	EXPECT_EQ(r[0].release_count, 1u);
	EXPECT_EQ(r[2].release_count, 1u);
	EXPECT(recorder_saw(&r[1], 0, 0, 0, NOTIFY_EXIT));
	EXPECT(!r[0].subscriber.notifier);
	EXPECT(notifier_read_retry(&n, sequence, A, B));
	EXPECT(notifier_read_retry(&n, notifier_read_begin(&n), A, B));
	EXPECT_EQ(recorder_register(&r[0], &n), -ENOENT);
	notifier_page(&n, A, B, NOTIFY_COW);
	EXPECT_EQ(r[0].count + r[2].count, 0u);
	EXPECT_EQ(r[1].count, 1u);
}
