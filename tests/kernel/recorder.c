/* The recording subscriber; see recorder.h. */
#include <tests/kernel/recorder.h>

static struct recorder *recorder_of(struct subscriber *s)
{
	return CONTAINER_OF(s, struct recorder, subscriber);
}

static int recorder_invalidate(struct subscriber *s, va_t start, va_t end, enum notify_why why,
			       bool may_block)
{
	struct recorder *r = recorder_of(s);

	if (r->refuse && !may_block)
		return -EAGAIN;
	if (r->count < RECORDER_MAX)
		r->event[r->count] = (struct recorded){ start, end, why };
	r->count++;
	if (r->hook)
		r->hook(r);
	return 0;
}

static bool recorder_test_young(struct subscriber *s, va_t start, va_t end, bool clear)
{
	struct recorder *r = recorder_of(s);
	bool young = r->young;

	(void)start, (void)end;
	r->young_count++;
	r->young &= !clear;
	return young;
}

static void recorder_release(struct subscriber *s)
{
	recorder_of(s)->release_count++;
}

static const struct subscriber_ops recorder_ops = {
	.invalidate = recorder_invalidate,
	.test_young = recorder_test_young,
	.release = recorder_release,
};

void recorder_init(struct recorder *r)
{
	*r = (struct recorder){ .subscriber.ops = &recorder_ops };
}

int recorder_register(struct recorder *r, struct notifier *n)
{
	int err = notifier_register(n, &r->subscriber);

	notifier_read_retry(n, 0, 0, 0); /* to hear of everything, read everything */
	return err;
}

bool recorder_saw(const struct recorder *r, unsigned i, va_t start, va_t end, enum notify_why why)
{
	const struct recorded *e = &r->event[i];

	return i < r->count && e->start == start && e->end == end && e->why == why;
}
