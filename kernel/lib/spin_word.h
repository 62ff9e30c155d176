/*
 * The bare lock: a 32-bit word that knows whether somebody waits for it. For locks that must be
 * small (a table's, in struct pt_meta); everybody else takes a struct spinlock around it.
 *
 *    31 ....... 16 15 ........ 0
 *   +-------------+-------------+
 *   | waiters     | held        |     free: 0
 *   +-------------+-------------+
 *
 * Not a queue: any of those who wait may be next. A queue names the next holder, which has to run
 * for the lock to move at all; where there are more CPUs than host CPUs to run them (an emulator, a
 * busy hypervisor) it mostly does not. (64 CPUs on two host cores, 20,000 turns: 0.1 to 0.7 s; a
 * ticket lock in its place took 0.5 to 102 s.) Whoever comes while others wait joins them; nobody
 * who waits is overtaken by a newcomer that did not. Whoever breaks his hold for the others gives
 * them a head start (spin_word_give_way).
 *
 * Locking: atomic. Whoever waits pauses. Talks to: arch (pause, interrupts).
 */
#pragma once

#include <arch/cpu.h>
#include <lib/compiler.h>

#define SPIN_HELD 1u
#define SPIN_WAITER (1u << 16)

static inline bool spin_word_try(uint32_t *word)
{
	uint32_t free = 0;

	return __atomic_compare_exchange_n(word, &free, SPIN_HELD, false, __ATOMIC_ACQUIRE,
					   __ATOMIC_RELAXED);
}

/* The way that waits. Interrupts are as `flags` (of arch_irq_save) says while it does. */
ARCH_RARE void spin_word_wait(uint32_t *word);
void spin_word_wait_irq(uint32_t *word, uint64_t flags);

static inline void spin_word_lock(uint32_t *word)
{
	if (UNLIKELY(!spin_word_try(word)))
		arch_call_rare_on(spin_word_wait, word);
}

/* The holder's half is its own to write; those who wait change the other one. */
static inline void spin_word_unlock(uint32_t *word)
{
	__atomic_store_n((uint16_t *)word, 0, __ATOMIC_RELEASE);
}

/* After a release: wait until one of those who wait has the word, but not for ever. */
void spin_word_give_way(const uint32_t *word);

static inline bool spin_word_is_held(const uint32_t *word)
{
	return READ_ONCE(*word) & SPIN_HELD;
}

static inline bool spin_word_is_contended(const uint32_t *word)
{
	return READ_ONCE(*word) >= SPIN_WAITER;
}
