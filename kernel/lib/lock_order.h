/*
 * The lock order: the one list of all lock classes, the outermost first.
 *
 * Whoever holds a lock may take only locks of classes further down; of one class only one,
 * except by spin_lock_nested, whose nesting level then decides. lock_check.c verifies that in
 * test builds, at every lock that is taken, whether or not another CPU is there to collide with.
 *
 *   SLEEP   its holder may sleep and be preempted (rwlock.h); before all spin locks, of necessity
 *   IRQ     interrupt handlers take it: taken with interrupts disabled, everywhere
 *   (none)  a spin lock; never taken in an interrupt
 */
#pragma once

#define LOCK_FLAG_SLEEP 1u
#define LOCK_FLAG_IRQ 2u

/*        class        flags */
#define LOCK_ORDER(X)                                                                        \
	X(TEST_SLEEP, LOCK_FLAG_SLEEP) /* for tests of the locks themselves */               \
	X(TEST_SLEEP_INNER, LOCK_FLAG_SLEEP)                                                 \
	X(LAYOUT, LOCK_FLAG_SLEEP) /* of a space: who changes areas or forks */              \
	X(AREAS, LOCK_FLAG_SLEEP)  /* a space's areas */                                     \
	X(KSPACE, LOCK_FLAG_SLEEP) /* the kernel's own areas */                              \
	X(TEST_OUTER, 0)                                                                     \
	X(SPACES, 0)   /* the list of all spaces */                                          \
	X(TABLE, 0)    /* one page table; in a fork the child's nests inside the parent's */ \
	X(MIRRORS, 0)  /* the list of all mirrors */                                         \
	X(MIRROR, 0)   /* a mirror's table: callbacks of its space's notifier take it */     \
	X(IOMMU, 0)    /* a unit's queue and contexts: flushes of mirrors take it */         \
	X(NOTIFIER, 0) /* who subscribes, and what is open */                                \
	X(SWAP, 0)                                                                           \
	X(PCI, 0) /* configuration space */                                                  \
	X(POOL, 0)                                                                           \
	X(TEST_INNER, 0)                                                                     \
	X(TEST_IRQ, LOCK_FLAG_IRQ)                                                           \
	X(IOMMU_FAULTS, LOCK_FLAG_IRQ) /* what a unit has refused */                         \
	X(FRAMES, LOCK_FLAG_IRQ)       /* the frame allocator's lists */                     \
	X(RUN_QUEUE, LOCK_FLAG_IRQ)    /* threads are woken with whatever held */

#define LOCK_ORDER_ENUM(name, flags) LOCK_##name,
enum lock_class {
	LOCK_UNDECLARED, /* a lock that nobody has initialised: a bug */
	LOCK_ORDER(LOCK_ORDER_ENUM) LOCK_CLASS_COUNT,
};
