/*
 * Tests of locks between CPUs: they exclude whom they should and nobody else, and tell who waits.
 */
#include <arch/clock.h>
#include <arch/smp.h>
#include <arch/trap.h>
#include <lib/preempt.h>
#include <lib/printk.h>
#include <lib/rwlock.h>
#include <lib/spinlock.h>
#include <lib/string.h>
#include <proc/thread.h>
#include <tests/kernel/lock_rig.h>

static struct spinlock outer = SPINLOCK_INIT(LOCK_TEST_OUTER);
static struct spinlock inner = SPINLOCK_INIT(LOCK_TEST_INNER);
static struct spinlock irq = SPINLOCK_INIT(LOCK_TEST_IRQ);
static struct rwlock areas = RWLOCK_INIT(LOCK_TEST_SLEEP);
static uint32_t word;

/* Waits, without giving the CPU up, until *p is `wanted`. Returns false if it never is. */
static bool wait_for(const uint32_t *p, uint32_t wanted)
{
	uint64_t start = clock_now();

	while (__atomic_load_n(p, __ATOMIC_ACQUIRE) != wanted && clock_now() - start < WAIT_NS)
		arch_pause();
	return READ_ONCE(*p) == wanted;
}

static void set_flag(void *arg)
{
	__atomic_store_n((uint32_t *)arg, 1, __ATOMIC_RELEASE);
}

/* ---- Exclusion. ---- */

static void turn_spin(struct guarded *g)
{
	spin_lock(&outer);
	guarded_touch(g);
	spin_unlock(&outer);
}

static void turn_break(struct guarded *g)
{
	spin_lock(&outer);
	if (spin_needbreak(&outer))
		spin_break(&outer);
	guarded_touch(g);
	spin_unlock(&outer);
}

static void turn_irq(struct guarded *g)
{
	uint64_t flags = spin_lock_irq(&irq);

	guarded_touch(g);
	spin_unlock_irq(&irq, flags);
}

static void turn_word(struct guarded *g)
{
	spin_lock_word(&word, LOCK_TABLE);
	guarded_touch(g);
	spin_unlock_word(&word, LOCK_TABLE);
}

static void turn_try(struct guarded *g)
{
	while (!spin_trylock(&outer))
		arch_pause();
	guarded_touch(g);
	spin_unlock(&outer);
}

static void turn_write(struct guarded *g)
{
	rw_write_lock(&areas);
	guarded_touch(g);
	rw_write_unlock(&areas);
}

static void take_turns(struct worker *w)
{
	struct guarded *g = w->arg;

	for (unsigned i = 0; i < g->turns; i++)
		g->turn(g);
}

/* Each form of lock lets one CPU in at a time: no turn is lost, none is seen half done. */
TEST(lock_smp, one_at_a_time)
{
	static void (*const form[])(struct guarded *) = { turn_spin, turn_break, turn_irq,
							  turn_word, turn_try,   turn_write };

	NEED_CPUS(2);
	for (unsigned i = 0; i < ARRAY_SIZE(form); i++) {
		struct guarded g = { .turns = TURNS / cpu_count(), .turn = form[i] };

		REQUIRE(workers_run(cpu_count(), take_turns, &g));
		EXPECT_EQ(g.first, g.turns * cpu_count());
		EXPECT_EQ(g.second, g.first);
		EXPECT_EQ(g.mixed, 0);
	}
	EXPECT_EQ(outer.word | irq.word | word | areas.writer | areas.waiting | areas.overflow, 0);
}

struct irq_count {
	uint64_t count;
	unsigned turns;
};

static void count_in_interrupt(void *arg)
{
	struct irq_count *c = arg;

	spin_lock(&irq);
	c->count++;
	spin_unlock(&irq);
}

static void interrupt_holders(struct worker *w)
{
	struct irq_count *c = w->arg;
	struct cpu_set others;

	for (unsigned i = 0; i < c->turns; i++) {
		uint64_t flags = spin_lock_irq(&irq);

		c->count++;
		spin_unlock_irq(&irq, flags);
		preempt_disable();
		cpu_set_others(&others);
		cpu_call(&others, count_in_interrupt, c, true);
		preempt_enable();
	}
}

/* A lock that handlers take is never found held by the code they interrupt: nobody hangs. */
TEST(lock_smp, handlers_and_threads_share_a_lock)
{
	struct irq_count c = { .turns = 400 / cpu_count() };

	NEED_CPUS(2);
	REQUIRE(workers_run(cpu_count(), interrupt_holders, &c));
	EXPECT_EQ(c.count, c.turns * cpu_count() * cpu_count());
}

/* ---- Contention. ---- */

static void take_once(void *arg)
{
	struct contest *c = arg;

	while (!__atomic_load_n(&c->go, __ATOMIC_ACQUIRE))
		arch_pause();
	__atomic_store_n(&c->started, 1, __ATOMIC_RELEASE);
	spin_lock(&outer);
	__atomic_store_n(&c->taken, 1, __ATOMIC_RELEASE);
	spin_unlock(&outer);
}

/* Another CPU's thread, which takes the lock once: the caller has it first. NULL: no memory. */
static struct thread *contend(struct contest *c)
{
	struct thread *t = thread_create(1, take_once, c, "contender");

	if (!t)
		return NULL;
	spin_lock(&outer);
	set_flag(&c->go);
	return t;
}

static bool wait_for_needbreak(void)
{
	uint64_t start = clock_now();

	while (!spin_needbreak(&outer) && clock_now() - start < WAIT_NS)
		arch_pause();
	return spin_needbreak(&outer);
}

/* The holder learns that another CPU waits; a break lets that one in; then nobody waits. */
TEST(lock_smp, holder_learns_who_waits)
{
	struct contest c = { 0 };
	struct thread *t;

	NEED_CPUS(2);
	t = contend(&c);
	REQUIRE(t);
	EXPECT(wait_for_needbreak());
	EXPECT_EQ(READ_ONCE(c.taken), 0);
	EXPECT_EQ(spin_owner(&outer), cpu_index());
	for (unsigned i = 0; i < 1000000 && !READ_ONCE(c.taken); i++)
		spin_break(&outer);
	EXPECT_EQ(READ_ONCE(c.taken), 1);
	spin_unlock(&outer);
	thread_join(t);
	EXPECT_EQ(outer.word, 0);
}

/* A thread that waits for the holder's CPU is a reason for a break, too. */
TEST(lock_smp, waiting_threads_count)
{
	uint32_t ran = 0;
	struct thread *t = thread_create(cpu_index(), set_flag, &ran, "waits for the CPU");

	REQUIRE(t);
	spin_lock(&outer);
	if (!READ_ONCE(ran)) {
		EXPECT(wait_for_needbreak());
		spin_break(&outer);
	}
	EXPECT_EQ(READ_ONCE(ran), 1);
	spin_unlock(&outer);
	thread_join(t);
}

static void do_nothing(void *arg)
{
	(void)arg;
}

/* A CPU that waits for a spin lock still answers calls: its holder may make one. */
TEST(lock_smp, waiters_answer_calls)
{
	struct contest c = { 0 };
	struct cpu_set others;
	struct thread *t;

	NEED_CPUS(2);
	t = contend(&c);
	REQUIRE(t);
	EXPECT(wait_for(&c.started, 1));
	cpu_set_others(&others);
	for (unsigned i = 0; i < 100; i++)
		cpu_call(&others, do_nothing, NULL, true);
	spin_unlock(&outer);
	thread_join(t);
	EXPECT_EQ(c.taken, 1);
}

/* ---- The checker. ---- */

static void break_rules(struct worker *w)
{
	(void)w;
	for (volatile int i = 0; i < 20; i++) {
		spin_lock(&inner);
		EXPECT_BUG(spin_lock(&outer));
		spin_unlock(&inner);
		thread_yield();
		EXPECT_BUG(rw_read_unlock(&areas));
	}
}

/* What one thread holds is no reason against another; each thread's bug is its own. */
TEST(lock_smp, every_thread_is_checked_for_itself)
{
	unsigned count = cpu_count() > 16 ? cpu_count() : 4 * cpu_count();

	REQUIRE(workers_run(count, break_rules, NULL));
	EXPECT_EQ(outer.word | inner.word, 0);
}

static char printed[1024];
static size_t printed_length;

static void catch_text(const char *text, size_t length)
{
	size_t room = sizeof(printed) - 1 - printed_length, n = length < room ? length : room;

	memcpy(printed + printed_length, text, n);
	printed_length += n;
}

static bool was_printed(const char *text)
{
	size_t length = strlen(text);

	for (size_t i = 0; i + length <= printed_length; i++)
		if (!memcmp(printed + i, text, length))
			return true;
	return false;
}

/* The report of what a thread holds names the classes and where they were taken. */
TEST(lock_smp, held_locks_can_be_printed)
{
	printk_write_t console;

	rw_read_lock(&areas);
	spin_lock(&outer);
	printed_length = 0;
	console = printk_set_console(catch_text);
	lock_print_held(cpu_local()->context, "> ");
	printk_set_console(console);
	spin_unlock(&outer);
	rw_read_unlock(&areas);
	EXPECT(was_printed("> holds TEST_SLEEP (read"));
	EXPECT(was_printed("> holds TEST_OUTER (spin"));
	EXPECT(was_printed("test_lock_smp.c:"));
	EXPECT(!was_printed("waits for"));
}

/* ---- Statistics. ---- */

#define HOLD_NS (2 * CLOCK_MS)

struct holder {
	uint32_t held;
};

/* The first holds the lock until the second has waited for long. */
static void hold_for_other(struct worker *w)
{
	struct holder *c = w->arg;

	if (w->number) {
		wait_for(&c->held, 1);
		spin_lock(&outer);
		spin_unlock(&outer);
		return;
	}
	spin_lock(&outer);
	set_flag(&c->held);
	while (!spin_needbreak(&outer))
		arch_pause();
	clock_wait(HOLD_NS);
	spin_unlock(&outer);
}

// Each class counts how often it is taken, how often that had to wait, and the longest wait.
TEST(lock_smp, statistics)
{
	struct lock_stats before, alone, after;
	struct holder c = { .held = 0 };

	NEED_CPUS(2);
	EXPECT(lock_get_stats(LOCK_TEST_OUTER, &before));
	spin_lock(&outer);
	spin_unlock(&outer);
	EXPECT(lock_get_stats(LOCK_TEST_OUTER, &alone));
	EXPECT_EQ(alone.taken, before.taken + 1);
	EXPECT_EQ(alone.contended, before.contended);
	REQUIRE(workers_run(2, hold_for_other, &c));
	EXPECT(lock_get_stats(LOCK_TEST_OUTER, &after));
	EXPECT_EQ(after.taken, alone.taken + 2);
	EXPECT_EQ(after.contended, alone.contended + 1);
	EXPECT(after.longest >= HOLD_NS / 2 * (clock_tsc_hz / 1000000) / 1000);
}
