/*
 * Telling secondary MMUs: subscribers of a space hear of every translation that goes or shrinks.
 *
 * A change that makes holes or takes rights runs inside a *section*:
 *
 *   notifier_start(n, &section, start, end, why, may_block)   subscribers drop the range
 *   ... entries change, the CPU's TLBs are flushed, frames are freed ...
 *   notifier_end(n, &section)
 *
 * Between the two no subscriber may establish anything in the range. The reader pattern sees to it;
 * an author of a subscriber copies this (mirror.c does):
 *
 *   again:
 *           seq = notifier_read_begin(n);           // waits for nothing
 *           look the range up in the space, fault in what is missing
 *           take the lock that the subscriber's own invalidate takes
 *           if (notifier_read_retry(n, seq, start, end)) {
 *                   release it
 *                   goto again;                     // or -EAGAIN while notifier_is_open
 *           }
 *           establish the secondary entries
 *           release it
 *
 * Why this is enough: what was looked up is stale only if a section that overlaps the range is
 * open or has ended since read_begin, or a page event came since. If that was before the check,
 * the check says so; if after, its invalidate waits for the lock and then finds the entries.
 *
 * A subscriber is called for ranges that readers have asked notifier_read_retry about since anybody
 * is registered, and not for others, where nobody has anything (cover.h: sometimes for a little
 * more). So an event where nothing is mirrored costs next to nothing.
 *
 * A single page whose entry gave no right to write and was replaced (copy on write) needs no
 * section: notifier_page comes after the CPU's flush, while the old frame still has an edge, and
 * blocks no secondary fault. (A writable page needs a section: what the device writes to the old
 * frame after it was copied would be lost.)
 *
 * Sections nest, overlap and repeat. A subscriber that registers while sections are open has
 * nothing to drop yet, and the open sections make its readers retry until they end; it hears of
 * no end, so an end without a start is nothing it could see. Subscribers may come and go inside
 * callbacks.
 *
 * Ranges are [start, end), where end == 0 means 2^64.
 *
 * Locking: n->lock is a leaf, below the subscribers' locks; callbacks run without it.
 */
#pragma once

#include <lib/list.h>
#include <lib/spinlock.h>
#include <mm/cover.h>
#include <mm/pt/pt_types.h>

enum notify_why {
	NOTIFY_UNMAP,
	NOTIFY_PROTECT,
	NOTIFY_COW,     /* fork write-protects; or a write fault replaced a page */
	NOTIFY_MIGRATE, /* same contents elsewhere: swap, merge */
	NOTIFY_EXIT,    /* the space goes away */
};

struct notifier;

struct subscriber {
	struct list link;
	const struct subscriber_ops *ops;
	struct notifier *notifier; /* while registered */
};

struct subscriber_ops {
	/* Drop every secondary translation in [start, end). Returns 0, or -EAGAIN if it would
	 * have to sleep and may_block is false; then nobody's range counts as dropped. Repeats
	 * are harmless. */
	int (*invalidate)(struct subscriber *s, va_t start, va_t end, enum notify_why why,
			  bool may_block);
	/* Was any page in [start, end) used through the secondary MMU? May clear it. Optional. */
	bool (*test_young)(struct subscriber *s, va_t start, va_t end, bool clear);
	/* The space goes away: drop everything, now; no further call comes. Optional: without it,
	 * an invalidate of everything, with NOTIFY_EXIT. */
	void (*release)(struct subscriber *s);
};

/* How many events are remembered by their range, so that a reader elsewhere need not retry. */
#define NOTIFIER_RECENT 16

struct notifier_range {
	va_t start, end;
};

struct notifier {
	uint64_t sequence; /* rises by one with every end and page; read without the lock */
	uint32_t lock;     /* spin_lock_word */
	/* under lock */
	bool released;
	struct cover cover; /* where readers have been */
	struct list subscribers, sections, calls;
	struct notifier_range
		recent[NOTIFIER_RECENT];    /* at n % NOTIFIER_RECENT: what made sequence n */
	uint64_t page_count, refused_count; /* the rest of `sequence` are sections */
};

/* One section, on the stack of the operation. */
struct notifier_section {
	struct list link;
	va_t start, end;
};

void notifier_init(struct notifier *n);

/*
 * Open a section for [start, end).
 *
 * Returns 0, or -EAGAIN if may_block is false and a subscriber refused: then nothing is open.
 * Those who had been told before it have dropped the range for nothing, which is harmless.
 */
int notifier_start(struct notifier *n, struct notifier_section *section, va_t start, va_t end,
		   enum notify_why why, bool may_block);
void notifier_end(struct notifier *n, struct notifier_section *section);

/* The entry of [start, end), which gave no W, was replaced and flushed; its frame still has an
 * edge. */
void notifier_page(struct notifier *n, va_t start, va_t end, enum notify_why why);

/* Was any page of the range used by a secondary MMU? Asks all of them, so that all can clear. */
bool notifier_test_young(struct notifier *n, va_t start, va_t end, bool clear);

/* The reader pattern; see above. Retry: has anything happened to the range since, or is a section
 * open? From then on subscribers hear of the range. */
uint64_t notifier_read_begin(const struct notifier *n);
bool notifier_read_retry(struct notifier *n, uint64_t sequence, va_t start, va_t end);
/* Is the space going away? */
bool notifier_is_released(struct notifier *n);
/* Is a section open that has to do with the range? A reader would retry until it ends. */
bool notifier_is_open(struct notifier *n, va_t start, va_t end);

/* Subscribe. -EBUSY if the subscriber is registered already, -ENOENT if the space is going away. */
int notifier_register(struct notifier *n, struct subscriber *s);
/*
 * Unsubscribe; harmless if it is not registered. No call begins afterwards, and none is under way
 * but one that the caller itself is in. May sleep. The space must not be going away meanwhile: who
 * destroys a space sees to that.
 */
void notifier_unregister(struct subscriber *s);
/* The space exits: every subscriber is released, and none can come. */
void notifier_release(struct notifier *n);
