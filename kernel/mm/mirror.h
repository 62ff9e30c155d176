/*
 * Mirrors: secondary tables, in any format, that follow a space through its notifier.
 *
 * A mirror holds a subset of what its space translates, with no more rights, at every moment
 * outside an open section; what it lacks, mirror_fault brings. Nobody but the mirror changes its
 * table; a walker (a device) only reads it and may set young and dirty bits. Entries hold no
 * reference on the pages they map: before a page can go, the space's section has dropped the
 * entry and the device has forgotten it.
 *
 * Locking: m->lock protects the table; invalidations take it. It is taken before the notifier's
 * lock and never held while the space is asked or faulted. While it is held, what the mirror maps
 * stays mapped in the space, as a section for it would wait for the lock. Talks to: notifier,
 * snapshot, fault; the format's table through struct mirror_format.
 */
#pragma once

#include <mm/notifier.h>
#include <mm/pt/pt_types.h>
#include <mm/snapshot.h>

struct frame;
struct mirror;

/* Who walks the mirror's table. */
struct mirror_device {
	/*
	 * Forget what was read of the table for [start, last]; with `tables`, directories too, as
	 * some will be reused. On return, accesses that used it are finished. Must not sleep
	 * unless flush_sleeps.
	 */
	void (*flush)(struct mirror *m, va_t start, va_t last, bool tables);
	bool flush_sleeps;
	/* The walker sets PT_YOUNG and PT_DIRTY. If not, what it may write counts as written. */
	bool tracks;
};

/* What has been done since the mirror was made; for tests and people. */
struct mirror_stats {
	uint64_t invalidate_count; /* callbacks */
	uint64_t refused_count;
	uint64_t dropped_leaves;
	uint64_t filled_leaves;
	uint64_t upgraded_leaves;
	uint64_t flush_count;
	uint64_t fault_count; /* asked of the space */
	uint64_t retry_count; /* rounds done again because of an invalidation */
};

struct mirror {
	struct subscriber subscriber;
	struct list link; /* in mirror_list */
	const struct mirror_format *format;
	const struct mirror_device *device;
	struct spinlock lock;
	/* under lock */
	struct space *space; /* NULL once it has gone away */
	unsigned user_count; /* threads that work on the space for the mirror: release waits */
	struct pt_root root;
	struct pt_owner owner;
	struct mirror_stats stats;
	/* For tests: called in place of looking again; what may be stale is established then. */
	void (*retry_skip)(struct notifier *n, uint64_t sequence, va_t start, va_t end);
};

/* Every mirror there is, for reports and checks, and the lock of the list. */
extern struct list mirror_list;
extern struct spinlock mirror_list_lock;

/* What one operation made stale. Filled in by the format's table, ended by mirror.c. */
struct mirror_stale {
	bool any; /* something in [start, last] */
	va_t start, last;
	struct frame *tables; /* taken out of the tree, to be freed after the flush */
};

/* For formats: add a range, of dropped or changed leaves; a table that is out of the tree. */
void mirror_stale_range(struct mirror_stale *stale, va_t start, va_t last);
void mirror_stale_table(struct mirror_stale *stale, struct frame *f);
#define MIRROR_TABLE_DEAD 1 /* in pt_meta.flags: out of the tree */

/*
 * A format's table operations (mirror_table.h makes them). Called under m->lock; addresses lie in
 * the root; `last` is inclusive.
 */
struct mirror_format {
	unsigned level_count;
	int (*open)(struct mirror *m, unsigned top_level);
	void (*close)(struct mirror *m);
	/* Map the spans, at least with `access`. -ENOMEM: some. */
	int (*fill)(struct mirror *m, const struct space_span *span, unsigned count,
		    pt_attr_t access, struct mirror_stale *stale);
	/* May there be anything to drop in the range? A quick answer; "yes" may be wrong. */
	bool (*touches)(const struct pt_root *root, va_t start, va_t last);
	/* Drop every leaf that lies in the range or reaches into it; prune: also empty tables. */
	void (*drop)(struct mirror *m, va_t start, va_t last, bool prune,
		     struct mirror_stale *stale);
	/* Collect dirty bits into the space, and clear them. */
	void (*harvest)(struct mirror *m, va_t start, va_t last, struct mirror_stale *stale);
	bool (*test_young)(struct mirror *m, va_t start, va_t last, bool clear,
			   struct mirror_stale *stale);
	struct pt_span (*translate)(const struct pt_root *root, va_t va);
	void (*count)(const struct pt_root *root, uint64_t leaf[PT_LEVEL_MAX]);
	int (*dump)(const struct pt_root *root, va_t start, va_t end,
		    void (*fn)(void *arg, const struct pt_span *span), void *arg);
	int (*iter_init)(struct pt_iter *it, const struct pt_root *root, va_t start, va_t end);
	bool (*iter_next)(struct pt_iter *it, struct pt_span *span);
	int (*iter_fini)(struct pt_iter *it);
};

/*
 * A mirror of `space`, empty, with a table of top_level + 1 levels; addresses that those do not
 * reach are out of its range. Several mirrors of one space are several subscribers.
 *
 * Returns NULL if there is no memory or the space is going away.
 */
struct mirror *mirror_create(struct space *space, const struct mirror_format *format,
			     unsigned top_level, const struct mirror_device *device);

/* Drop everything and free the mirror. The device must not walk the table any more. */
void mirror_destroy(struct mirror *m);

/*
 * Make [start, end) accessible to the device for `access` (PT_R or PT_R | PT_W) through the space's
 * own fault handling: memory is made, swapped in, or copied if it is shared copy-on-write.
 *
 * Writable pages are mapped writable if W is asked for, or if they are dirty already. Returns 0,
 * -ERANGE (beyond the table's addresses: nothing has changed), -EINVAL, -EFAULT (the space does
 * not allow it, or it is a device window), -ENOMEM, -ENOENT (the space has gone), -EAGAIN (a
 * section is open there: again after it). On failure the pages before it stay mapped.
 */
int mirror_fault(struct mirror *m, va_t start, va_t end, pt_attr_t access);

/* Mirror what is there in [start, end), without any fault; read-only unless dirty. Same errors. */
int mirror_snapshot(struct mirror *m, va_t start, va_t end);

/* Move the dirty bits of [start, end) to the space's entries. -ERANGE, -EINVAL. */
int mirror_harvest(struct mirror *m, va_t start, va_t end);

/* What the device sees at va. */
struct pt_span mirror_translate(struct mirror *m, va_t va);

/*
 * A driver's own loop over what is mapped: see pt_iter.h. The lock is taken inside every call, not
 * between them; the entry that `span` was read from may change, but is never another's.
 */
struct mirror_iter {
	struct mirror *mirror;
	struct pt_iter it;
};
int mirror_iter_init(struct mirror_iter *it, struct mirror *m, va_t start, va_t end);
bool mirror_iter_next(struct mirror_iter *it, struct pt_span *span);
void mirror_iter_fini(struct mirror_iter *it);

/* The same as a callback: fn for each leaf of [start, end) until one returns non-zero, which is
 * returned. */
int mirror_walk(struct mirror *m, va_t start, va_t end,
		int (*fn)(void *arg, const struct pt_span *span), void *arg);

/* How many leaves it has by level, found by walking. Tables are in m->owner. */
void mirror_count(struct mirror *m, uint64_t leaf[PT_LEVEL_MAX]);
