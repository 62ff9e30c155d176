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
#include <proc/sched.h>
#include <tests/kernel/test.h>
#include <tests/kernel/workers.h>

#define NEED_CPUS(n)                                             \
	do {                                                     \
		if (cpu_count() < (n))                           \
			TEST_SKIP("needs %u CPUs", (unsigned)n); \
	} while (0)

#define WAIT_NS (20 * CLOCK_S) /* for what others do at once, on a host that is busy */
#define TURNS 20000

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

/* What only one at a time may touch: the two are equal but inside. */
struct guarded {
	uint64_t first, second;
	unsigned turns, mixed;
};

/* Long enough for others to come in between, if they can. */
static void linger(void)
{
	for (unsigned i = 0; i < 10; i++)
		arch_pause();
}

static void touch(struct guarded *g)
{
	uint64_t n = READ_ONCE(g->first);

	g->mixed += n != READ_ONCE(g->second);
	WRITE_ONCE(g->first, n + 1);
	linger();
	WRITE_ONCE(g->second, n + 1);
}

static void touch_spin(struct worker *w)
{
	struct guarded *g = w->arg;

	for (unsigned i = 0; i < g->turns; i++) {
		spin_lock(&outer);
		touch(g);
		spin_unlock(&outer);
	}
}

static void touch_break(struct worker *w)
{
	struct guarded *g = w->arg;

	spin_lock(&outer);
	for (unsigned i = 0; i < g->turns; i++) {
		touch(g);
		if (spin_needbreak(&outer))
			spin_break(&outer);
	}
	spin_unlock(&outer);
}

static void touch_irq(struct worker *w)
{
	struct guarded *g = w->arg;

	for (unsigned i = 0; i < g->turns; i++) {
		uint64_t flags = spin_lock_irq(&irq);

		touch(g);
		spin_unlock_irq(&irq, flags);
	}
}

static void touch_word(struct worker *w)
{
	struct guarded *g = w->arg;

	for (unsigned i = 0; i < g->turns; i++) {
		spin_lock_word(&word, LOCK_TABLE);
		touch(g);
		spin_unlock_word(&word, LOCK_TABLE);
	}
}

static void touch_try(struct worker *w)
{
	struct guarded *g = w->arg;

	for (unsigned i = 0; i < g->turns; i++) {
		while (!spin_trylock(&outer))
			arch_pause();
		touch(g);
		spin_unlock(&outer);
	}
}

static void touch_write(struct worker *w)
{
	struct guarded *g = w->arg;

	for (unsigned i = 0; i < g->turns; i++) {
		rw_write_lock(&areas);
		touch(g);
		rw_write_unlock(&areas);
	}
}

/* Each form of lock lets one CPU in at a time: no turn is lost, none is seen half done. */
TEST(lock_smp, one_at_a_time)
{
	static void (*const form[])(struct worker *) = { touch_spin, touch_break, touch_irq,
							 touch_word, touch_try,   touch_write };

	NEED_CPUS(2);
	for (unsigned i = 0; i < ARRAY_SIZE(form); i++) {
		struct guarded g = { .turns = TURNS / cpu_count() };

		REQUIRE(workers_run(cpu_count(), form[i], &g));
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

struct contest {
	uint32_t go, started, taken;
};

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
	t = thread_create(1, take_once, &c, "contender");
	REQUIRE(t);
	spin_lock(&outer);
	set_flag(&c.go);
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
	t = thread_create(1, take_once, &c, "contender");
	REQUIRE(t);
	spin_lock(&outer);
	set_flag(&c.go);
	EXPECT(wait_for(&c.started, 1));
	cpu_set_others(&others);
	for (unsigned i = 0; i < 100; i++)
		cpu_call(&others, do_nothing, NULL, true);
	spin_unlock(&outer);
	thread_join(t);
	EXPECT_EQ(c.taken, 1);
}

/* ---- Readers and writers. ---- */

static void read_together(struct worker *w)
{
	uint32_t *inside = w->arg;

	rw_read_lock(&areas);
	__atomic_fetch_add(inside, 1, __ATOMIC_RELAXED);
	for (unsigned round = 0; READ_ONCE(*inside) < w->count; round++)
		preempt_wait(round);
	rw_read_unlock(&areas);
}

/* Any number of readers is inside at once, more of them than a CPU has slots included. */
TEST(lock_smp, readers_share)
{
	unsigned count = cpu_count() > 16 ? cpu_count() : 10 * cpu_count();
	uint32_t inside = 0;

	REQUIRE(workers_run(count, read_together, &inside));
	EXPECT_EQ(inside, count);
	EXPECT(rw_write_trylock(&areas));
	rw_write_unlock(&areas);
}

/* A reader that meets nobody leaves the lock's own bytes alone. */
TEST(lock_smp, readers_write_no_shared_line)
{
	struct rwlock before;

	memcpy(&before, &areas, sizeof(before));
	rw_read_lock(&areas);
	EXPECT(!memcmp(&before, &areas, sizeof(before)));
	rw_read_unlock(&areas);
	EXPECT(!memcmp(&before, &areas, sizeof(before)));
}

static void read_or_write(struct worker *w)
{
	struct guarded *g = w->arg;
	unsigned mixed = 0;
	uint64_t first;

	for (unsigned i = 0; i < g->turns; i++) {
		if ((i + w->number) % 8 == 0) {
			rw_write_lock(&areas);
			touch(g);
			rw_write_unlock(&areas);
			continue;
		}
		rw_read_lock(&areas);
		first = READ_ONCE(g->first);
		linger();
		mixed += first != READ_ONCE(g->second);
		rw_read_unlock(&areas);
	}
	__atomic_fetch_add(&g->mixed, mixed, __ATOMIC_RELAXED);
}

/* Readers never see what a writer has half done, nor does a writer; no write is lost. */
TEST(lock_smp, readers_see_whole_writes)
{
	unsigned count = cpu_count() > 16 ? cpu_count() : 4 * cpu_count();
	struct guarded g = { .turns = ALIGN_DOWN(4 * TURNS / count, 8) };

	NEED_CPUS(2);
	sched_set_tick(100 * CLOCK_US); /* so that some are interrupted half way in */
	REQUIRE(workers_run(count, read_or_write, &g));
	sched_set_tick(SCHED_TICK_NS);
	EXPECT_EQ(g.mixed, 0);
	EXPECT_EQ(g.first, g.turns / 8 * count);
	EXPECT_EQ(g.second, g.first);
}

static void write_once(void *arg)
{
	struct contest *c = arg;

	__atomic_store_n(&c->started, 1, __ATOMIC_RELEASE);
	rw_write_lock(&areas);
	__atomic_store_n(&c->taken, 1, __ATOMIC_RELEASE);
	rw_write_unlock(&areas);
}

static bool wait_for_rw_needbreak(void)
{
	uint64_t start = clock_now();

	while (!rw_needbreak(&areas) && clock_now() - start < WAIT_NS)
		thread_sleep(CLOCK_MS); /* so that no thread that is ready is the reason */
	return READ_ONCE(areas.waiting);
}

/* A writer waits for the reader, which learns of it; later readers wait for the writer. */
TEST(lock_smp, writer_waits_and_is_known)
{
	struct contest c = { 0 };
	struct thread *t;

	rw_read_lock(&areas);
	t = thread_create(cpu_count() - 1, write_once, &c, "writer");
	REQUIRE(t);
	EXPECT(wait_for_rw_needbreak());
	EXPECT(!rw_read_trylock(&areas));
	EXPECT_EQ(READ_ONCE(c.taken), 0);
	rw_read_unlock(&areas);
	thread_join(t);
	EXPECT_EQ(c.taken, 1);
	EXPECT(!rw_needbreak(&areas) || need_resched());
	EXPECT_EQ(areas.waiting, 0);
}

/* The holder may sleep; others of its CPU that want the lock do not keep it from waking up. */
TEST(lock_smp, holder_may_sleep)
{
	struct contest c = { 0 };
	struct thread *t;

	rw_write_lock(&areas);
	t = thread_create(cpu_index(), write_once, &c, "waits here");
	REQUIRE(t);
	thread_sleep(20 * CLOCK_MS);
	EXPECT_EQ(READ_ONCE(c.started), 1);
	EXPECT_EQ(READ_ONCE(c.taken), 0);
	rw_write_unlock(&areas);
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
