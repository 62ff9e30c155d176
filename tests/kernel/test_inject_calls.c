/*
 * Interrupts between CPUs, in every operation: the n-th call that flushes another CPU is handled
 * late, or the n-th interrupt that tells a CPU of a thread is lost; n rises until there is no n-th.
 *
 * A reader on another CPU has the page in its TLB when the operation begins; when it has ended, no
 * CPU may see what it took away. (test_inject_cpus.c has several CPUs at work at the same time.)
 */
#include <arch/clock.h>
#include <arch/smp.h>
#include <arch/trap.h>
#include <mm/copy.h>
#include <mm/reclaim.h>
#include <mm/share.h>
#include <mm/swap.h>
#include <proc/thread.h>
#include <tests/kernel/oracle.h>
#include <tests/kernel/page_room.h>
#include <tests/kernel/test.h>
#include <tests/kernel/touch.h>

#define PAGE ROOM_PAGE(1)
#define WORD 2ull /* in it */
#define DELAY (300 * CLOCK_US)
#define POINTS_MAX 1000

static struct bed {
	struct space *space, *child;
	unsigned point, count; /* the call or interrupt that is injected; those so far. Atomic */
	bool ready, go, done;  /* atomic: of the reader */
	bool seen;             /* afterwards, without help by mm/fault */
	uint64_t value;
} bed;

/* ---- The injections. ---- */

static void delay_one(void)
{
	if (__atomic_add_fetch(&bed.count, 1, __ATOMIC_RELAXED) == bed.point)
		clock_wait(DELAY);
}

static bool lose_one(void)
{
	return __atomic_add_fetch(&bed.count, 1, __ATOMIC_RELAXED) == bed.point;
}

static void nothing(void *arg)
{
	(void)arg;
}

/* Wait; a CPU that was not told of a thread looks when it gets any interrupt. */
static void wait_for(const bool *flag)
{
	struct cpu_set set = { 0 };

	cpu_set_add(&set, 1);
	while (!__atomic_load_n(flag, __ATOMIC_ACQUIRE))
		cpu_call(&set, nothing, NULL, true);
}

/* ---- The reader. ---- */

static void read_before_and_after(void *arg)
{
	uint64_t value;

	(void)arg;
	touch_read(bed.space, PAGE, &value);
	__atomic_store_n(&bed.ready, true, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&bed.go, __ATOMIC_ACQUIRE))
		arch_pause();
	bed.seen = touch_read_raw(bed.space, PAGE, &bed.value);
	touch_done();
	__atomic_store_n(&bed.done, true, __ATOMIC_RELEASE);
}

/* ---- The operations. ---- */

static void do_unmap(void)
{
	EXPECT_EQ(space_unmap(bed.space, PAGE, PAGE + PAGE_SIZE), 0);
}

static void do_deny(void)
{
	EXPECT_EQ(space_protect(bed.space, PAGE, PAGE + PAGE_SIZE, 0), 0);
}

static void do_swap_out(void)
{
	EXPECT_EQ(space_swap_out(bed.space, PAGE), 0);
}

static void do_reclaim(void)
{
	EXPECT_EQ(space_reclaim(bed.space, 4), 4u);
}

static void do_fork(void)
{
	bed.child = space_fork(bed.space);
	EXPECT(bed.child);
}

static void do_write(void)
{
	EXPECT(touch_write(bed.space, PAGE, 77));
}

static void do_split(void)
{
	EXPECT_EQ(space_protect(bed.space, PAGE + PAGE_SIZE, PAGE + 2 * PAGE_SIZE, PT_R), 0);
}

static void do_exit(void)
{
	space_destroy(bed.child);
	bed.child = NULL;
}

static const struct operation {
	const char *name;
	void (*run)(void);
	bool forked;    /* there is a child before it */
	unsigned flags; /* of the area */
	uint64_t value; /* what the reader may see afterwards; 0: nothing */
} operations[] = {
	{ "unmap", do_unmap, false, 0, 0 },
	{ "unmap, shared", do_unmap, true, 0, 0 },
	{ "deny", do_deny, false, 0, 0 },
	{ "deny, shared", do_deny, true, 0, 0 },
	{ "swap out", do_swap_out, false, 0, 0 },
	{ "swap out, shared", do_swap_out, true, 0, 0 },
	{ "reclaim", do_reclaim, false, 0, 0 },
	{ "fork", do_fork, false, 0, WORD },
	{ "write", do_write, true, 0, 77 },
	{ "split", do_split, false, AREA_HUGE, WORD },
	{ "exit of a child", do_exit, true, 0, WORD },
};

/* ---- The cases. ---- */

static bool bed_open(const struct operation *op, unsigned point)
{
	uint64_t pages = op->flags & AREA_HUGE ? 512 : 4;

	bed = (struct bed){ .point = point, .space = room_create(pages, op->flags) };
	if (!EXPECT(bed.space))
		return false;
	for (unsigned i = 0; i < 4; i++)
		EXPECT(touch_write(bed.space, ROOM_PAGE(i), i + 1));
	if (op->forked)
		bed.child = space_fork(bed.space);
	return EXPECT(!op->forked || bed.child);
}

static void bed_close(void)
{
	touch_done();
	EXPECT_EQ(oracle_check(), 0u);
	if (bed.child)
		space_destroy(bed.child);
	space_destroy(bed.space);
}

/* False: there was no such call or interrupt. */
static bool inject_at(const struct operation *op, bool loss, unsigned point)
{
	struct thread *reader;

	if (!bed_open(op, point))
		return false;
	smp_inject_loss = loss ? lose_one : NULL;
	reader = thread_create(1, read_before_and_after, NULL, "reader");
	if (!EXPECT(reader))
		return false;
	wait_for(&bed.ready);
	smp_inject_delay = loss ? NULL : delay_one;
	op->run();
	smp_inject_delay = NULL;
	__atomic_store_n(&bed.go, true, __ATOMIC_RELEASE);
	wait_for(&bed.done);
	thread_join(reader);
	smp_inject_loss = NULL;
	EXPECT_EQ(bed.seen, op->value != 0);
	if (bed.seen)
		EXPECT_EQ(bed.value, op->value);
	bed_close();
	return bed.count >= point;
}

static void inject_everywhere(bool loss)
{
	bool shares = fork_shares_tables;
	uint64_t sum = 0;

	if (cpu_count() < 2)
		TEST_SKIP("needs 2 CPUs");
	REQUIRE_EQ(swap_init(16), 0);
	for (unsigned i = 0; i < 2 * ARRAY_SIZE(operations); i++) {
		unsigned point = 1;

		fork_shares_tables = i & 1;
		while (point < POINTS_MAX && inject_at(&operations[i / 2], loss, point))
			point++;
		sum += point - 1;
		test_note("%-16s fork=%-6s %3u %s", operations[i / 2].name,
			  i & 1 ? "shared" : "eager", point - 1, loss ? "lost" : "late");
	}
	swap_fini();
	fork_shares_tables = shares;
	EXPECT(sum > 0);
	test_note("%lu interrupts %s, in %u operations", sum, loss ? "lost" : "handled late",
		  2 * (unsigned)ARRAY_SIZE(operations));
}

// Whichever call of whichever operation is handled late: when the operation has ended, no CPU sees
// what it took away.
TEST(inject_calls, every_call_of_every_operation_late)
{
	inject_everywhere(false);
}

// Whichever interrupt is lost that tells a CPU of a thread that works on the same space: the thread
// runs with the next one, and the operation is right.
TEST(inject_calls, every_reschedule_of_every_operation_lost)
{
	inject_everywhere(true);
}
