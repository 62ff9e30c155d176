/*
 * The lock checker of test builds: every lock that is taken goes by the declared order, is not held
 * already, fits the context (interrupts, preemption), and is released by who holds it.
 *
 * What it finds is a bug at the file:line of the caller, found before the lock is touched: a
 * test may EXPECT_BUG it, any other test fails by it. No cost at all with PTOLEMY_TEST=0.
 * Locking: the thread's own context, interrupts disabled. Talks to: lib/context, lib/printk.
 */
#pragma once

#include <lib/context.h>
#include <lib/lock_order.h>

#if PTOLEMY_TEST

/* May this lock be waited for here, all that is held considered? Then note that it is. */
void lock_check_want(void *lock, enum lock_class class, unsigned nesting, enum lock_mode mode,
		     const struct lock_site *site);
/* Only: may a lock of this class be held here at all? (For tries, which cannot deadlock.) */
void lock_check_context(void *lock, enum lock_class class, const struct lock_site *site);
/* It is not free: the wait begins. For the statistics. */
void lock_check_waits(void);
/* It was taken. */
void lock_check_taken(void *lock, enum lock_class class, unsigned nesting, enum lock_mode mode,
		      const struct lock_site *site);
/* Does the caller hold it? Then note that no longer. */
void lock_check_release(void *lock, enum lock_class class, enum lock_mode mode,
			const struct lock_site *site);

/* Told of every release, just before it; for tests. NULL: nobody. */
extern void (*lock_check_released)(void *lock, enum lock_class class, const struct lock_site *site);

/* Does the caller hold this lock, in whatever mode? */
bool lock_is_held(const void *lock);

/* Release every lock but the first `count`; where what took them is abandoned (EXPECT_BUG). */
void lock_release_abandoned(unsigned count);

/* Print what a context holds and waits for, a line each, every line begun with `prefix`. */
void lock_print_held(const struct context *context, const char *prefix);

/* What has become of the locks of a class since boot, on all CPUs: a guess while others run. */
struct lock_stats {
	uint64_t taken;
	uint64_t contended; /* of these, not free at once */
	uint64_t longest;   /* wait, in steps of the time-stamp counter */
};

/* Returns false if nobody counts: in builds without tests. */
bool lock_get_stats(enum lock_class class, struct lock_stats *stats);

#else

struct lock_stats {
	uint64_t taken, contended, longest;
};

ALWAYS_INLINE bool lock_get_stats(enum lock_class class, struct lock_stats *stats)
{
	(void)class, (void)stats;
	return false;
}

ALWAYS_INLINE void lock_check_waits(void)
{
}

ALWAYS_INLINE void lock_check_want(void *lock, enum lock_class class, unsigned nesting,
				   enum lock_mode mode, const struct lock_site *site)
{
	(void)lock, (void)class, (void)nesting, (void)mode, (void)site;
}

ALWAYS_INLINE void lock_check_context(void *lock, enum lock_class class,
				      const struct lock_site *site)
{
	(void)lock, (void)class, (void)site;
}

ALWAYS_INLINE void lock_check_taken(void *lock, enum lock_class class, unsigned nesting,
				    enum lock_mode mode, const struct lock_site *site)
{
	(void)lock, (void)class, (void)nesting, (void)mode, (void)site;
}

ALWAYS_INLINE void lock_check_release(void *lock, enum lock_class class, enum lock_mode mode,
				      const struct lock_site *site)
{
	(void)lock, (void)class, (void)mode, (void)site;
}

ALWAYS_INLINE void lock_print_held(const struct context *context, const char *prefix)
{
	(void)context, (void)prefix;
}

#endif
