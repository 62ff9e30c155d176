/*
 * Grace periods, with a thread inside a section whose end can be told.
 */
#include <pthread.h>
#include <unistd.h>

#include <arch/cpu_local.h>
#include <mm/flush.h>
#include <mm/grace.h>
#include <tests/host/host.h>
#include <tests/kernel/test.h>

static bool inside, leave_one, left_one, leave, waited;

static bool is_set(const bool *flag)
{
	return __atomic_load_n(flag, __ATOMIC_SEQ_CST);
}

static void set(bool *flag)
{
	__atomic_store_n(flag, true, __ATOMIC_SEQ_CST);
}

static void wait_for(const bool *flag)
{
	while (!is_set(flag))
		usleep(100);
}

/* In a section of two, on a CPU that never was in one. */
static void *walker(void *arg)
{
	(void)arg;
	host_cpu_begin(HOST_CPUS - 1);
	grace_enter();
	grace_enter();
	set(&inside);
	wait_for(&leave_one);
	grace_exit();
	set(&left_one);
	wait_for(&leave);
	grace_exit();
	return NULL;
}

static void *waiter(void *arg)
{
	(void)arg;
	host_cpu_begin(HOST_CPUS - 2);
	grace_wait();
	set(&waited);
	return NULL;
}

// Waiting ends when the outermost section has, and not before; with nobody inside, at once.
TEST(grace, waits_for_the_outermost_exit)
{
	pthread_t walking, waiting;

	inside = leave_one = left_one = leave = waited = false;
	grace_wait();
	grace_enter();
	grace_exit();
	grace_wait();
	REQUIRE(!pthread_create(&walking, NULL, walker, NULL));
	wait_for(&inside);
	REQUIRE(!pthread_create(&waiting, NULL, waiter, NULL));
	usleep(5000);
	EXPECT(!is_set(&waited));
	set(&leave_one);
	wait_for(&left_one);
	usleep(5000);
	EXPECT(!is_set(&waited));
	set(&leave);
	pthread_join(waiting, NULL);
	EXPECT(is_set(&waited));
	pthread_join(walking, NULL);
}

static void *flusher(void *arg)
{
	FLUSH_BATCH(batch);

	host_cpu_begin(HOST_CPUS - 2);
	flush_begin(&batch, NULL);
	flush_add_table(&batch, arg);
	flush_end(&batch);
	set(&waited);
	return NULL;
}

// A table that has left the tree goes when whoever may be in it has left his section.
TEST(grace, tables_wait_for_walkers)
{
	struct frame *table = frame_alloc(0, FRAME_KERNEL);
	pthread_t walking, flushing;

	REQUIRE(table);
	inside = leave_one = left_one = leave = waited = false;
	REQUIRE(!pthread_create(&walking, NULL, walker, NULL));
	wait_for(&inside);
	REQUIRE(!pthread_create(&flushing, NULL, flusher, table));
	set(&leave_one);
	usleep(5000);
	EXPECT(!is_set(&waited));
	EXPECT_EQ(frame_edges(table), 1u);
	set(&leave);
	pthread_join(flushing, NULL);
	EXPECT_EQ(frame_edges(table), 0u);
	pthread_join(walking, NULL);
}

// An exit without an entry is a bug.
TEST(grace, exits_are_paired)
{
	EXPECT_BUG(grace_exit());
}
