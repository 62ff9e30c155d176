/*
 * Mirrors: the subscriber's side and the reader pattern; see mirror.h. Knows no format.
 *
 * Every operation on the table collects what it made stale; mirror_settle flushes the device once,
 * however many pages there were, and only then frees tables. It runs before an invalidation
 * returns, so before the space can free the pages.
 */
#include <lib/preempt.h>
#include <lib/printk.h>
#include <mm/fault.h>
#include <mm/mirror.h>
#include <mm/pool.h>
#include <mm/space.h>

#define MIRROR_ROUNDS_MAX 16 /* without progress, then -EAGAIN */

struct list mirror_list = LIST_INIT(mirror_list);
struct spinlock mirror_list_lock = SPINLOCK_INIT(LOCK_MIRRORS);
static struct pool mirror_pool = POOL_INIT(mirror_pool, struct mirror);

/* ---- What is stale: flush once, then free. ---- */

void mirror_stale_range(struct mirror_stale *stale, va_t start, va_t last)
{
	if (!stale->any || start < stale->start)
		stale->start = start;
	if (!stale->any || last > stale->last)
		stale->last = last;
	stale->any = true;
}

/* Tables out of the tree are chained through their meta, which nobody needs any more but for the
 * flag that tells iterators; their entries stay as they are until no walker can be in them. */
void mirror_stale_table(struct mirror_stale *stale, struct frame *f)
{
	f->meta.flags |= MIRROR_TABLE_DEAD;
	f->meta.summary = (uintptr_t)stale->tables;
	stale->tables = f;
}

static void mirror_free_tables(struct mirror_stale *stale)
{
	struct frame *f, *next;

	for (f = stale->tables; f; f = next) {
		next = (struct frame *)(uintptr_t)f->meta.summary;
		frame_put(f);
	}
}

static void mirror_settle(struct mirror *m, struct mirror_stale *stale)
{
	if (stale->any || stale->tables) {
		if (!stale->any) { /* only directories */
			stale->start = m->root.first;
			stale->last = m->root.last;
		}
		m->stats.flush_count++;
		m->device->flush(m, stale->start, stale->last, stale->tables);
	}
	mirror_free_tables(stale);
}

/* The part of [start, end) that the mirror can have; false if there is none. */
static bool mirror_clip(const struct mirror *m, va_t start, va_t end, va_t *last)
{
	*last = end - 1 < m->root.last ? end - 1 : m->root.last;
	return start <= *last;
}

/* ---- The subscriber. ---- */

static struct mirror *mirror_of(struct subscriber *s)
{
	return CONTAINER_OF(s, struct mirror, subscriber);
}

static bool mirror_has_any(struct mirror *m, va_t start, va_t last)
{
	struct pt_iter it;
	struct pt_span span;
	bool any;

	m->format->iter_init(&it, &m->root, start, last + 1);
	any = m->format->iter_next(&it, &span);
	m->format->iter_fini(&it);
	return any;
}

/*
 * Tables that an unmapped range leaves empty go; those of a range that was protected, copied or
 * moved will be filled again by the device's next access and stay. Under m->lock.
 */
static NOINLINE int mirror_drop_some(struct mirror *m, va_t start, va_t last, enum notify_why why,
				     bool may_block)
{
	struct mirror_stale stale = { .any = false };

	if (!may_block && m->device->flush_sleeps && mirror_has_any(m, start, last)) {
		m->stats.refused_count++;
		return -EAGAIN;
	}
	m->format->drop(m, start, last, why == NOTIFY_UNMAP || why == NOTIFY_EXIT, &stale);
	mirror_settle(m, &stale);
	return 0;
}

static int mirror_invalidate(struct subscriber *s, va_t start, va_t end, enum notify_why why,
			     bool may_block)
{
	struct mirror *m = mirror_of(s);
	int err = 0;
	va_t last;

	if (!mirror_clip(m, start, end, &last))
		return 0;
	spin_lock(&m->lock);
	m->stats.invalidate_count++;
	if (m->format->touches(&m->root, start, last))
		err = mirror_drop_some(m, start, last, why, may_block);
	spin_unlock(&m->lock);
	return err;
}

static bool mirror_test_young(struct subscriber *s, va_t start, va_t end, bool clear)
{
	struct mirror *m = mirror_of(s);
	struct mirror_stale stale = { .any = false };
	bool young;
	va_t last;

	if (!mirror_clip(m, start, end, &last))
		return false;
	spin_lock(&m->lock);
	young = m->format->test_young(m, start, last, clear, &stale);
	mirror_settle(m, &stale);
	spin_unlock(&m->lock);
	return young;
}

static void mirror_drop_all(struct mirror *m)
{
	struct mirror_stale stale = { .any = false };

	spin_lock(&m->lock);
	m->format->drop(m, m->root.first, m->root.last, true, &stale);
	mirror_settle(m, &stale);
	spin_unlock(&m->lock);
}

static void mirror_release(struct subscriber *s)
{
	struct mirror *m = mirror_of(s);

	mirror_drop_all(m);
	spin_lock(&m->lock);
	m->space = NULL;
	while (m->user_count) { /* they find the notifier released, and go */
		spin_unlock(&m->lock);
		preempt_yield();
		spin_lock(&m->lock);
	}
	spin_unlock(&m->lock);
}

static const struct subscriber_ops mirror_subscriber_ops = {
	.invalidate = mirror_invalidate,
	.test_young = mirror_test_young,
	.release = mirror_release,
};

/* ---- Making and destroying. ---- */

struct mirror *mirror_create(struct space *space, const struct mirror_format *format,
			     unsigned top_level, const struct mirror_device *device)
{
	struct mirror *m = pool_alloc(&mirror_pool);
	int err;

	ASSERT(top_level < format->level_count);
	if (!m)
		return NULL;
	m->space = space;
	m->format = format;
	m->device = device;
	m->subscriber.ops = &mirror_subscriber_ops;
	spin_init(&m->lock, LOCK_MIRROR);
	err = format->open(m, top_level);
	if (!err) {
		err = notifier_register(&space->notifier, &m->subscriber);
		if (err)
			format->close(m);
	}
	if (err) {
		pool_free(&mirror_pool, m);
		return NULL;
	}
	spin_lock(&mirror_list_lock);
	list_add_before(&mirror_list, &m->link);
	spin_unlock(&mirror_list_lock);
	return m;
}

/* What is mapped goes while the mirror still hears of what the space frees. */
void mirror_destroy(struct mirror *m)
{
	spin_lock(&mirror_list_lock);
	list_remove(&m->link);
	spin_unlock(&mirror_list_lock);
	mirror_drop_all(m);
	notifier_unregister(&m->subscriber);
	m->format->close(m);
	pool_free(&mirror_pool, m);
}

/* ---- The reader pattern. ---- */

static int mirror_check(const struct mirror *m, va_t start, va_t end)
{
	if (((start | end) & (PAGE_SIZE - 1)) || start == end)
		return -EINVAL;
	return start <= end - 1 && end - 1 <= m->root.last ? 0 : -ERANGE;
}

/* The space, which does not go away until mirror_put_space; or NULL. */
static struct space *mirror_get_space(struct mirror *m)
{
	struct space *space;

	spin_lock(&m->lock);
	space = m->space;
	m->user_count += space != NULL;
	spin_unlock(&m->lock);
	return space;
}

static void mirror_put_space(struct mirror *m)
{
	spin_lock(&m->lock);
	m->user_count--;
	spin_unlock(&m->lock);
}

/* A fill in progress. */
struct mirror_job {
	struct mirror *m;
	struct space *space;
	va_t va, last; /* still to do */
	pt_attr_t access;
	bool fault; /* bring what is missing; otherwise pass over it */
};

/* Leave out device windows: they are nobody's memory. The number of spans before the first one. */
static unsigned mirror_ordinary(const struct space_span *span, unsigned count)
{
	unsigned i = 0;

	while (i < count && !(span[i].attr & PT_UC))
		i++;
	return i;
}

static int mirror_establish(struct mirror_job *j, uint64_t sequence, va_t end,
			    const struct space_span *span, unsigned count)
{
	struct mirror *m = j->m;
	struct mirror_stale stale = { .any = false };
	int err = -EAGAIN;

	if (UNLIKELY(m->retry_skip))
		m->retry_skip(&j->space->notifier, sequence, j->va, end);
	spin_lock(&m->lock);
	if (notifier_read_retry(&j->space->notifier, sequence, j->va, end) && !m->retry_skip) {
		m->stats.retry_count++;
	} else {
		err = m->format->fill(m, span, count, j->access, &stale);
		mirror_settle(m, &stale);
	}
	spin_unlock(&m->lock);
	return err;
}

/* One round: look up a batch, establish it, move on. Returns -EAGAIN if it must be done again. */
static int mirror_round(struct mirror_job *j)
{
	struct space_snapshot seen;
	const struct space_span *span = seen.span;
	uint64_t sequence = notifier_read_begin(&j->space->notifier);
	unsigned ordinary;
	va_t next = j->va;
	int err = 0;

	space_snapshot(j->space, &next, j->last, j->fault ? j->access : 0, &seen);
	ordinary = mirror_ordinary(span, seen.count);
	if (ordinary < seen.count && j->fault && !ordinary)
		return -EFAULT;
	if (ordinary < seen.count)
		next = j->fault ? span[ordinary].va : span[ordinary].last + 1;
	if (ordinary) {
		err = mirror_establish(j, sequence, next, span, ordinary);
	} else if (!seen.count && j->fault) {
		__atomic_add_fetch(&j->m->stats.fault_count, 1, __ATOMIC_RELAXED);
		return space_fault(j->space, j->va, j->access & PT_W ? PT_W : PT_R);
	}
	if (!err)
		j->va = next;
	return err;
}

/* A round that must be done again: at once, or is a section in the way that may last? */
static int mirror_try_again(const struct mirror_job *j)
{
	struct notifier *n = &j->space->notifier;

	if (notifier_is_released(n))
		return -ENOENT;
	return notifier_is_open(n, j->va, j->last + 1) ? -EAGAIN : 0;
}

static int mirror_rounds(struct mirror_job *j)
{
	unsigned idle = 0;

	while (j->va <= j->last) {
		va_t before = j->va;
		int err = mirror_round(j);

		if (err == -EAGAIN)
			err = mirror_try_again(j);
		if (err)
			return err;
		idle = j->va == before ? idle + 1 : 0;
		if (idle == MIRROR_ROUNDS_MAX)
			return -EAGAIN;
	}
	return 0;
}

static int mirror_run(struct mirror_job *j)
{
	int err = mirror_check(j->m, j->va, j->last + 1);

	if (err)
		return err;
	j->space = mirror_get_space(j->m);
	if (!j->space)
		return -ENOENT;
	err = mirror_rounds(j);
	mirror_put_space(j->m);
	return err;
}

int mirror_fault(struct mirror *m, va_t start, va_t end, pt_attr_t access)
{
	return mirror_run(&(struct mirror_job){
		.m = m, .va = start, .last = end - 1, .access = access | PT_R, .fault = true });
}

int mirror_snapshot(struct mirror *m, va_t start, va_t end)
{
	return mirror_run(&(struct mirror_job){
		.m = m, .va = start, .last = end - 1, .access = PT_R, .fault = false });
}

/* ---- Dirty bits. ---- */

int mirror_harvest(struct mirror *m, va_t start, va_t end)
{
	struct mirror_stale stale = { .any = false };
	int err = mirror_check(m, start, end);

	if (err)
		return err;
	spin_lock(&m->lock);
	m->format->harvest(m, start, end - 1, &stale);
	mirror_settle(m, &stale);
	spin_unlock(&m->lock);
	return 0;
}

/* ---- Looking. ---- */

struct pt_span mirror_translate(struct mirror *m, va_t va)
{
	struct pt_span span;

	spin_lock(&m->lock);
	span = m->format->translate(&m->root, va);
	spin_unlock(&m->lock);
	return span;
}

void mirror_count(struct mirror *m, uint64_t leaf[PT_LEVEL_MAX])
{
	spin_lock(&m->lock);
	m->format->count(&m->root, leaf);
	spin_unlock(&m->lock);
}

int mirror_iter_init(struct mirror_iter *it, struct mirror *m, va_t start, va_t end)
{
	int err;

	it->mirror = m;
	spin_lock(&m->lock);
	err = m->format->iter_init(&it->it, &m->root, start, end);
	spin_unlock(&m->lock);
	return err;
}

bool mirror_iter_next(struct mirror_iter *it, struct pt_span *span)
{
	bool found;

	spin_lock(&it->mirror->lock);
	found = it->mirror->format->iter_next(&it->it, span);
	spin_unlock(&it->mirror->lock);
	return found;
}

void mirror_iter_fini(struct mirror_iter *it)
{
	spin_lock(&it->mirror->lock);
	it->mirror->format->iter_fini(&it->it);
	spin_unlock(&it->mirror->lock);
}

int mirror_walk(struct mirror *m, va_t start, va_t end,
		int (*fn)(void *arg, const struct pt_span *span), void *arg)
{
	struct mirror_iter it;
	struct pt_span span;
	int r = mirror_iter_init(&it, m, start, end);

	while (!r && mirror_iter_next(&it, &span))
		r = fn(arg, &span);
	mirror_iter_fini(&it);
	return r;
}
