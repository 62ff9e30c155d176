/*
 * Notifiers; see notifier.h for the protocol.
 *
 * A section is in a list while it is open; the sequence number rises when it ends, and before the
 * subscribers hear of a page. So a reader that began before, in the middle of, or across a section
 * finds it open or the number changed, and then looks at the ranges of the events it missed.
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
	*n = (struct notifier){ .lock = SPINLOCK_INIT(LOCK_NOTIFIER) };
	list_init(&n->subscribers);
	list_init(&n->sections);
	list_init(&n->calls);
}

/* ---- Calling subscribers. ---- */

static void notifier_call_begin(struct notifier *n, struct notifier_call *c)
{
	spin_lock(&n->lock);
	c->next = n->subscribers.next;
	c->busy = NULL;
	c->context = cpu_local()->context;
	list_add_before(&n->calls, &c->link);
	spin_unlock(&n->lock);
}

static struct subscriber *notifier_call_next(struct notifier *n, struct notifier_call *c)
{
	struct subscriber *s = NULL;

	spin_lock(&n->lock);
	if (c->next != &n->subscribers) {
		s = LIST_ENTRY(c->next, struct subscriber, link);
		c->next = c->next->next;
	}
	c->busy = s;
	spin_unlock(&n->lock);
	return s;
}

static void notifier_call_end(struct notifier *n, struct notifier_call *c)
{
	spin_lock(&n->lock);
	list_remove(&c->link);
	spin_unlock(&n->lock);
}

/* Tell everybody, until one refuses. */
static int notifier_invalidate(struct notifier *n, va_t start, va_t end, enum notify_why why,
			       bool may_block)
{
	struct notifier_call call;
	struct subscriber *s;
	int err = 0;

	if (list_empty(&n->subscribers))
		return 0;
	notifier_call_begin(n, &call);
	while (!err && (s = notifier_call_next(n, &call)))
		err = s->ops->invalidate(s, start, end, why, may_block);
	notifier_call_end(n, &call);
	ASSERT(!err || (err == -EAGAIN && !may_block));
	return err;
}

/* ---- Events. ---- */

/* Something has happened to the range: readers at work there must retry. Under lock. */
static void notifier_advance(struct notifier *n, va_t start, va_t end)
{
	uint64_t sequence = n->sequence + 1;

	n->recent[sequence % NOTIFIER_RECENT] = (va_range_t){ start, end };
	__atomic_store_n(&n->sequence, sequence, __ATOMIC_RELEASE);
}

int notifier_start(struct notifier *n, struct notifier_section *section, va_t start, va_t end,
		   enum notify_why why, bool may_block)
{
	int err;

	*section = (struct notifier_section){ .start = start, .end = end, .why = why };
	spin_lock(&n->lock);
	list_add_before(&n->sections, &section->link);
	n->section_count[why]++;
	spin_unlock(&n->lock);
	trace(TRACE_INVALIDATE, start, end);
	err = notifier_invalidate(n, start, end, why, may_block);
	if (!err)
		return 0;
	notifier_end(n, section);
	spin_lock(&n->lock);
	n->section_count[why]--;
	n->refused_count++;
	spin_unlock(&n->lock);
	return err;
}

void notifier_end(struct notifier *n, struct notifier_section *section)
{
	ASSERT(!list_empty(&section->link));
	spin_lock(&n->lock);
	notifier_advance(n, section->start, section->end);
	list_remove(&section->link);
	spin_unlock(&n->lock);
}

void notifier_page(struct notifier *n, va_t start, va_t end, enum notify_why why)
{
	spin_lock(&n->lock);
	notifier_advance(n, start, end);
	n->page_count++;
	spin_unlock(&n->lock);
	notifier_invalidate(n, start, end, why, true);
}

bool notifier_test_young(struct notifier *n, va_t start, va_t end, bool clear)
{
	struct notifier_call call;
	struct subscriber *s;
	bool young = false;

	notifier_call_begin(n, &call);
	while ((s = notifier_call_next(n, &call))) {
		if (s->ops->test_young)
			young |= s->ops->test_young(s, start, end, clear);
	}
	notifier_call_end(n, &call);
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
		const va_range_t *r = &n->recent[sequence % NOTIFIER_RECENT];

		if (notifier_overlap(start, end, r->start, r->end))
			return true;
	}
	return false;
}

bool notifier_read_retry(struct notifier *n, uint64_t sequence, va_t start, va_t end)
{
	bool retry;

	spin_lock(&n->lock);
	retry = n->released || notifier_range_has_changed(n, sequence, start, end) ||
		notifier_range_is_open(n, start, end);
	spin_unlock(&n->lock);
	return retry;
}

bool notifier_is_released(struct notifier *n)
{
	bool released;

	spin_lock(&n->lock);
	released = n->released;
	spin_unlock(&n->lock);
	return released;
}

bool notifier_is_open(struct notifier *n, va_t start, va_t end)
{
	bool open;

	spin_lock(&n->lock);
	open = notifier_range_is_open(n, start, end);
	spin_unlock(&n->lock);
	return open;
}

/* ---- Coming and going. ---- */

int notifier_register(struct notifier *n, struct subscriber *s)
{
	int err = 0;

	spin_lock(&n->lock);
	if (s->notifier)
		err = -EBUSY;
	else if (n->released)
		err = -ENOENT;
	if (!err) {
		s->notifier = n;
		list_add_before(&n->subscribers, &s->link);
	}
	spin_unlock(&n->lock);
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
}

void notifier_unregister(struct subscriber *s)
{
	struct notifier *n = s->notifier;

	if (!n)
		return;
	spin_lock(&n->lock);
	notifier_take_out(n, s);
	while (notifier_is_calling(n, s)) {
		spin_unlock(&n->lock);
		preempt_yield();
		spin_lock(&n->lock);
	}
	spin_unlock(&n->lock);
}

/* The next subscriber to release, taken out of the list. */
static struct subscriber *notifier_take_first(struct notifier *n)
{
	struct subscriber *s = NULL;

	spin_lock(&n->lock);
	if (!list_empty(&n->subscribers)) {
		s = LIST_ENTRY(n->subscribers.next, struct subscriber, link);
		notifier_take_out(n, s);
	}
	spin_unlock(&n->lock);
	return s;
}

void notifier_release(struct notifier *n)
{
	struct subscriber *s;

	spin_lock(&n->lock);
	n->released = true;
	notifier_advance(n, 0, 0);
	spin_unlock(&n->lock);
	while ((s = notifier_take_first(n))) {
		if (s->ops->release)
			s->ops->release(s);
		else
			s->ops->invalidate(s, 0, 0, NOTIFY_EXIT, true);
	}
}
