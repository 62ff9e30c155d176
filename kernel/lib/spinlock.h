/*
 * Spinlocks: short critical sections between CPUs, and against interrupts of this one.
 *
 * Invariant: whoever takes a lock releases it, on the same CPU, without sleeping in between.
 * A lock that an interrupt handler takes is taken with the _irq forms everywhere.
 * Talks to: arch (interrupts, pause).
 */
#ifndef LIB_SPINLOCK_H
#define LIB_SPINLOCK_H

#include <arch/cpu.h>
#include <lib/compiler.h>

/* All zero is unlocked. */
struct spinlock {
	uint32_t held;
};

static inline void spin_lock(struct spinlock *l)
{
	while (__atomic_exchange_n(&l->held, 1, __ATOMIC_ACQUIRE))
		while (READ_ONCE(l->held))
			arch_pause();
}

static inline void spin_unlock(struct spinlock *l)
{
	__atomic_store_n(&l->held, 0, __ATOMIC_RELEASE);
}

/* With interrupts off until spin_unlock_irq is given what this returns. */
static inline uint64_t spin_lock_irq(struct spinlock *l)
{
	uint64_t flags = arch_irq_save();

	spin_lock(l);
	return flags;
}

static inline void spin_unlock_irq(struct spinlock *l, uint64_t flags)
{
	spin_unlock(l);
	arch_irq_restore(flags);
}

#endif
