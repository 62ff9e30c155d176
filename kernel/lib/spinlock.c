/*
 * Spin locks: the ways that wait. See spinlock.h and spin_word.h.
 */
#include <lib/spinlock.h>

#define GIVE_WAY_PAUSES 1000

/* One of those who wait takes the word. Returns false if it is not free. */
static bool take_as_waiter(uint32_t *word)
{
	uint32_t value = READ_ONCE(*word);

	return !(value & SPIN_HELD) &&
	       __atomic_compare_exchange_n(word, &value, (value - SPIN_WAITER) | SPIN_HELD, false,
					   __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

void spin_word_wait(uint32_t *word)
{
	__atomic_fetch_add(word, SPIN_WAITER, __ATOMIC_RELAXED);
	while (!take_as_waiter(word))
		arch_pause();
}

void spin_word_wait_irq(uint32_t *word, uint64_t flags)
{
	__atomic_fetch_add(word, SPIN_WAITER, __ATOMIC_RELAXED);
	while (!take_as_waiter(word)) {
		arch_irq_restore(flags);
		arch_pause();
		arch_irq_save();
	}
}

void spin_word_give_way(const uint32_t *word)
{
	for (unsigned i = 0; i < GIVE_WAY_PAUSES; i++) {
		if (spin_word_is_held(word) || !spin_word_is_contended(word))
			return;
		arch_pause();
	}
}

void spin_break_at(struct spinlock *l, const struct lock_site *site)
{
	spin_unlock_at(l, site);
	spin_give_way(l);
	spin_lock_at(l, 0, site);
}
