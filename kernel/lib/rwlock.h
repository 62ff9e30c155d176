/*
 * Locks for many readers, who must not slow each other down, and rare writers, who pay for it.
 *
 * A reader notes the lock in a slot of its own CPU and looks whether there is a writer: two readers
 * on different CPUs write no line in common. A writer says so first and looks into the slots of all
 * CPUs then; either sees the other. More readers on one CPU than it has slots count in the lock.
 *
 *   reader                      writer
 *     slot[cpu] = lock            lock.writer = me
 *     (full barrier)              (full barrier)
 *     lock.writer? give way       slot[each cpu] == lock? wait
 *
 * Whoever waits yields its CPU; holders may sleep and be preempted, but not be in an interrupt.
 * Readers give way to a writer that waits, so a thread must not take the lock twice. One of those
 * who have waited for long, be it to read or to write, is `next`: the writer that goes gives the
 * lock to it and wakes its CPU. Else a CPU that looks once a tick could find it taken every time,
 * by another that takes it again at once. The slots need no memory in the lock.
 *
 * Locking: it is one; classes with LOCK_FLAG_SLEEP. Talks to: lib/preempt, lib/lock_check.
 */
#pragma once

#include <lib/lock_check.h>
#include <lib/preempt.h>

struct rwlock {
	uint32_t writer;        /* 1 + CPU of the writer that has the lock or is next; 0: none */
	uint32_t waiting;       /* those who wait, readers and writers */
	uint32_t overflow;      /* readers without a slot */
	uint8_t class;          /* enum lock_class */
	struct rw_waiter *next; /* atomic */
};

#define RWLOCK_INIT(class_)       \
	{                         \
		.class = (class_) \
	}

static inline void rw_init(struct rwlock *l, enum lock_class class)
{
	*l = (struct rwlock)RWLOCK_INIT(class);
}

/* Take it; wait if need be. _nested: inside another of its class taken with a smaller `nesting`. */
#define rw_read_lock(l) rw_read_lock_at(l, 0, LOCK_SITE)
#define rw_read_lock_nested(l, nesting) rw_read_lock_at(l, nesting, LOCK_SITE)
#define rw_read_trylock(l) rw_read_trylock_at(l, LOCK_SITE)
#define rw_read_unlock(l) rw_read_unlock_at(l, LOCK_SITE)
#define rw_write_lock(l) rw_write_lock_at(l, 0, LOCK_SITE)
#define rw_write_lock_nested(l, nesting) rw_write_lock_at(l, nesting, LOCK_SITE)
#define rw_write_trylock(l) rw_write_trylock_at(l, LOCK_SITE)
#define rw_write_unlock(l) rw_write_unlock_at(l, LOCK_SITE)

void rw_read_lock_at(struct rwlock *l, unsigned nesting, const struct lock_site *site);
/* Returns whether it was free of writers. May be called where sleeping is not allowed. */
bool rw_read_trylock_at(struct rwlock *l, const struct lock_site *site);
void rw_read_unlock_at(struct rwlock *l, const struct lock_site *site);
void rw_write_lock_at(struct rwlock *l, unsigned nesting, const struct lock_site *site);
/* Returns whether it was free of readers and writers. */
bool rw_write_trylock_at(struct rwlock *l, const struct lock_site *site);
void rw_write_unlock_at(struct rwlock *l, const struct lock_site *site);

/* Should a holder let go at the next convenient point, because others wait or its CPU is wanted? */
static inline bool rw_needbreak(const struct rwlock *l)
{
	return READ_ONCE(l->waiting) || need_resched();
}

/* Is it held for writing (or as good as: a writer waits for the last readers)? */
static inline bool rw_is_write_locked(const struct rwlock *l)
{
	return READ_ONCE(l->writer) != 0;
}
