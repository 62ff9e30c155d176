/*
 * Locks between threads of the host that let each other run at odd moments, between two
 * instructions of the locks, too. Each thread is a CPU. The rest is in
 * tests/kernel/test_lock_smp.c.
 */
#include <pthread.h>

#include <lib/rwlock.h>
#include <lib/spinlock.h>
#include <tests/host/host.h>
#include <tests/kernel/test.h>

#define THREADS 4
#define TURNS 20000
#define WRITE_EVERY 8

static struct rwlock areas = RWLOCK_INIT(LOCK_TEST_SLEEP);
static struct spinlock outer = SPINLOCK_INIT(LOCK_TEST_OUTER);
static uint32_t word;

/* What only one may change at a time: the two are equal but inside. */
static uint64_t first, second;

struct locker {
	pthread_t thread;
	unsigned number;
	unsigned mixed; /* how often it has seen what it must not */
};

static bool is_mixed(void)
{
	return READ_ONCE(first) != READ_ONCE(second);
}

static void change(struct locker *l)
{
	l->mixed += is_mixed();
	WRITE_ONCE(first, READ_ONCE(first) + 1);
	host_maybe_yield();
	WRITE_ONCE(second, READ_ONCE(second) + 1);
	l->mixed += is_mixed();
}

static void *read_or_write(void *arg)
{
	struct locker *l = arg;

	host_cpu_begin(l->number + 1);
	for (unsigned i = 0; i < TURNS; i++) {
		if (i % WRITE_EVERY == 0) {
			rw_write_lock(&areas);
			change(l);
			rw_write_unlock(&areas);
		} else {
			rw_read_lock(&areas);
			l->mixed += is_mixed();
			host_maybe_yield();
			l->mixed += is_mixed();
			rw_read_unlock(&areas);
		}
	}
	return NULL;
}

static void *take_turns(void *arg)
{
	struct locker *l = arg;

	host_cpu_begin(l->number + 1);
	for (unsigned i = 0; i < TURNS; i++) {
		spin_lock(&outer);
		change(l);
		spin_unlock(&outer);
	}
	return NULL;
}

static void *take_word(void *arg)
{
	struct locker *l = arg;

	host_cpu_begin(l->number + 1);
	for (unsigned i = 0; i < TURNS; i++) {
		spin_lock_word(&word, LOCK_TABLE);
		change(l);
		spin_unlock_word(&word, LOCK_TABLE);
	}
	return NULL;
}

/* Run fn on all threads. Returns how often one has seen what it must not. */
static unsigned run(void *(*fn)(void *))
{
	static struct locker locker[THREADS];
	unsigned mixed = 0;

	first = second = 0;
	host_yields = true;
	for (unsigned i = 0; i < THREADS; i++) {
		locker[i] = (struct locker){ .number = i };
		EXPECT_EQ(pthread_create(&locker[i].thread, NULL, fn, &locker[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(locker[i].thread, NULL);
		mixed += locker[i].mixed;
	}
	host_yields = false;
	return mixed;
}

/* Readers never see what a writer has half done, nor does a writer; no write is lost. */
TEST(lock_threads, readers_see_whole_writes)
{
	EXPECT_EQ(run(read_or_write), 0);
	EXPECT_EQ(first, THREADS * (TURNS / WRITE_EVERY));
	EXPECT_EQ(second, first);
	EXPECT_EQ(areas.writer | areas.waiting | areas.overflow, 0);
}

/* Spin locks of both kinds let one in at a time. */
TEST(lock_threads, one_at_a_time)
{
	EXPECT_EQ(run(take_turns), 0);
	EXPECT_EQ(first, THREADS * TURNS);
	EXPECT_EQ(run(take_word), 0);
	EXPECT_EQ(first, THREADS * TURNS);
	EXPECT_EQ(outer.word | word, 0);
}
