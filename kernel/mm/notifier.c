/*
 * Notifiers; see notifier.h for the protocol.
 *
 * A section is in a list while it is open; the sequence number rises when it ends, and before the
 * subscribers hear of a page. So a reader that began before, in the middle of, or across a section
 * finds it open or the number changed, and then looks at the ranges of the events it missed.
 *
 * Most events are where no secondary MMU has anything, and tell nobody. The reader's check adds its
 * range to the cover, and the opening of a section looks at the cover, in the same hold of the lock
 * as all else they do; so one of them sees the other:
 *
 *   a section opens                      a reader checks, its own lock held
 *     it is in the list                    its range is in the cover
 *     is the range in the cover?           is a section open there?
 *     yes: invalidate, which waits         yes: retry
 *          for the reader's lock           no: establish
 *
 * Callbacks run without the lock; a walk over the subscribers is known to unregister, which moves
 * it on. Locking: as in notifier.h.
 */
#include <lib/preempt.h>
#include <lib/printk.h>
#include <lib/trace.h>
#include <mm/notifier.h>

/* A walk over the subscribers, on the stack of the caller. */
struct notifier_call {
	struct list link;
	struct list *next;             /* whom to call next */
	const struct subscriber *busy; /* who is being called */
	const struct context *context; /* by which thread */
};

void notifier_init(struct notifier *n)
{
	*n = (struct notifier){ .cover = COVER_NOTHING };
	list_init(&n->subscribers);
	list_init(&n->sections);
	list_init(&n->calls);
}

/* ---- Calling subscribers: under lock, which is released while each is called. ---- */

static NOINLINE void notifier_call_begin(struct notifier *n, struct notifier_call *c)
{
	c->next = n->subscribers.next;
	c->busy = NULL;
	c->context = cpu_local()->context;
	list_add_before(&n->calls, &c->link);
}

static struct subscriber *notifier_call_next(struct notifier *n, struct notifier_call *c)
{
	struct subscriber *s = LIST_ENTRY(c->next, struct subscriber, link);

	if (c->next == &n->subscribers)
		return NULL;
	c->busy = s;
	c->next = c->next->next;
	return s;
}

/* Tell everybody, until one refuses. */
static int notifier_invalidate(struct notifier *n, va_t start, va_t end, enum notify_why why,
			       bool may_block)
{
	struct notifier_call call;
	struct subscriber *s;
	int err = 0;

	trace(TRACE_INVALIDATE, start, end);
	notifier_call_begin(n, &call);
	while (!err && (s = notifier_call_next(n, &call))) {
		spin_unlock_word(&n->lock, LOCK_NOTIFIER);
		err = s->ops->invalidate(s, start, end, why, may_block);
		spin_lock_word(&n->lock, LOCK_NOTIFIER);
	}
	list_remove(&call.link);
	ASSERT(!err || (err == -EAGAIN && !may_block));
	return err;
}

/* ---- Events. ---- */

/* Something has happened to the range: readers at work there must retry. Under lock. */
static void notifier_advance(struct notifier *n, va_t start, va_t end)
{
	uint64_t sequence = n->sequence + 1;

	n->recent[sequence % NOTIFIER_RECENT] = (struct notifier_range){ start, end };
	__atomic_store_n(&n->sequence, sequence, __ATOMIC_RELEASE);
}

/* Under lock. */
static void notifier_close(struct notifier *n, struct notifier_section *section)
{
	notifier_advance(n, section->start, section->end);
	list_remove(&section->link);
}

/* The rest of notifier_start, if somebody may have something in the range. Releases the lock. */
static NOINLINE int notifier_start_telling(struct notifier *n, struct notifier_section *section,
					   enum notify_why why, bool may_block)
{
	int err = notifier_invalidate(n, section->start, section->end, why, may_block);

	if (err) {
		notifier_close(n, section);
		n->refused_count++;
	}
	spin_unlock_word(&n->lock, LOCK_NOTIFIER);
	return err;
}

int notifier_start(struct notifier *n, struct notifier_section *section, va_t start, va_t end,
		   enum notify_why why, bool may_block)
{
	section->start = start;
	section->end = end;
	spin_lock_word(&n->lock, LOCK_NOTIFIER);
	list_add_before(&n->sections, &section->link);
	if (UNLIKELY(cover_touches(&n->cover, section->start, section->end - 1)))
		return notifier_start_telling(n, section, why, may_block);
	spin_unlock_word(&n->lock, LOCK_NOTIFIER);
	return 0;
}

void notifier_end(struct notifier *n, struct notifier_section *section)
{
	ASSERT(!list_empty(&section->link));
	spin_lock_word(&n->lock, LOCK_NOTIFIER);
	notifier_close(n, section);
	spin_unlock_word(&n->lock, LOCK_NOTIFIER);
}

void notifier_page(struct notifier *n, va_t start, va_t end, enum notify_why why)
{
	spin_lock_word(&n->lock, LOCK_NOTIFIER);
	notifier_advance(n, start, end);
	n->page_count++;
	if (cover_touches(&n->cover, start, end - 1))
		notifier_invalidate(n, start, end, why, true);
	spin_unlock_word(&n->lock, LOCK_NOTIFIER);
}

bool notifier_test_young(struct notifier *n, va_t start, va_t end, bool clear)
{
	struct notifier_call call;
	struct subscriber *s;
	bool young = false;

	spin_lock_word(&n->lock, LOCK_NOTIFIER);
	notifier_call_begin(n, &call);
	while (cover_touches(&n->cover, start, end - 1) && (s = notifier_call_next(n, &call))) {
		if (!s->ops->test_young)
			continue;
		spin_unlock_word(&n->lock, LOCK_NOTIFIER);
		young |= s->ops->test_young(s, start, end, clear);
		spin_lock_word(&n->lock, LOCK_NOTIFIER);
	}
	list_remove(&call.link);
	spin_unlock_word(&n->lock, LOCK_NOTIFIER);
	return young;
}

/* ---- Readers. ---- */

/* Ends are compared as last addresses, as 0 means 2^64. */
static bool notifier_overlap(va_t start, va_t end, va_t other_start, va_t other_end)
{
	return other_start <= end - 1 && start <= other_end - 1;
}

uint64_t notifier_read_begin(const struct notifier *n)
{
	return __atomic_load_n(&n->sequence, __ATOMIC_ACQUIRE);
}

/* Under lock. */
static bool notifier_range_is_open(const struct notifier *n, va_t start, va_t end)
{
	const struct notifier_section *section;

	list_for_each(section, &n->sections, link) {
		if (notifier_overlap(start, end, section->start, section->end))
			return true;
	}
	return false;
}

/* Has one of the events after number `sequence` to do with the range? Under lock. */
static bool notifier_range_has_changed(const struct notifier *n, uint64_t sequence, va_t start,
				       va_t end)
{
	if (n->sequence - sequence > NOTIFIER_RECENT)
		return true; /* too long ago to know */
	while (sequence++ != n->sequence) {
		const struct notifier_range *r = &n->recent[sequence % NOTIFIER_RECENT];

		if (notifier_overlap(start, end, r->start, r->end))
			return true;
	}
	return false;
}

bool notifier_read_retry(struct notifier *n, uint64_t sequence, va_t start, va_t end)
{
	bool retry;

	spin_lock_word(&n->lock, LOCK_NOTIFIER);
	cover_add(&n->cover, start, end - 1);
	retry = n->released || notifier_range_has_changed(n, sequence, start, end) ||
		notifier_range_is_open(n, start, end);
	spin_unlock_word(&n->lock, LOCK_NOTIFIER);
	return retry;
}

bool notifier_is_released(struct notifier *n)
{
	bool released;

	spin_lock_word(&n->lock, LOCK_NOTIFIER);
	released = n->released;
	spin_unlock_word(&n->lock, LOCK_NOTIFIER);
	return released;
}

bool notifier_is_open(struct notifier *n, va_t start, va_t end)
{
	bool open;

	spin_lock_word(&n->lock, LOCK_NOTIFIER);
	open = notifier_range_is_open(n, start, end);
	spin_unlock_word(&n->lock, LOCK_NOTIFIER);
	return open;
}

/* ---- Coming and going. ---- */

int notifier_register(struct notifier *n, struct subscriber *s)
{
	int err = 0;

	spin_lock_word(&n->lock, LOCK_NOTIFIER);
	if (s->notifier)
		err = -EBUSY;
	else if (n->released)
		err = -ENOENT;
	if (!err) {
		s->notifier = n;
		list_add_before(&n->subscribers, &s->link);
	}
	spin_unlock_word(&n->lock, LOCK_NOTIFIER);
	return err;
}

/* Does another thread call s at this moment? Under lock. */
static bool notifier_is_calling(const struct notifier *n, const struct subscriber *s)
{
	const struct notifier_call *call;

	list_for_each(call, &n->calls, link) {
		if (call->busy == s && call->context != cpu_local()->context)
			return true;
	}
	return false;
}

/* Take s out of the list, and every walk past it. Under lock. */
static void notifier_take_out(struct notifier *n, struct subscriber *s)
{
	struct notifier_call *call;

	list_for_each(call, &n->calls, link) {
		if (call->next == &s->link)
			call->next = s->link.next;
	}
	list_remove(&s->link);
	s->notifier = NULL;
	if (list_empty(&n->subscribers))
		n->cover = COVER_NOTHING;
}

void notifier_unregister(struct subscriber *s)
{
	struct notifier *n = s->notifier;

	if (!n)
		return;
	spin_lock_word(&n->lock, LOCK_NOTIFIER);
	notifier_take_out(n, s);
	while (notifier_is_calling(n, s)) {
		spin_unlock_word(&n->lock, LOCK_NOTIFIER);
		preempt_yield();
		spin_lock_word(&n->lock, LOCK_NOTIFIER);
	}
	spin_unlock_word(&n->lock, LOCK_NOTIFIER);
}

/* The next subscriber to release, taken out of the list. */
static struct subscriber *notifier_take_first(struct notifier *n)
{
	struct subscriber *s = NULL;

	spin_lock_word(&n->lock, LOCK_NOTIFIER);
	if (!list_empty(&n->subscribers)) {
		s = LIST_ENTRY(n->subscribers.next, struct subscriber, link);
		notifier_take_out(n, s);
	}
	spin_unlock_word(&n->lock, LOCK_NOTIFIER);
	return s;
}

void notifier_release(struct notifier *n)
{
	struct subscriber *s;

	spin_lock_word(&n->lock, LOCK_NOTIFIER);
	n->released = true;
	notifier_advance(n, 0, 0);
	spin_unlock_word(&n->lock, LOCK_NOTIFIER);
	while ((s = notifier_take_first(n))) {
		if (s->ops->release)
			s->ops->release(s);
		else
			s->ops->invalidate(s, 0, 0, NOTIFY_EXIT, true);
	}
}
