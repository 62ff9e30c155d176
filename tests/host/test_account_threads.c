/*
 * The books of areas between threads: nothing that one books is lost to another who collects.
 */
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>

#include <mm/space.h>
#include <tests/kernel/test.h>
#include <tests/kernel/workers.h>

#define BOOKINGS 20000
#define WORKERS 3
#define PATIENCE 2000 /* turns for who must wait, to show that he does not */

/* A page of its own, which can be made such that writing to the books stops the writer. */
static struct {
	struct area area;
	char rest[PAGE_SIZE - sizeof(struct area)];
} ALIGNED(4096) page;

static unsigned at_work, stopped, booked; /* atomic */

static void wait_for(unsigned *flag)
{
	while (!__atomic_load_n(flag, __ATOMIC_ACQUIRE))
		arch_pause();
}

static void raise_flag(unsigned *flag)
{
	__atomic_store_n(flag, 1, __ATOMIC_RELEASE);
}

static void book_or_collect(struct worker *w)
{
	if (w->number == 0) {
		while (__atomic_load_n(&at_work, __ATOMIC_ACQUIRE))
			area_collect(&page.area);
		return;
	}
	for (unsigned i = 0; i < BOOKINGS; i++) {
		area_account(&page.area, MAPPED_ANON, 2);
		area_account(&page.area, MAPPED_SWAP, -1);
		area_account_fault(&page.area, FAULT_FILLED);
	}
	__atomic_sub_fetch(&at_work, 1, __ATOMIC_ACQ_REL);
}

// What several CPUs book while another one collects is all there in the end, each thing once.
TEST(account_threads, nothing_is_lost_to_a_collector)
{
	const int64_t count = (int64_t)BOOKINGS * (WORKERS - 1);

	page.area = (struct area){ .start = 0 };
	at_work = WORKERS - 1;
	workers_run(WORKERS, book_or_collect, NULL);
	area_collect(&page.area);
	EXPECT_EQ(page.area.mapped[MAPPED_ANON], 2 * count);
	EXPECT_EQ(page.area.mapped[MAPPED_SWAP], -count);
	EXPECT_EQ(page.area.faults[FAULT_FILLED], count);
	EXPECT_EQ(page.area.mapped[MAPPED_OBJECT] | page.area.mapped[MAPPED_ZERO], 0);
}

/* The collector is about to write to the books: now the other one may book. */
static void on_write(int signal)
{
	(void)signal;
	raise_flag(&stopped);
	for (unsigned i = 0; i < PATIENCE && !__atomic_load_n(&booked, __ATOMIC_ACQUIRE); i++)
		sched_yield();
	mprotect(&page, sizeof(page), PROT_READ | PROT_WRITE);
}

static void book_in_between(struct worker *w)
{
	if (w->number == 0) {
		area_account(&page.area, MAPPED_ANON, 2);
		raise_flag(&at_work);
		wait_for(&stopped);
		area_account(&page.area, MAPPED_ANON, 3);
		raise_flag(&booked);
		return;
	}
	wait_for(&at_work);
	mprotect(&page, sizeof(page), PROT_READ);
	area_collect(&page.area);
}

// Who books while his own books are being collected waits for the end of it.
TEST(account_threads, booking_waits_for_the_collector)
{
	struct sigaction action = { .sa_handler = on_write }, before;

	page.area = (struct area){ .start = 0 };
	at_work = stopped = booked = 0;
	sigaction(SIGSEGV, &action, &before);
	workers_run(2, book_in_between, NULL);
	sigaction(SIGSEGV, &before, NULL);
	EXPECT(stopped);
	EXPECT_EQ(page.area.mapped[MAPPED_ANON], 2);
	area_collect(&page.area);
	EXPECT_EQ(page.area.mapped[MAPPED_ANON], 2 + 3);
}
