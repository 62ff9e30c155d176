/*
 * Notifiers; see notifier.h for the protocol.
 *
 * The sequence number rises before a section's subscribers are called and after it ends, so a reader that
 * began before, in the middle of, or across a section sees a change; open sections are
 * asked by range. Locking: the space's operation.
 */
#include <lib/printk.h>
#include <mm/notifier.h>

void notifier_init(struct notifier *n)
{
	*n = (struct notifier){ .sequence = 0 };
	list_init(&n->subscribers);
	list_init(&n->open);
}

/* Close a section; the sequence rises first, so that no reader falls between the two. */
static void notifier_close(struct notifier *n, struct notifier_section *section)
{
	__atomic_add_fetch(&n->sequence, 1, __ATOMIC_RELEASE);
	list_remove(&section->link);
	n->open_count--;
}

int notifier_start(struct notifier *n, struct notifier_section *section, va_t start, va_t end,
		   enum notify_why why, bool may_block)
{
	struct subscriber *s, *next;
	int err = 0;

	*section = (struct notifier_section){ .start = start, .end = end, .why = why };
	list_add_before(&n->open, &section->link);
	n->open_count++;
	__atomic_add_fetch(&n->sequence, 1, __ATOMIC_RELEASE);
	list_for_each_safe(s, next, &n->subscribers, link) {
		err = s->ops->invalidate(s, start, end, why, may_block);
		ASSERT(!err || !may_block);
		if (err)
			break;
	}
	if (err)
		notifier_close(n, section);
	else
		n->section_count[why]++;
	return err;
}

void notifier_end(struct notifier *n, struct notifier_section *section)
{
	ASSERT(n->open_count > 0);
	notifier_close(n, section);
}

void notifier_page(struct notifier *n, va_t start, va_t end, enum notify_why why)
{
	struct subscriber *s, *next;

	__atomic_add_fetch(&n->sequence, 1, __ATOMIC_RELEASE);
	n->page_count++;
	list_for_each_safe(s, next, &n->subscribers, link) {
		int err = s->ops->invalidate(s, start, end, why, true);

		ASSERT_EQ(err, 0);
	}
}

bool notifier_test_young(struct notifier *n, va_t start, va_t end, bool clear)
{
	struct subscriber *s, *next;
	bool young = false;

	list_for_each_safe(s, next, &n->subscribers, link) {
		if (s->ops->test_young)
			young |= s->ops->test_young(s, start, end, clear);
	}
	return young;
}

uint64_t notifier_read_begin(const struct notifier *n)
{
	return __atomic_load_n(&n->sequence, __ATOMIC_ACQUIRE);
}

bool notifier_read_retry(const struct notifier *n, uint64_t sequence, va_t start, va_t end)
{
	const struct notifier_section *open;

	if (__atomic_load_n(&n->sequence, __ATOMIC_ACQUIRE) != sequence)
		return true;
	list_for_each(open, &n->open, link) {
		if (open->start < end && start < open->end)
			return true;
	}
	return false;
}

int notifier_register(struct notifier *n, struct subscriber *s)
{
	if (s->notifier)
		return -EBUSY;
	s->notifier = n;
	list_add_before(&n->subscribers, &s->link);
	return 0;
}

void notifier_unregister(struct subscriber *s)
{
	if (!s->notifier)
		return;
	list_remove(&s->link);
	s->notifier = NULL;
}

void notifier_release(struct notifier *n)
{
	struct subscriber *s, *next;

	list_for_each_safe(s, next, &n->subscribers, link) {
		notifier_unregister(s);
		if (s->ops->release)
			s->ops->release(s);
	}
}
