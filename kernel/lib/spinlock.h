/*
 * Spin locks: short critical sections between CPUs, and against interrupts of this one.
 *
 * Invariants: whoever takes a lock releases it, on the same CPU, without sleeping in between;
 * preemption is disabled as long as one is held. A lock that an interrupt handler takes is of a
 * class with LOCK_FLAG_IRQ and is taken with the _irq forms, or with interrupts disabled anyway.
 * Every lock has a class (lock_order.h); test builds check the order, recursion, release by the
 * holder, and the interrupt rules, and name the file:line of who breaks them. Other builds have
 * none of that, neither in the lock nor in the code.
 *
 * Talks to: lib/preempt, lib/lock_check, arch (interrupts, pause).
 */
#pragma once

#include <lib/lock_check.h>
#include <lib/preempt.h>
#include <lib/spin_word.h>

struct spinlock {
	uint32_t word;  /* spin_word.h */
	uint16_t owner; /* 1 + number of the CPU that holds it; 0: nobody */
	uint8_t class;  /* enum lock_class */
};

#define SPINLOCK_INIT(class_)     \
	{                         \
		.class = (class_) \
	}

static inline void spin_init(struct spinlock *l, enum lock_class class)
{
	*l = (struct spinlock)SPINLOCK_INIT(class);
}

/* Take the lock; wait for it if need be. */
#define spin_lock(l) spin_lock_at(l, 0, LOCK_SITE)
/* The same inside another lock of its class that was taken with a smaller `nesting` (0 ... 255). */
#define spin_lock_nested(l, nesting) spin_lock_at(l, nesting, LOCK_SITE)
/* Take the lock if it is free and nobody waits for it. Returns whether it did. In any order. */
#define spin_trylock(l) spin_trylock_at(l, LOCK_SITE)
#define spin_unlock(l) spin_unlock_at(l, LOCK_SITE)

/* With interrupts off until spin_unlock_irq is given what this returns. */
#define spin_lock_irq(l) spin_lock_irq_at(l, LOCK_SITE)
#define spin_unlock_irq(l, flags) spin_unlock_irq_at(l, flags, LOCK_SITE)

/* Release the lock, let those who wait have it, and take it again. (With more than one lock to
 * release: do so, then spin_give_way, then take them again.) */
#define spin_break(l) spin_break_at(l, LOCK_SITE)

/* After the release of a lock: wait a little until one of those who wanted it has it. */
static inline void spin_give_way(const struct spinlock *l)
{
	spin_word_give_way(&l->word);
}

/* Does another CPU wait for the lock, or another thread for this CPU? Then its holder should
 * come to a point where it can spin_break. */
static inline bool spin_needbreak(const struct spinlock *l)
{
	return spin_word_is_contended(&l->word) || need_resched();
}

/* The CPU that holds the lock, or -1. Without the lock: a guess, for reports. */
static inline int spin_owner(const struct spinlock *l)
{
	return READ_ONCE(l->owner) - 1;
}

/* spin_word_lock, for the statistics to know. */
static inline void spin_word_lock_counted(uint32_t *word)
{
	if (UNLIKELY(!spin_word_try(word))) {
		lock_check_waits();
		arch_call_rare_on(spin_word_wait, word);
	}
}

static inline void spin_lock_at(struct spinlock *l, unsigned nesting, const struct lock_site *site)
{
	lock_check_want(l, l->class, nesting, LOCK_SPIN, site);
	preempt_disable();
	spin_word_lock_counted(&l->word);
	WRITE_ONCE(l->owner, (uint16_t)(cpu_index() + 1));
	lock_check_taken(l, l->class, nesting, LOCK_SPIN, site);
}

static inline bool spin_trylock_at(struct spinlock *l, const struct lock_site *site)
{
	lock_check_context(l, l->class, site);
	preempt_disable();
	if (!spin_word_try(&l->word)) {
		preempt_enable();
		return false;
	}
	WRITE_ONCE(l->owner, (uint16_t)(cpu_index() + 1));
	lock_check_taken(l, l->class, 0, LOCK_SPIN, site);
	return true;
}

static inline void spin_unlock_at(struct spinlock *l, const struct lock_site *site)
{
	lock_check_release(l, l->class, LOCK_SPIN, site);
	WRITE_ONCE(l->owner, 0);
	spin_word_unlock(&l->word);
	preempt_enable();
}

static inline uint64_t spin_lock_irq_at(struct spinlock *l, const struct lock_site *site)
{
	uint64_t flags = arch_irq_save();

	lock_check_want(l, l->class, 0, LOCK_SPIN, site);
	preempt_disable();
	if (UNLIKELY(!spin_word_try(&l->word))) {
		lock_check_waits();
		spin_word_wait_irq(&l->word, flags);
	}
	WRITE_ONCE(l->owner, (uint16_t)(cpu_index() + 1));
	lock_check_taken(l, l->class, 0, LOCK_SPIN, site);
	return flags;
}

static inline void spin_unlock_irq_at(struct spinlock *l, uint64_t flags,
				      const struct lock_site *site)
{
	lock_check_release(l, l->class, LOCK_SPIN, site);
	WRITE_ONCE(l->owner, 0);
	spin_word_unlock(&l->word);
	arch_irq_restore(flags);
	preempt_enable();
}

void spin_break_at(struct spinlock *l, const struct lock_site *site);

/*
 * The same for a bare word: its class is told at every call, its owner is known to test builds
 * only.
 */
#define spin_lock_word(word, class) spin_lock_word_at(word, class, 0, LOCK_SITE)
#define spin_lock_word_nested(word, class, nesting) \
	spin_lock_word_at(word, class, nesting, LOCK_SITE)
#define spin_trylock_word(word, class) spin_trylock_word_at(word, class, LOCK_SITE)
#define spin_unlock_word(word, class) spin_unlock_word_at(word, class, LOCK_SITE)

static inline void spin_lock_word_at(uint32_t *word, enum lock_class class, unsigned nesting,
				     const struct lock_site *site)
{
	lock_check_want(word, class, nesting, LOCK_WORD, site);
	preempt_disable();
	spin_word_lock_counted(word);
	lock_check_taken(word, class, nesting, LOCK_WORD, site);
}

static inline bool spin_trylock_word_at(uint32_t *word, enum lock_class class,
					const struct lock_site *site)
{
	lock_check_context(word, class, site);
	preempt_disable();
	if (!spin_word_try(word)) {
		preempt_enable();
		return false;
	}
	lock_check_taken(word, class, 0, LOCK_WORD, site);
	return true;
}

static inline void spin_unlock_word_at(uint32_t *word, enum lock_class class,
				       const struct lock_site *site)
{
	lock_check_release(word, class, LOCK_WORD, site);
	spin_word_unlock(word);
	preempt_enable();
}

static inline bool spin_word_needbreak(const uint32_t *word)
{
	return spin_word_is_contended(word) || need_resched();
}
