/*
 * What each operation on a space tells its subscribers: exactly what goes or shrinks, and when.
 */
#include <mm/copy.h>
#include <mm/fault.h>
#include <mm/share.h>
#include <mm/space.h>
#include <tests/kernel/fork_as.h>
#include <tests/kernel/oracle.h>
#include <tests/kernel/recorder.h>
#include <tests/kernel/test.h>
#include <tests/kernel/touch.h>

#define BASE 0x10000000000ull
#define PAGES(n) ((n)*PAGE_SIZE)
#define RW (PT_R | PT_W)

static void add_area(struct space *s, va_t start, uint64_t pages, unsigned flags)
{
	struct area_spec spec = {
		start, start + PAGES(pages), AREA_ANON, flags, RW, NULL, 0, PA(0)
	};

	EXPECT_EQ(space_add_area(s, &spec), 0);
}

/* A space with `pages` written pages at BASE, and a subscriber that has heard nothing yet. */
static struct space *space_with(uint64_t pages, unsigned flags, struct recorder *r)
{
	struct space *s = space_create();

	add_area(s, BASE, pages, flags);
	for (uint64_t i = 0; i < pages; i++)
		EXPECT(touch_write(s, BASE + PAGES(i), i));
	recorder_init(r);
	EXPECT_EQ(recorder_register(r, &s->notifier), 0);
	return s;
}

static void finish(struct space *s, struct recorder *r)
{
	touch_done();
	notifier_unregister(&r->subscriber);
	EXPECT(list_empty(&s->notifier.sections));
	EXPECT_EQ(oracle_check(), 0u);
	space_destroy(s);
}

// Unmapping tells one section with the range as it was given, holes and all.
TEST(notifier_space, unmap_is_one_section)
{
	struct recorder r;
	struct space *s = space_with(4, 0, &r);

	add_area(s, BASE + PAGES(8), 4, 0);
	EXPECT_EQ(space_unmap(s, BASE + PAGES(2), BASE + PAGES(10)), 0);
	EXPECT_EQ(r.count, 1u);
	EXPECT(recorder_saw(&r, 0, BASE + PAGES(2), BASE + PAGES(10), NOTIFY_UNMAP));
	EXPECT_EQ(s->notifier.sequence, 1ull);
	finish(s, &r);
}

// Protecting tells one section.
TEST(notifier_space, protect_is_one_section)
{
	struct recorder r;
	struct space *s = space_with(4, 0, &r);

	EXPECT_EQ(space_protect(s, BASE + PAGES(1), BASE + PAGES(3), PT_R), 0);
	EXPECT_EQ(r.count, 1u);
	EXPECT(recorder_saw(&r, 0, BASE + PAGES(1), BASE + PAGES(3), NOTIFY_PROTECT));
	finish(s, &r);
}

// What is refused tells nobody anything.
TEST(notifier_space, a_refused_operation_is_silent)
{
	struct recorder r;
	struct space *s = space_with(4, 0, &r);

	EXPECT_EQ(space_unmap(s, BASE + 1, BASE + PAGES(1)), -EINVAL);
	EXPECT_EQ(space_unmap(s, DYNAMIC_BASE, DYNAMIC_BASE + PAGES(1)), -ERANGE);
	EXPECT_EQ(space_protect(s, BASE, BASE + PAGES(5), PT_R), -ENOENT);
	EXPECT_EQ(space_protect(s, BASE, BASE + PAGES(1), PT_W), -EINVAL);
	EXPECT_EQ(space_fault(s, BASE + PAGES(4), PT_R), -EFAULT);
	EXPECT_EQ(r.count, 0u);
	finish(s, &r);
}

// First touches add translations and tell nobody; nor do faults that find everything done.
TEST(notifier_space, filling_is_silent)
{
	struct recorder r;
	struct space *s = space_with(1, 0, &r);
	uint64_t value;

	add_area(s, BASE + PAGES(1), 2, 0);
	EXPECT(touch_write(s, BASE + PAGES(1), 1));
	EXPECT(touch_read(s, BASE + PAGES(2), &value));
	EXPECT_EQ(space_fault(s, BASE, PT_W), 0);
	EXPECT_EQ(r.count, 0u);
	finish(s, &r);
}

// The first write to a page of zeroes that was read replaces it: one page event.
TEST(notifier_space, leaving_the_zero_page_is_one_page_event)
{
	struct recorder r;
	struct space *s = space_with(1, 0, &r);
	uint64_t value;

	add_area(s, BASE + PAGES(1), 1, 0);
	EXPECT(touch_read(s, BASE + PAGES(1), &value));
	EXPECT_EQ(r.count, 0u);
	EXPECT(touch_write(s, BASE + PAGES(1) + 8, 1));
	EXPECT_EQ(r.count, 1u);
	EXPECT(recorder_saw(&r, 0, BASE + PAGES(1), BASE + PAGES(2), NOTIFY_COW));
	EXPECT_EQ(s->notifier.page_count, 1ull);
	finish(s, &r);
}

// A fork that copies tells the parent one section for each private area, and nothing for those that
// it does not write-protect; one that shares tables tells one section for the whole space.
TEST(notifier_space, fork_is_one_section_an_area_or_one_in_all)
{
	for (unsigned way = 0; way < 2; way++) {
		struct recorder r;
		struct space *s = space_with(2, 0, &r), *child;

		add_area(s, BASE + PAGES(4), 2, 0);
		add_area(s, BASE + PAGES(8), 2, AREA_SHARED);
		add_area(s, BASE + PAGES(12), 2, AREA_NOFORK);
		EXPECT(touch_write(s, BASE + PAGES(8), 1));
		child = fork_as(s, way);
		REQUIRE(child);
		EXPECT_EQ(r.count, way ? 1u : 2u);
		EXPECT_EQ(s->notifier.sequence, way ? 1ull : 2ull);
		EXPECT_EQ(child->notifier.sequence, 0ull);
		if (way) {
			EXPECT(recorder_saw(&r, 0, s->root.first, s->root.last + 1, NOTIFY_COW));
		} else {
			EXPECT(recorder_saw(&r, 0, BASE, BASE + PAGES(2), NOTIFY_COW));
			EXPECT(recorder_saw(&r, 1, BASE + PAGES(4), BASE + PAGES(6), NOTIFY_COW));
		}
		space_destroy(child);
		finish(s, &r);
	}
}

// After a fork, a read tells nobody, the write that copies one page event, the last owner's write
// nobody.
TEST(notifier_space, writes_after_fork)
{
	struct recorder parent_heard, child_heard;
	struct space *s = space_with(2, 0, &parent_heard), *child = space_fork(s);

	REQUIRE(child);
	recorder_init(&child_heard);
	EXPECT_EQ(recorder_register(&child_heard, &child->notifier), 0);
	parent_heard.count = 0;
	EXPECT(touch_reads(child, BASE, 0));
	EXPECT(touch_reads(s, BASE, 0));
	EXPECT_EQ(parent_heard.count + child_heard.count, 0u);
	EXPECT(touch_write(s, BASE, 5));
	EXPECT_EQ(parent_heard.count, 1u);
	EXPECT(recorder_saw(&parent_heard, 0, BASE, BASE + PAGES(1), NOTIFY_COW));
	EXPECT(touch_write(child, BASE, 6));
	EXPECT_EQ(child_heard.count, 0u);
	EXPECT_EQ(parent_heard.count, 1u);
	touch_done();
	notifier_unregister(&child_heard.subscriber);
	space_destroy(child);
	finish(s, &parent_heard);
}

// A write that copies a huge page tells its whole range.
TEST(notifier_space, a_huge_copy_tells_its_whole_range)
{
	struct recorder r;
	struct space *s, *child;

	s = space_create();
	add_area(s, BASE, 512, AREA_HUGE);
	EXPECT(touch_write(s, BASE, 1));
	REQUIRE_EQ(pt_translate(&s->root, BASE).level, 1u);
	child = space_fork(s);
	REQUIRE(child);
	recorder_init(&r);
	recorder_register(&r, &s->notifier);
	EXPECT(touch_write(s, BASE + PAGES(7), 2));
	EXPECT_EQ(r.count, 1u);
	EXPECT(recorder_saw(&r, 0, BASE, BASE + PAGES(512), NOTIFY_COW));
	touch_done();
	space_destroy(child);
	finish(s, &r);
}

/* What a subscriber finds when it is called. */
static struct {
	struct space *space;
	pa_t pa;
	bool mapped, writable;
	uint32_t edges;
	uint64_t contents;
} found;

static void hook_look(struct recorder *r)
{
	struct pt_span span = pt_translate(&found.space->root, BASE);

	(void)r;
	found.mapped = span.kind == PT_LEAF;
	found.writable = span.attr & PT_W;
	found.edges = frame_edges(pa_to_frame(found.pa));
	found.contents = *(uint64_t *)pa_to_ptr(found.pa);
}

static void look_from(struct space *s, struct recorder *r)
{
	found.space = s;
	found.pa = pt_translate(&s->root, BASE).pa;
	r->hook = hook_look;
}

// A section begins before the change: the page is mapped and as writable as it was.
TEST(notifier_space, a_section_comes_before_the_change)
{
	struct recorder r;
	struct space *s = space_with(1, 0, &r), *child;

	EXPECT(touch_write(s, BASE, 0x1234));
	look_from(s, &r);
	child = space_fork(s);
	REQUIRE(child);
	EXPECT(found.mapped && found.writable);
	EXPECT_EQ(found.edges, 1u);
	space_destroy(child);
	EXPECT_EQ(space_unmap(s, BASE, BASE + PAGES(1)), 0);
	EXPECT(found.mapped);
	EXPECT_EQ(found.edges, 1u);
	EXPECT_EQ(found.contents, 0x1234ull);
	finish(s, &r);
}

// A page event comes after the change, while the old page still has the edge that the entry was.
TEST(notifier_space, a_page_event_comes_before_the_old_page_goes)
{
	struct recorder r;
	struct space *s = space_with(1, 0, &r), *child = space_fork(s);
	pa_t old = pt_translate(&s->root, BASE).pa;

	REQUIRE(child);
	look_from(s, &r);
	EXPECT(touch_write(s, BASE, 7));
	EXPECT(found.writable);
	EXPECT(!pa_equal(pt_translate(&s->root, BASE).pa, old));
	EXPECT_EQ(found.edges, 2u);
	EXPECT_EQ(frame_edges(pa_to_frame(old)), 1u);
	r.hook = NULL;
	touch_done();
	space_destroy(child);
	finish(s, &r);
}

static uint64_t free_at_release;

static void count_free(struct subscriber *s)
{
	(void)s;
	free_at_release = frame_free_count();
}

// At exit subscribers are released before the first frame is freed, and told nothing else.
TEST(notifier_space, exit_releases_before_anything_is_freed)
{
	struct recorder r;
	struct space *s = space_with(3, 0, &r);
	struct subscriber_ops ops = *r.subscriber.ops;
	uint64_t before;

	ops.release = count_free;
	r.subscriber.ops = &ops;
	touch_done();
	before = frame_free_count();
	space_destroy(s);
	EXPECT_EQ(free_at_release, before);
	EXPECT(frame_free_count() > before);
	EXPECT_EQ(r.count, 0u);
	EXPECT(!r.subscriber.notifier);
}

// A fork that runs out of memory at any point leaves no section open.
TEST(notifier_space, a_failed_fork_leaves_no_section_open)
{
	struct recorder r;
	struct space *s = space_with(3, 0, &r), *child = NULL;
	uint64_t skip;

	for (skip = 0; !child; skip++) {
		frame_fail_after(skip, 1);
		child = space_fork(s);
		frame_fail_after(0, 0);
		EXPECT(list_empty(&s->notifier.sections));
	}
	EXPECT(skip > 1);
	space_destroy(child);
	finish(s, &r);
}
