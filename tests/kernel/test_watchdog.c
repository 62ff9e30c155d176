/*
 * Tests of the watchdog. What it ends is over, so the tests that hang are hidden: rows of tests/run
 * start each with a short deadline= and look for who did what in the report. And a panic, while its
 * timer goes on ticking.
 */
#include <arch/apic.h>
#include <arch/clock.h>
#include <arch/smp.h>
#include <arch/trap.h>
#include <lib/preempt.h>
#include <lib/printk.h>
#include <lib/spinlock.h>
#include <proc/sched.h>
#include <proc/watchdog.h>
#include <tests/kernel/test.h>
#include <tests/kernel/workers.h>

static struct spinlock outer = SPINLOCK_INIT(LOCK_TEST_OUTER);
static struct spinlock inner = SPINLOCK_INIT(LOCK_TEST_INNER);

/* What ends in time is left alone, and what is extended has more time. */
TEST(watchdog, lets_the_punctual_live)
{
	for (unsigned i = 0; i < 5; i++) {
		watchdog_start("punctual", CLOCK_S);
		thread_sleep(CLOCK_MS);
		watchdog_stop();
	}
	watchdog_start("extended", 5 * CLOCK_S);
	watchdog_extend(100 * CLOCK_S);
	thread_sleep(20 * CLOCK_MS);
	EXPECT(true);
}

/* It looks although the boot CPU hears nothing, and not when there is nothing to watch. */
TEST(watchdog, looks_without_interrupts)
{
	uint64_t before;

	arch_irq_disable();
	before = READ_ONCE(watchdog_look_count);
	clock_wait(CLOCK_S);
	EXPECT_LE(before + 5, READ_ONCE(watchdog_look_count));
	watchdog_stop();
	before = READ_ONCE(watchdog_look_count);
	clock_wait(CLOCK_S / 2);
	EXPECT_EQ(READ_ONCE(watchdog_look_count), before);
	arch_irq_enable();
}

/* ---- Those that hang. ---- */

static NOINLINE void hang_for_ever(void)
{
	for (;;)
		arch_pause();
}

TEST_HIDDEN(selftest, hangs_without_interrupts)
{
	EXPECT(true);
	arch_irq_disable();
	hang_for_ever();
}

static void take_in_wrong_order(struct worker *w)
{
	struct spinlock *mine = w->number ? &outer : &inner;
	struct spinlock *other = w->number ? &inner : &outer;
	uint32_t *there = w->arg;

	spin_word_lock(&mine->word); /* behind the checker's back, who would not allow it */
	__atomic_fetch_add(there, 1, __ATOMIC_RELAXED);
	while (READ_ONCE(*there) < 2)
		arch_pause();
	spin_lock(other);
}

/* Two CPUs wait for each other's lock; the report says what each waits for. */
TEST_HIDDEN(selftest, deadlocks)
{
	uint32_t there = 0;

	if (cpu_count() == 1)
		TEST_SKIP("needs 2 CPUs");
	EXPECT(workers_run(2, take_in_wrong_order, &there));
}

static void hold_and_hang(void *arg)
{
	(void)arg;
	spin_lock(&outer);
	arch_irq_disable();
	hang_for_ever();
}

/* Another CPU than the test's hangs, deaf and with a lock; the test waits for it. */
TEST_HIDDEN(selftest, other_cpu_hangs)
{
	struct thread *t = thread_create(cpu_count() - 1, hold_and_hang, NULL, "deaf");

	REQUIRE(t);
	thread_join(t);
}

static void hang_in_call(void *arg)
{
	(void)arg;
	hang_for_ever();
}

/* An interrupt handler hangs on every CPU. */
TEST_HIDDEN(selftest, all_cpus_hang)
{
	struct cpu_set all;

	EXPECT(true);
	cpu_set_others(&all);
	cpu_set_add(&all, cpu_index());
	cpu_call(&all, hang_in_call, NULL, true);
}

static bool (*nmi_before)(const struct trap_frame *f);
static bool is_deaf;

static bool stay_in_handler(const struct trap_frame *f)
{
	if (!cpu_index())
		return nmi_before(f);
	WRITE_ONCE(is_deaf, true);
	hang_for_ever();
	return true;
}

/*
 * A panic on the boot CPU, whose timer goes on ticking while it waits for a CPU that does not stop,
 * as it hangs where NMIs do not reach it.
 */
TEST_HIDDEN(selftest, panics_while_one_is_deaf)
{
	REQUIRE(!cpu_index() && cpu_count() > 1);
	nmi_before = trap_nmi;
	trap_nmi = stay_in_handler;
	apic_send_nmi(smp_apic_id(1));
	while (!READ_ONCE(is_deaf))
		arch_pause();
	panic("still ticking");
}
