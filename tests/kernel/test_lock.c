/*
 * Tests of locks that one thread can make: the declared order, the rules of the context, who holds
 * what. What locks do to others is in test_lock_smp.c. Runs on the host, too.
 */
#include <lib/preempt.h>
#include <lib/printk.h>
#include <lib/rwlock.h>
#include <lib/spinlock.h>
#include <lib/string.h>
#include <tests/kernel/test.h>

static struct spinlock outer = SPINLOCK_INIT(LOCK_TEST_OUTER);
static struct spinlock outer_too = SPINLOCK_INIT(LOCK_TEST_OUTER);
static struct spinlock inner = SPINLOCK_INIT(LOCK_TEST_INNER);
static struct spinlock irq = SPINLOCK_INIT(LOCK_TEST_IRQ);
static struct rwlock areas = RWLOCK_INIT(LOCK_TEST_SLEEP);
static struct rwlock areas_inner = RWLOCK_INIT(LOCK_TEST_SLEEP_INNER);

static void take_and_release(struct spinlock *first, struct spinlock *second)
{
	spin_lock(first);
	spin_lock(second);
	spin_unlock(second);
	spin_unlock(first);
}

/* Two locks are taken in the declared order, released in any, and nothing is held afterwards. */
TEST(lock, declared_order_is_fine)
{
	take_and_release(&outer, &inner);
	spin_lock(&outer);
	spin_lock(&inner);
	spin_unlock(&outer);
	EXPECT(!lock_is_held(&outer));
	EXPECT(lock_is_held(&inner));
	spin_unlock(&inner);
	EXPECT(!lock_is_held(&inner));
	EXPECT_EQ(outer.word | inner.word, 0);
}

/* The reverse order is a bug although nobody else is there to collide with. */
TEST(lock, wrong_order_is_a_bug)
{
	EXPECT_BUG(take_and_release(&inner, &outer));
	EXPECT_BUG(take_and_release(&outer, &outer_too));
	take_and_release(&outer, &inner);
}

/* Locks of one class nest by rising nesting level only. */
TEST(lock, nesting_is_declared)
{
	spin_lock(&outer);
	spin_lock_nested(&outer_too, 1);
	EXPECT_EQ(outer_too.word, SPIN_HELD);
	spin_unlock(&outer_too);
	EXPECT_BUG(spin_lock_nested(&outer_too, 0));
	spin_unlock(&outer);
	spin_lock_nested(&outer_too, 1);
	EXPECT_BUG(spin_lock(&outer));
	spin_unlock(&outer_too);
}

/* Taking a lock that the caller holds would wait for ever: a bug, in every form. */
TEST(lock, recursion_is_a_bug)
{
	uint32_t word = 0;

	EXPECT_BUG(take_and_release(&outer, &outer));
	spin_lock_word(&word, LOCK_TABLE);
	EXPECT_BUG(spin_lock_word_nested(&word, LOCK_TABLE, 1));
	spin_unlock_word(&word, LOCK_TABLE);
	EXPECT_EQ(word, 0);
	rw_read_lock(&areas);
	EXPECT_BUG(rw_read_lock(&areas));
	EXPECT_BUG(rw_write_lock(&areas));
	rw_read_unlock(&areas);
}

/* Only the holder releases a lock, and in the mode he has it. */
TEST(lock, release_by_others_is_a_bug)
{
	uint32_t word = SPIN_HELD;

	EXPECT_BUG(spin_unlock(&outer));
	EXPECT_BUG(spin_unlock_word(&word, LOCK_TABLE));
	EXPECT_EQ(word, SPIN_HELD);
	rw_read_lock(&areas);
	EXPECT_BUG(rw_write_unlock(&areas));
	EXPECT_BUG(rw_read_unlock(&areas_inner));
	rw_read_unlock(&areas);
	EXPECT_BUG(rw_read_unlock(&areas));
}

/* A lock that nobody gave a class is a bug at its first use. */
TEST(lock, undeclared_class_is_a_bug)
{
	struct spinlock forgotten = { 0 };
	struct rwlock forgotten_too = { 0 };

	EXPECT_BUG(spin_lock(&forgotten));
	EXPECT_BUG(spin_trylock(&forgotten));
	EXPECT_BUG(rw_write_lock(&forgotten_too));
}

/* A lock for interrupt handlers is taken with interrupts disabled, other locks not by handlers. */
TEST(lock, interrupt_rules_are_checked)
{
	uint64_t saved = arch_irq_save();
	uint64_t flags = spin_lock_irq(&irq);

	EXPECT(!arch_irq_enabled());
	spin_unlock_irq(&irq, flags);
	arch_irq_enable();
	flags = spin_lock_irq(&irq);
	EXPECT(!arch_irq_enabled());
	spin_unlock_irq(&irq, flags);
	EXPECT(arch_irq_enabled());
	EXPECT_BUG(spin_lock(&irq));
	arch_irq_disable();
	spin_lock(&irq);
	spin_unlock(&irq);

	cpu_local()->irq_depth++;
	EXPECT_BUG(spin_lock(&outer));
	EXPECT_BUG(spin_trylock(&outer));
	EXPECT_BUG(rw_read_lock(&areas));
	spin_lock(&irq);
	spin_unlock(&irq);
	cpu_local()->irq_depth--;
	arch_irq_restore(saved);
}

/* Nobody sleeps under a spin lock, and so nobody takes a lock there whose holders may. */
TEST(lock, sleeping_under_a_spin_lock_is_a_bug)
{
	might_sleep();
	spin_lock(&outer);
	EXPECT_BUG(might_sleep());
	EXPECT_BUG(rw_read_lock(&areas));
	EXPECT_BUG(rw_write_lock(&areas));
	spin_unlock(&outer);
	preempt_disable();
	EXPECT_BUG(might_sleep());
	preempt_enable();
	rw_read_lock(&areas);
	might_sleep();
	take_and_release(&outer, &inner);
	rw_read_unlock(&areas);
}

static void lock_three_and_fail(void)
{
	rw_write_lock(&areas);
	spin_lock(&outer);
	spin_lock_irq(&irq);
	ASSERT(false);
}

/* What a bug that was expected leaves behind: no lock, preemption and interrupts as before. */
TEST(lock, abandoned_locks_are_released)
{
	unsigned preempt_count = cpu_local()->preempt_count;
	bool enabled = arch_irq_enabled();

	for (volatile int i = 0; i < 3; i++)
		EXPECT_BUG(lock_three_and_fail());
	EXPECT_EQ(cpu_local()->preempt_count, preempt_count);
	EXPECT_EQ(arch_irq_enabled(), enabled);
	EXPECT_EQ(outer.word | irq.word | areas.writer, 0);
	EXPECT_EQ(outer.owner, 0);
}

/* A try takes a free lock and leaves a held one; it asks for no order, since it does not wait. */
TEST(lock, try_does_not_wait)
{
	uint32_t word = 0;

	spin_lock(&inner);
	EXPECT(spin_trylock(&outer));
	EXPECT(!spin_trylock(&outer));
	EXPECT_EQ(spin_owner(&outer), cpu_index());
	spin_unlock(&outer);
	EXPECT_EQ(spin_owner(&outer), -1);
	EXPECT(spin_trylock_word(&word, LOCK_TABLE));
	EXPECT(!spin_trylock_word(&word, LOCK_TABLE));
	spin_unlock_word(&word, LOCK_TABLE);
	EXPECT_EQ(word, 0);
	spin_unlock(&inner);
	EXPECT_EQ(cpu_local()->preempt_count, 0);
}

/* Nobody is told to let go of a lock that nobody else wants. */
TEST(lock, no_break_without_others)
{
	spin_lock(&outer);
	EXPECT(!spin_needbreak(&outer));
	outer.word += SPIN_WAITER;
	EXPECT(spin_needbreak(&outer));
	outer.word -= SPIN_WAITER;
	spin_break(&outer);
	EXPECT(lock_is_held(&outer));
	spin_unlock(&outer);
	rw_write_lock(&areas);
	EXPECT(!rw_needbreak(&areas));
	rw_write_unlock(&areas);
}

/* Readers and a writer exclude each other; a failed try leaves no trace. */
TEST(lock, readers_exclude_the_writer)
{
	rw_read_lock(&areas);
	EXPECT(!rw_write_trylock(&areas));
	EXPECT(!rw_is_write_locked(&areas));
	rw_read_unlock(&areas);
	EXPECT(rw_write_trylock(&areas));
	EXPECT(!rw_read_trylock(&areas));
	EXPECT(!rw_write_trylock(&areas));
	EXPECT(rw_is_write_locked(&areas));
	rw_write_unlock(&areas);
	EXPECT(rw_read_trylock(&areas));
	rw_read_unlock(&areas);
	EXPECT(rw_write_trylock(&areas));
	rw_write_unlock(&areas);
}

#define MANY 12 /* more than a CPU has slots */

/* A CPU that reads more locks than it has slots still keeps every writer out, and no longer than
 * that. */
TEST(lock, readers_beyond_the_slots_count)
{
	static struct rwlock many[MANY];

	for (unsigned i = 0; i < MANY; i++) {
		rw_init(&many[i], LOCK_TEST_SLEEP);
		rw_read_lock_nested(&many[i], i);
	}
	EXPECT_NE(many[MANY - 1].overflow, 0);
	for (unsigned i = 0; i < MANY; i++)
		EXPECT(!rw_write_trylock(&many[i]));
	for (unsigned i = 0; i < MANY; i++) {
		rw_read_unlock(&many[i]);
		EXPECT(rw_write_trylock(&many[i]));
		rw_write_unlock(&many[i]);
	}
}

/* A thread that holds too many locks to keep in mind is a bug, not a silence; an interrupt that
 * finds it with as many as it may hold is none. */
TEST(lock, too_many_locks_are_a_bug)
{
	static struct rwlock many[LOCK_HELD_MAX + 1];
	uint64_t flags;

	for (unsigned i = 0; i < LOCK_HELD_MAX; i++) {
		rw_init(&many[i], LOCK_TEST_SLEEP);
		rw_read_lock_nested(&many[i], i);
	}
	rw_init(&many[LOCK_HELD_MAX], LOCK_TEST_SLEEP);
	EXPECT_BUG(rw_read_lock_nested(&many[LOCK_HELD_MAX], LOCK_HELD_MAX));
	flags = spin_lock_irq(&irq);
	spin_unlock_irq(&irq, flags);
	for (unsigned i = 0; i < LOCK_HELD_MAX; i++)
		rw_read_unlock(&many[i]);
}

/* A lock that is released in the middle leaves the others' order as it was. */
TEST(lock, order_survives_release_in_the_middle)
{
	rw_read_lock(&areas);
	rw_read_lock(&areas_inner);
	spin_lock(&inner);
	rw_read_unlock(&areas_inner);
	EXPECT_BUG(spin_lock(&outer));
	spin_unlock(&inner);
	spin_lock(&outer);
	EXPECT(lock_is_held(&areas) && lock_is_held(&outer) && !lock_is_held(&areas_inner));
	spin_unlock(&outer);
	rw_read_unlock(&areas);
}
