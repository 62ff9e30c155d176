/*
 * Tests of threads on one CPU: they run, take turns whether they want to or not, wait, and end.
 */
#include <arch/clock.h>
#include <arch/thread.h>
#include <arch/trap.h>
#include <dev/pit.h>
#include <lib/preempt.h>
#include <lib/printk.h>
#include <lib/spinlock.h>
#include <lib/string.h>
#include <mm/frame.h>
#include <mm/kspace.h>
#include <proc/sched.h>
#include <tests/kernel/test.h>
#include <tests/kernel/workers.h>

#define WAIT_NS (5 * CLOCK_S) /* for what should happen within a few ticks */

static void set_flag(void *arg)
{
	__atomic_store_n((uint32_t *)arg, 1, __ATOMIC_RELEASE);
}

static bool flag_is_set(const uint32_t *flag)
{
	return __atomic_load_n(flag, __ATOMIC_ACQUIRE);
}

/* Without giving the CPU up: only who preempts the caller can set the flag. */
static bool wait_for_flag(const uint32_t *flag)
{
	uint64_t start = clock_now();

	while (!flag_is_set(flag) && clock_now() - start < WAIT_NS)
		arch_pause();
	return flag_is_set(flag);
}

/* ---- The clock they go by. ---- */

#define ATTEMPTS 20

/* The clock, and the timer chip's steps that are left at that time. The host may take the machine
 * away in between, so it is the quickest of some attempts. */
static uint64_t read_both(unsigned *left)
{
	uint64_t best = 0, shortest = ~0ull;

	*left = 0;
	for (unsigned i = 0; i < ATTEMPTS; i++) {
		uint64_t ns = clock_now();
		unsigned steps = pit_steps_left();
		uint64_t took = clock_now() - ns;

		if (took < shortest) {
			shortest = took;
			best = ns;
			*left = steps;
		}
	}
	return best;
}

// What was measured at boot still holds, to one in a hundred: the clock and the timer chip agree.
TEST(thread, clock_agrees_with_the_timer_chip)
{
	unsigned before, after;
	uint64_t ns, due;

	do {
		pit_start(PIT_STEPS_MAX);
		ns = read_both(&before);
		clock_wait(30 * CLOCK_MS);
		ns = read_both(&after) - ns;
	} while (pit_is_done());
	due = (before - after) * CLOCK_S / PIT_HZ;
	EXPECT_LE(due - due / 100, ns);
	EXPECT_LE(ns, due + due / 100);
	test_note("%lu us, by the timer chip %lu", ns / 1000, due / 1000);
}

/* ---- Threads. ---- */

/* A thread runs its function once, on the CPU it was made for, and join waits for the end. */
TEST(thread, runs_and_is_joined)
{
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++) {
		uint32_t flag = 0;
		struct thread *t = thread_create(cpu, set_flag, &flag, "once");

		REQUIRE(t);
		EXPECT_EQ(t->cpu, cpu);
		thread_join(t);
		EXPECT(flag_is_set(&flag));
	}
}

/* A thread that never gives up its CPU is preempted: the one that made it goes on, and back. */
TEST(thread, is_preempted)
{
	uint64_t before = sched_stats(cpu_index()).preempt_count;
	uint32_t flag = 0;
	struct thread *t = thread_create(cpu_index(), set_flag, &flag, "preempts");

	REQUIRE(t);
	EXPECT(wait_for_flag(&flag));
	thread_join(t);
	EXPECT_OP(sched_stats(cpu_index()).preempt_count, >, before);
}

static void park_and_set_flag(void *arg)
{
	thread_park(THREAD_FOREVER);
	set_flag(arg);
}

/* Not while preemption is disabled, by itself or by a spin lock; and then at once. */
TEST(thread, waits_while_preemption_is_disabled)
{
	static struct spinlock lock = SPINLOCK_INIT(LOCK_TEST_OUTER);
	uint32_t flag = 0;
	struct thread *t = thread_create(cpu_index(), park_and_set_flag, &flag, "waits");

	REQUIRE(t);
	thread_sleep(SCHED_TICK_NS);
	preempt_disable();
	thread_unpark(t);
	clock_wait(5 * SCHED_TICK_NS);
	EXPECT(need_resched());
	EXPECT(!flag_is_set(&flag));
	spin_lock(&lock);
	preempt_enable();
	clock_wait(5 * SCHED_TICK_NS);
	EXPECT(!flag_is_set(&flag));
	spin_unlock(&lock);
	EXPECT(flag_is_set(&flag));
	thread_join(t);
}

struct spinner {
	uint64_t turns;
	const uint32_t *stop;
	uint64_t sum;
};

/* Keeps its state in registers for as long as the compiler likes. */
static void spin(void *arg)
{
	struct spinner *s = arg;
	uint64_t turns = 0, sum = 0;

	while (!flag_is_set(s->stop)) {
		turns++;
		sum += turns;
		WRITE_ONCE(s->turns, turns);
	}
	s->sum = sum;
}

#define SPINNERS 4

/* Several that never stop share the CPU, none starves, and none loses what it has in registers. */
TEST(thread, take_turns)
{
	struct thread *thread[SPINNERS];
	struct spinner spinner[SPINNERS];
	uint32_t stop = 0;

	for (unsigned i = 0; i < SPINNERS; i++) {
		spinner[i] = (struct spinner){ .stop = &stop };
		thread[i] = thread_create(cpu_index(), spin, &spinner[i], "spinner");
		REQUIRE(thread[i]);
	}
	thread_sleep(10 * SPINNERS * SCHED_TICK_NS);
	set_flag(&stop);
	for (unsigned i = 0; i < SPINNERS; i++) {
		uint64_t n;

		thread_join(thread[i]);
		n = spinner[i].turns;
		EXPECT_NE(n, 0);
		EXPECT_EQ(spinner[i].sum, n * (n + 1) / 2);
	}
}

static void yield_often(void *arg)
{
	uint32_t *shared = arg;

	for (unsigned i = 0; i < 1000; i++) {
		__atomic_fetch_add(shared, 1, __ATOMIC_RELAXED);
		thread_yield();
	}
}

/* Whoever yields lets the other one go first: two count in turns, but where one is interrupted
 * before it yields, and has nothing left to do in its next turn. */
TEST(thread, yield_lets_the_other_run)
{
	struct sched_stats before = sched_stats(cpu_index()), after;
	uint32_t shared = 0, missed = 0;
	struct thread *t = thread_create(cpu_index(), yield_often, &shared, "yields");

	REQUIRE(t);
	for (unsigned i = 0; i < 1000; i++) {
		unsigned seen = READ_ONCE(shared);

		thread_yield();
		missed += seen < 1000 && READ_ONCE(shared) == seen;
	}
	after = sched_stats(cpu_index());
	EXPECT_LE(missed, after.preempt_count - before.preempt_count);
	thread_join(t);
	EXPECT_EQ(shared, 1000);
	EXPECT_LE(before.switch_count + 1000, after.switch_count);
}

/* A sleep lasts as long as it should, and not very much longer; others run meanwhile. */
TEST(thread, sleeps)
{
	static const uint64_t lengths[] = { 1, 100 * CLOCK_US, 3 * CLOCK_MS, 35 * CLOCK_MS };

	for (unsigned i = 0; i < ARRAY_SIZE(lengths); i++) {
		uint64_t start = clock_now(), slept;

		thread_sleep(lengths[i]);
		slept = clock_now() - start;
		EXPECT_LE(lengths[i], slept);
		EXPECT_LE(slept, lengths[i] + 2 * CLOCK_S); /* the host may be busy */
	}
}

struct parked {
	struct thread *thread;
	uint32_t count;
	bool in_time;
};

static void park_three_times(void *arg)
{
	struct parked *p = arg;

	for (unsigned i = 0; i < 3; i++) {
		thread_park(THREAD_FOREVER);
		__atomic_fetch_add(&p->count, 1, __ATOMIC_RELEASE);
	}
}

static bool wait_for_count(const uint32_t *count, uint32_t wanted)
{
	uint64_t start = clock_now();

	while (READ_ONCE(*count) != wanted && clock_now() - start < WAIT_NS)
		thread_yield();
	return READ_ONCE(*count) == wanted;
}

/* A parked thread goes on when it is unparked and not before; an unpark that comes first is kept,
 * two of them count as one. */
TEST(thread, parks_until_unparked)
{
	struct parked p = { 0 };
	struct thread *t = thread_create(cpu_count() - 1, park_three_times, &p, "parks");

	REQUIRE(t);
	thread_sleep(3 * SCHED_TICK_NS);
	EXPECT_EQ(READ_ONCE(p.count), 0);
	thread_unpark(t);
	EXPECT(wait_for_count(&p.count, 1));
	thread_sleep(3 * SCHED_TICK_NS);
	EXPECT_EQ(READ_ONCE(p.count), 1);
	thread_unpark(t);
	EXPECT(wait_for_count(&p.count, 2));
	thread_unpark(t);
	thread_join(t);
	EXPECT_EQ(p.count, 3);

	thread_unpark(thread_self());
	thread_unpark(thread_self());
	EXPECT(thread_park(THREAD_FOREVER));
	EXPECT(!thread_park(CLOCK_MS));
}

/* A thread that ends while nobody waits keeps until it is joined. */
TEST(thread, may_end_before_it_is_joined)
{
	uint32_t flag = 0;
	struct thread *t = thread_create(0, set_flag, &flag, "early");

	REQUIRE(t);
	thread_sleep(3 * SCHED_TICK_NS);
	EXPECT(flag_is_set(&flag));
	thread_join(t);
}

/* Thousands of threads come and go, and leave nothing behind. */
TEST(thread, many_come_and_go)
{
	uint64_t free_before = frame_free_count();
	uint32_t count = 0;

	for (unsigned i = 0; i < 500; i++) {
		uint32_t flag = 0;
		struct thread *t = thread_create(i % cpu_count(), set_flag, &flag, "brief");

		REQUIRE(t);
		thread_join(t);
		count += flag_is_set(&flag);
	}
	EXPECT_EQ(count, 500);
	EXPECT_EQ(frame_free_count(), free_before);
}

/* Without memory there is no thread, and nothing is lost. */
TEST(thread, out_of_memory)
{
	uint64_t free_before = frame_free_count();
	struct thread *t = NULL;
	uint32_t flag = 0;
	unsigned failed = 0;

	for (; !t; failed++) {
		frame_fail_after(failed, 1);
		t = thread_create(0, set_flag, &flag, "lucky");
		frame_fail_after(0, 0);
		if (!t)
			EXPECT_EQ(frame_free_count(), free_before);
	}
	thread_join(t);
	EXPECT_EQ(frame_free_count(), free_before);
	test_note("%u allocations failed in turn", failed - 1);
}

static NOINLINE unsigned recurse(volatile unsigned *depth)
{
	volatile uint8_t frame[1000];

	frame[0] = (uint8_t)++ * depth;
	return *depth < 1000 ? recurse(depth) + frame[0] : 0;
}

static void overflow(void *arg)
{
	volatile unsigned depth = 0;

	*(unsigned *)arg = recurse(&depth);
}

/* Below a thread's stack is nothing. */
TEST(thread, stack_ends_in_a_hole)
{
	struct pt_span below, in;
	struct thread *t;
	uint32_t flag = 0;

	t = thread_create(0, set_flag, &flag, "stack");
	REQUIRE(t);
	below = pt_translate(&kernel_space.root, t->stack - 1);
	in = pt_translate(&kernel_space.root, t->stack);
	EXPECT_EQ(below.kind, (enum pt_kind)PT_NONE);
	EXPECT_EQ(in.kind, (enum pt_kind)PT_LEAF);
	thread_join(t);
}

/* So that the other thread expects a trap, too, by the time this one makes its own. */
static void linger(void)
{
	uint64_t start = clock_now();

	while (clock_now() - start < 3 * SCHED_TICK_NS)
		arch_pause();
}

static void divide(void *arg)
{
	(void)arg;
	linger();
	__asm__ volatile("xor %%ecx, %%ecx; mov $1, %%eax; cltd; idiv %%ecx"
			 :
			 :
			 : "rax", "rcx", "rdx", "cc");
}

static void undefined(void *arg)
{
	(void)arg;
	linger();
	__asm__ volatile("ud2");
}

static void expect_divide(void *arg)
{
	unsigned *caught = arg;

	for (unsigned i = 0; i < 5; i++)
		*caught += expect_fault(divide, NULL, true).vector == TRAP_DE;
}

/* Traps that threads of one CPU expect at the same time come to the one that made them. */
TEST(thread, expects_its_own_traps)
{
	unsigned caught = 0, caught_here = 0;
	struct thread *t = thread_create(cpu_index(), expect_divide, &caught, "divides");

	REQUIRE(t);
	for (unsigned i = 0; i < 5; i++)
		caught_here += expect_fault(undefined, NULL, true).vector == TRAP_UD;
	thread_join(t);
	EXPECT_EQ(caught, 5);
	EXPECT_EQ(caught_here, 5);
}

TEST_HIDDEN(selftest, thread_stack_overflow)
{
	unsigned sum = 0;
	struct thread *t = thread_create(0, overflow, &sum, "overflows");

	REQUIRE(t);
	thread_join(t);
	EXPECT_EQ(sum, 0);
}

static void exit_with_lock(void *arg)
{
	spin_lock((struct spinlock *)arg);
}

TEST_HIDDEN(selftest, thread_ends_with_lock)
{
	static struct spinlock lock = SPINLOCK_INIT(LOCK_TEST_OUTER);
	struct thread *t = thread_create(0, exit_with_lock, &lock, "forgets");

	REQUIRE(t);
	thread_join(t);
	EXPECT(true);
}
