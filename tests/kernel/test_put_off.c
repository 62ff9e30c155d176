/*
 * What two threads of one CPU lock by a bare word or bit: if one could be put off while it holds
 * it, the other, which cannot be, would wait for ever.
 */
#include <arch/cpu.h>
#include <lib/preempt.h>
#include <mm/account.h>
#include <mm/frame.h>
#include <mm/space.h>
#include <proc/sched.h>
#include <proc/thread.h>
#include <tests/kernel/test.h>

#define ORDER 9
#define TICKS 20 /* of which each may put the first off while it holds the lock */

struct play {
	void (*first)(struct play *p), (*second)(struct play *p);
	struct frame *block;
	struct area area;
	bool stop;
	uint64_t rounds;
};

static void run_first(void *arg)
{
	struct play *p = arg;

	while (!READ_ONCE(p->stop))
		p->first(p);
}

static void run_second(void *arg)
{
	struct play *p = arg;

	for (; !READ_ONCE(p->stop); p->rounds++) {
		preempt_disable();
		p->second(p);
		preempt_enable();
		thread_yield();
	}
}

/* The first, which may be put off, and the second, which may not, again and again. */
static void play(struct play *p)
{
	struct thread *first = thread_create(cpu_index(), run_first, p, "first");
	struct thread *second = thread_create(cpu_index(), run_second, p, "second");

	REQUIRE(first);
	REQUIRE(second);
	thread_sleep(TICKS * SCHED_TICK_NS);
	WRITE_ONCE(p->stop, true);
	thread_join(first);
	thread_join(second);
	EXPECT_LE(2ull, p->rounds);
}

static void change_edges(struct play *p)
{
	frame_get_span(p->block, ORDER);
	frame_put_span(p->block, ORDER);
}

// The edges of a block of several frames.
TEST(put_off, nobody_who_locks_a_block)
{
	struct play p = { .first = change_edges,
			  .second = change_edges,
			  .block = frame_alloc(ORDER, FRAME_KERNEL) };

	REQUIRE(p.block);
	play(&p);
	frame_put(p.block);
}

static void book(struct play *p)
{
	area_account(&p->area, MAPPED_ANON, 1);
}

static void book_and_collect(struct play *p)
{
	book(p);
	area_collect(&p->area);
}

// An area's books, which are collected while a fault books.
TEST(put_off, nobody_who_collects_books)
{
	struct play p = { .first = book_and_collect, .second = book };

	play(&p);
	area_collect(&p.area);
}
