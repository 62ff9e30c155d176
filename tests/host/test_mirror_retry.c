/*
 * What a mirror does when something happens between its look at the space and its own table: the
 * hook for tests plays the other CPU at that moment.
 */
#include <tests/kernel/mirror_rig.h>
#include <tests/kernel/recorder.h>
#include <tests/kernel/test.h>

static struct mirror *mirror;
static unsigned calls, calls_wanted;
static struct notifier_section section;

/* Once or more, and then no longer. */
static void count_call(void)
{
	calls++;
	if (calls >= calls_wanted)
		mirror->retry_skip = NULL;
}

static void page_event(struct notifier *n, uint64_t sequence, va_t start, va_t end)
{
	(void)sequence;
	count_call();
	notifier_page(n, start, end, NOTIFY_COW);
}

static void page_event_elsewhere(struct notifier *n, uint64_t sequence, va_t start, va_t end)
{
	(void)sequence, (void)start;
	count_call();
	notifier_page(n, end, end + PAGE_SIZE, NOTIFY_COW);
}

static void open_section(struct notifier *n, uint64_t sequence, va_t start, va_t end)
{
	(void)sequence;
	count_call();
	EXPECT_EQ(notifier_start(n, &section, start, end, NOTIFY_UNMAP, true), 0);
}

static void open_section_elsewhere(struct notifier *n, uint64_t sequence, va_t start, va_t end)
{
	(void)sequence, (void)start;
	count_call();
	notifier_page(n, start, end, NOTIFY_COW);
	EXPECT_EQ(notifier_start(n, &section, end, end + PAGE_SIZE, NOTIFY_UNMAP, true), 0);
}

static void prepare(struct rig *r,
		    void (*hook)(struct notifier *n, uint64_t sequence, va_t start, va_t end))
{
	rig_open_written(r, 4, 0);
	mirror = r->m;
	mirror->retry_skip = hook;
	calls = 0;
	calls_wanted = 1;
}

// An event in the range sends it back to look again, and then it is done; one elsewhere does not.
TEST(mirror_retry, it_looks_again)
{
	struct rig r;

	prepare(&r, page_event);
	EXPECT_EQ(mirror_fault(r.m, RIG_PAGE(0), RIG_PAGE(4), RW), 0);
	EXPECT_EQ(calls, 1u);
	EXPECT_EQ(r.m->stats.retry_count, 1u);
	EXPECT_EQ(rig_leaves(&r, 0), 4u);
	rig_close(&r);
	prepare(&r, page_event_elsewhere);
	EXPECT_EQ(mirror_fault(r.m, RIG_PAGE(0), RIG_PAGE(4), RW), 0);
	EXPECT_EQ(r.m->stats.retry_count, 0u);
	EXPECT_EQ(rig_leaves(&r, 0), 4u);
	rig_close(&r);
}

// A snapshot does the same.
TEST(mirror_retry, a_snapshot_looks_again)
{
	struct rig r;

	prepare(&r, page_event);
	EXPECT_EQ(mirror_snapshot(r.m, RIG_PAGE(0), RIG_PAGE(4)), 0);
	EXPECT_EQ(r.m->stats.retry_count, 1u);
	EXPECT_EQ(rig_leaves(&r, 0), 4u);
	rig_close(&r);
}

// A section that is open there is the caller's to wait for; nothing is established in it.
TEST(mirror_retry, an_open_section_is_waited_for_by_the_caller)
{
	struct rig r;

	prepare(&r, open_section);
	EXPECT_EQ(mirror_fault(r.m, RIG_PAGE(0), RIG_PAGE(4), RW), -EAGAIN);
	EXPECT_EQ(r.m->stats.retry_count, 1u);
	EXPECT_EQ(rig_leaves(&r, 0), 0u);
	notifier_end(&r.space->notifier, &section);
	EXPECT_EQ(mirror_fault(r.m, RIG_PAGE(0), RIG_PAGE(4), RW), 0);
	rig_close(&r);
}

// One that is open behind the range is nothing to wait for.
TEST(mirror_retry, an_open_section_elsewhere_is_none)
{
	struct rig r;

	prepare(&r, open_section_elsewhere);
	EXPECT_EQ(mirror_fault(r.m, RIG_PAGE(0), RIG_PAGE(2), RW), 0);
	EXPECT_EQ(r.m->stats.retry_count, 1u);
	EXPECT_EQ(rig_leaves(&r, 0), 2u);
	notifier_end(&r.space->notifier, &section);
	rig_close(&r);
}

static void release(struct notifier *n, uint64_t sequence, va_t start, va_t end)
{
	(void)sequence, (void)start, (void)end;
	count_call();
	n->released = true; /* as by notifier_release, which would wait for this fault */
}

// A space that begins to go in the middle is gone.
TEST(mirror_retry, the_space_goes)
{
	struct rig r;

	prepare(&r, release);
	EXPECT_EQ(mirror_fault(r.m, RIG_PAGE(0), RIG_PAGE(4), RW), -ENOENT);
	EXPECT_EQ(rig_leaves(&r, 0), 0u);
	r.space->notifier.released = false;
	rig_close(&r);
}

/* ---- Without progress. ---- */

#define ROUNDS 64

static struct frame *kept[ROUNDS];
static unsigned kept_count;
static struct space *contested;

/* Whenever the page has been copied somebody else gets hold of the copy. */
static void hook_hold(struct recorder *r)
{
	struct frame *f = pa_to_frame(pt_translate(&contested->root, RIG_PAGE(0)).pa);

	(void)r;
	if (!EXPECT(kept_count < ROUNDS))
		return;
	frame_get(f);
	kept[kept_count++] = f;
	EXPECT_EQ(pt_protect(&contested->root, RIG_PAGE(0), RIG_PAGE(1), PT_W, 0), 0);
}

// A fault that brings nothing, however often it is asked for, is given up after a while.
TEST(mirror_retry, no_progress)
{
	struct recorder other;
	struct rig r;

	rig_open_written(&r, 1, 0);
	touch_done();
	contested = r.space;
	kept_count = 0;
	recorder_init(&other);
	hook_hold(&other);
	EXPECT_EQ(recorder_register(&other, &r.space->notifier), 0);
	other.hook = hook_hold;
	EXPECT_EQ(mirror_fault(r.m, RIG_PAGE(0), RIG_PAGE(1), RW), -EAGAIN);
	EXPECT_EQ(r.m->stats.fault_count, kept_count - 1);
	EXPECT(kept_count > 2);
	EXPECT_EQ(rig_rights(&r, RIG_PAGE(0)), 0u);
	other.hook = NULL;
	EXPECT_EQ(mirror_fault(r.m, RIG_PAGE(0), RIG_PAGE(1), RW), 0);
	EXPECT_EQ(rig_rights(&r, RIG_PAGE(0)), RW);
	while (kept_count)
		frame_put(kept[--kept_count]);
	notifier_unregister(&other.subscriber);
	rig_close(&r);
}
