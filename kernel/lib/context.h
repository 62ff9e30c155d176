/*
 * What a thread of execution carries with it for lib and the tests: the locks it holds and the bug
 * it expects. In a build without tests: nothing.
 *
 * cpu_local()->context is that of the code which runs; a change of threads changes it. An interrupt
 * uses that of the thread it interrupted.
 * Locking: its own thread's, interrupts disabled; others only look, when all is lost.
 */
#pragma once

#include <arch/cpu.h>
#include <lib/compiler.h>
#include <lib/lock_order.h>

#define LOCK_HELD_MAX 16
#define LOCK_HELD_IRQ 4 /* more, for what an interrupt of its holder and the scheduler take */

/* Where a lock was taken, or somebody wanted to sleep. */
struct lock_site {
	const char *file;
	int line;
};

#if PTOLEMY_TEST
#define LOCK_SITE                                                             \
	({                                                                    \
		static const struct lock_site site_ = { __FILE__, __LINE__ }; \
		&site_;                                                       \
	})
#else
#define LOCK_SITE ((const struct lock_site *)NULL)
#endif

/* What the lock is and how it is held: a struct spinlock, a bare word, a struct rwlock. */
enum lock_mode { LOCK_SPIN, LOCK_WORD, LOCK_READ, LOCK_WRITE };

struct lock_held {
	void *lock;
	const struct lock_site *site;
	uint8_t class; /* enum lock_class */
	uint8_t nesting;
	uint8_t mode; /* enum lock_mode */
};

struct context {
#if PTOLEMY_TEST
	unsigned held_count;
	struct lock_held held[LOCK_HELD_MAX + LOCK_HELD_IRQ]; /* in the order they were taken */
	struct lock_held wanted[2];             /* what it, and an interrupt above it, waits for */
	uint64_t wait_start[2];                 /* time-stamp counter, if it is not free; or 0 */
	uint64_t taken_count[LOCK_CLASS_COUNT]; /* since it began */

	bool bug_expected; /* by EXPECT_BUG, which also fills the rest */
	void *bug_jump[5]; /* __builtin_setjmp's */
	/* and what was true when the expectation began, to be made true again */
	unsigned bug_held_count, bug_preempt_count, bug_irq_depth;
	bool bug_irq_enabled;
#else
	char nothing;
#endif
};
