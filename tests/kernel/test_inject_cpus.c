/*
 * Interrupts between CPUs that come late or not at all, and work on all CPUs while memory fails.
 */
#include <arch/smp.h>
#include <arch/trap.h>
#include <mm/copy.h>
#include <mm/share.h>
#include <proc/thread.h>
#include <tests/kernel/cpu_work.h>

#define DELAY (500 * CLOCK_US)
#define DELAYED_CALLS 24
#define ROUNDS 8
#define LOSSES 16
#define LOAD_ROUNDS 300
#define LOAD_PAGES 24
/* ---- Late calls. ---- */

static unsigned call_count, late_call; /* the number of the one that is handled late, from 1 */
static unsigned late_count;

static void delay_one(void)
{
	if (__atomic_add_fetch(&call_count, 1, __ATOMIC_RELAXED) != late_call)
		return;
	__atomic_add_fetch(&late_count, 1, __ATOMIC_RELAXED);
	clock_wait(DELAY);
}

/* CPU 0 takes a page that all have in their TLBs; nobody may have it when it says so. */
static void take_pages(struct worker *w)
{
	struct work *k = w->arg;
	struct space *s = k->space[0];
	uint64_t value;

	for (unsigned round = 0; round < ROUNDS; round++) {
		va_t va = BASE + PAGES(round);

		if (!w->number)
			work_check(k, touch_write(s, va, round + 1));
		work_meet(k, 3 * round + 1);
		work_check(k, touch_reads(s, va, round + 1));
		work_meet(k, 3 * round + 2);
		if (!w->number)
			work_check(k, !(round & 1 ? space_protect(s, va, va + PAGE_SIZE, 0)
						  : space_unmap(s, va, va + PAGE_SIZE)));
		work_meet(k, 3 * round + 3);
		work_check(k, !touch_read_raw(s, va, &value));
	}
	touch_done();
}

// Whichever of the calls that flush other CPUs is handled late, who flushes waits for it.
TEST(inject_cpus, every_call_late)
{
	NEED_CPUS(2);
	late_count = 0;
	for (late_call = 1; late_call <= DELAYED_CALLS; late_call++) {
		struct work k = work_begin(ROUNDS);

		call_count = 0;
		smp_inject_delay = delay_one;
		work_run(&k, take_pages);
		smp_inject_delay = NULL;
		work_end(&k);
	}
	EXPECT(late_count > 0);
	test_note("%u calls handled late", late_count);
}

/* ---- Lost interrupts. ---- */

static unsigned lose_next; /* how many of the next are lost */
static unsigned lost_count;

static bool lose(void)
{
	unsigned left = __atomic_load_n(&lose_next, __ATOMIC_RELAXED);

	if (!left)
		return false;
	__atomic_sub_fetch(&lose_next, 1, __ATOMIC_RELAXED);
	__atomic_add_fetch(&lost_count, 1, __ATOMIC_RELAXED);
	return true;
}

static void set_flag(void *arg)
{
	__atomic_store_n((bool *)arg, true, __ATOMIC_RELEASE);
}

static void nothing(void *arg)
{
	(void)arg;
}

// A thread whose CPU was not told of it runs with the next interrupt that the CPU gets.
TEST(inject_cpus, every_reschedule_lost)
{
	NEED_CPUS(2);
	lost_count = 0;
	smp_inject_loss = lose;
	for (unsigned i = 0; i < LOSSES; i++) {
		unsigned cpu = 1 + i % (cpu_count() - 1);
		bool ran = false;
		struct thread *t;
		struct cpu_set set = { 0 };

		lose_next = 1;
		t = thread_create(cpu, set_flag, &ran, "unheard");
		REQUIRE(t);
		lose_next = 0;
		cpu_set_add(&set, cpu);
		cpu_call(&set, nothing, NULL, true);
		thread_join(t);
		EXPECT(ran);
	}
	smp_inject_loss = NULL;
	EXPECT(lost_count > 0);
	test_note("%u reschedules lost", lost_count);
}

/* ---- Random, under load. ---- */

static uint64_t load_failed;

/* splitmix64, one for each CPU. */
static uint64_t load_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	return z ^ z >> 31;
}

static void delay_some(void)
{
	static uint64_t state;

	if (load_random(&state) % 8 == 0)
		clock_wait(50 * CLOCK_US);
}

/* Fork, and see that the child has what its parent has; out of memory is a fair answer. */
static void load_fork(struct work *k, struct space *s, const uint64_t *value, unsigned page)
{
	struct space *child = space_fork(s);
	uint64_t seen;

	if (!child) {
		__atomic_add_fetch(&load_failed, 1, __ATOMIC_RELAXED);
		return;
	}
	if (touch_read(child, BASE + PAGES(page), &seen))
		work_check(k, seen == value[page]);
	touch_write(child, BASE + PAGES(page), ~0ull);
	touch_done();
	space_destroy(child);
}

static void load_page(struct work *k, struct space *s, uint64_t *value, unsigned page,
		      uint64_t dice)
{
	va_t va = BASE + PAGES(page);
	uint64_t seen;

	if (dice % 4 == 0 && !space_protect(s, va, va + PAGE_SIZE, PT_R))
		work_check(k, !touch_write(s, va, 1));
	while (space_protect(s, va, va + PAGE_SIZE, PT_R | PT_W))
		__atomic_add_fetch(&load_failed, 1, __ATOMIC_RELAXED);
	if (touch_write(s, va, dice))
		value[page] = dice;
	else
		__atomic_add_fetch(&load_failed, 1, __ATOMIC_RELAXED);
	if (touch_read(s, va, &seen))
		work_check(k, seen == value[page]);
}

static void work_under_load(struct worker *w)
{
	struct work *k = w->arg;
	struct space *s = k->space[w->number];
	uint64_t value[LOAD_PAGES] = { 0 }, state = w->number;

	for (unsigned round = 0; round < LOAD_ROUNDS; round++) {
		uint64_t dice = load_random(&state);

		if (w->number == 0)
			frame_fail_after(dice % 16, dice >> 8 & 3);
		load_page(k, s, value, dice % LOAD_PAGES, dice >> 16);
		if (round % 8 == 0)
			load_fork(k, s, value, dice % LOAD_PAGES);
	}
	touch_done();
	work_meet(k, 1);
	if (w->number == 0)
		frame_fail_after(0, 0);
	work_meet(k, 2);
	for (unsigned i = 0; i < LOAD_PAGES; i++)
		work_check(k, touch_reads(s, BASE + PAGES(i), value[i]));
	touch_done();
}

// Four relatives on four CPUs, allocations failing and calls late at random: each keeps what it
// wrote, and nothing is lost.
TEST(inject_cpus, random_under_load)
{
	bool shares = fork_shares_tables;

	NEED_CPUS(2);
	load_failed = 0;
	for (unsigned round = 0; round < 4; round++) {
		struct work k = work_begin(LOAD_PAGES);

		fork_shares_tables = round & 1;
		for (unsigned i = 1; i < CPUS; i++)
			k.space[i] = space_fork(k.space[0]);
		smp_inject_delay = delay_some;
		work_run(&k, work_under_load);
		smp_inject_delay = NULL;
		for (unsigned i = 1; i < CPUS; i++)
			space_destroy(k.space[i]);
		work_end(&k);
	}
	fork_shares_tables = shares;
	EXPECT(load_failed > 0);
	test_note("%lu operations found no memory", load_failed);
}
