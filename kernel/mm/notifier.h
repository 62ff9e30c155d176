/*
 * Telling secondary MMUs: subscribers of a space hear of every translation that goes or shrinks.
 *
 * A change that makes holes or takes rights runs inside a *section*:
 *
 *   notifier_start(&space->notifier, start, end, why, may_block)  subscribers drop the range
 *   ... entries change, the CPU's TLBs are flushed, frames are freed ...
 *   notifier_end(&space->notifier, start, end, why)
 *
 * Between the two no subscriber may establish anything in the range; the reader pattern sees to it:
 *
 *   do {
 *           seq = notifier_read_begin(n);           // waits for nothing
 *           look the address up in the space, or fault it in
 *           take the subscriber's own lock (the one its invalidate takes)
 *           if (notifier_read_retry(n, seq, start, end)) { unlock; continue; }
 *           establish the secondary entry
 *           unlock
 *   } while (0);
 *
 * A single page whose entry was replaced (copy on write) needs no section: notifier_page comes
 * after the CPU's flush, while the old frame still has an edge, and blocks no secondary fault.
 *
 * Sections nest, overlap and repeat. A subscriber that registers while sections are open has
 * nothing to drop yet, and the open sections make its readers retry until they end, so it can
 * establish nothing that one is removing. Locking: the space's operation.
 */
#ifndef MM_NOTIFIER_H
#define MM_NOTIFIER_H

#include <lib/list.h>
#include <mm/pt/pt_types.h>

enum notify_why {
	NOTIFY_UNMAP,
	NOTIFY_PROTECT,
	NOTIFY_COW,     /* fork write-protects; or a write fault replaced a page */
	NOTIFY_MIGRATE, /* same contents elsewhere: swap, merge */
	NOTIFY_EXIT,
	NOTIFY_WHY_COUNT,
};

struct notifier;

struct subscriber {
	struct list link;
	const struct subscriber_ops *ops;
	struct notifier *notifier; /* while registered */
};

struct subscriber_ops {
	/* Drop every secondary translation in [start, end). Returns 0, or -EAGAIN if it would have to
	 * sleep and may_block is false; then nobody's range counts as dropped. Repeats are harmless. */
	int (*invalidate)(struct subscriber *s, va_t start, va_t end, enum notify_why why,
			  bool may_block);
	/* Was any page in [start, end) used through the secondary MMU? May clear it. Optional. */
	bool (*test_young)(struct subscriber *s, va_t start, va_t end, bool clear);
	/* The space goes away: drop everything, now; no further call comes. Optional. */
	void (*release)(struct subscriber *s);
};

struct notifier {
	struct list subscribers;
	uint64_t sequence;   /* rises with every section's start and end, and every page */
	unsigned open_count; /* sections between start and end */
	struct list open;    /* their ranges */
	uint64_t section_count[NOTIFY_WHY_COUNT], page_count;
};

/* One section, on the stack of the operation. */
struct notifier_section {
	struct list link;
	va_t start, end;
	enum notify_why why;
};

void notifier_init(struct notifier *n);

/*
 * Open a section for [start, end).
 *
 * Returns 0, or -EAGAIN if may_block is false and a subscriber refused; those who had been told
 * before it see the section's end, and nothing is open.
 */
int notifier_start(struct notifier *n, struct notifier_section *section, va_t start, va_t end,
		   enum notify_why why, bool may_block);
void notifier_end(struct notifier *n, struct notifier_section *section);

/* The entry of one page, [start, end), was replaced and flushed; its old frame still has an edge. */
void notifier_page(struct notifier *n, va_t start, va_t end, enum notify_why why);

/* Was any page of the range used by a secondary MMU? */
bool notifier_test_young(struct notifier *n, va_t start, va_t end, bool clear);

/* The reader pattern; see above. */
uint64_t notifier_read_begin(const struct notifier *n);
bool notifier_read_retry(const struct notifier *n, uint64_t sequence, va_t start, va_t end);

/* Subscribe; -EBUSY if the subscriber is registered already. */
int notifier_register(struct notifier *n, struct subscriber *s);
/* Unsubscribe: no call comes afterwards. */
void notifier_unregister(struct subscriber *s);
/* The space exits: release every subscriber. */
void notifier_release(struct notifier *n);

#endif
