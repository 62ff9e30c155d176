/*
 * Tests of reader/writer locks between CPUs: who shares, who is alone, and that nobody waits for
 * ever.
 */
#include <lib/preempt.h>
#include <lib/rwlock.h>
#include <lib/string.h>
#include <proc/sched.h>
#include <tests/kernel/lock_rig.h>

static struct rwlock areas = RWLOCK_INIT(LOCK_TEST_SLEEP);

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
TEST(rwlock_smp, readers_share)
{
	unsigned count = cpu_count() > 16 ? cpu_count() : 10 * cpu_count();
	uint32_t inside = 0;

	REQUIRE(workers_run(count, read_together, &inside));
	EXPECT_EQ(inside, count);
	EXPECT(rw_write_trylock(&areas));
	rw_write_unlock(&areas);
}

/* A reader that meets nobody leaves the lock's own bytes alone. */
TEST(rwlock_smp, readers_write_no_shared_line)
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
			guarded_touch(g);
			rw_write_unlock(&areas);
			continue;
		}
		rw_read_lock(&areas);
		first = READ_ONCE(g->first);
		guarded_linger();
		mixed += first != READ_ONCE(g->second);
		rw_read_unlock(&areas);
	}
	__atomic_fetch_add(&g->mixed, mixed, __ATOMIC_RELAXED);
}

/* Readers never see what a writer has half done, nor does a writer; no write is lost. */
TEST(rwlock_smp, readers_see_whole_writes)
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
TEST(rwlock_smp, writer_waits_and_is_known)
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
TEST(rwlock_smp, holder_may_sleep)
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

#define HANDOVERS 20

/* Takes the lock, to read and to write in turn. */
struct patient {
	uint32_t taken; /* how often */
};

static void be_patient(void *arg)
{
	struct patient *p = arg;

	for (unsigned i = 0; i < HANDOVERS; i++) {
		if (i % 2)
			rw_read_lock(&areas);
		else
			rw_write_lock(&areas);
		__atomic_add_fetch(&p->taken, 1, __ATOMIC_ACQ_REL);
		if (i % 2)
			rw_read_unlock(&areas);
		else
			rw_write_unlock(&areas);
	}
}

/* The lock is held for writing until somebody has waited for it for long. */
static bool wait_for_next(void)
{
	uint64_t start = clock_now();

	while (!READ_ONCE(areas.next) && clock_now() - start < WAIT_NS)
		arch_pause();
	return READ_ONCE(areas.next) != NULL;
}

/* A writer that takes the lock again as soon as it has let it go does not keep it from who has
 * waited for long, reader or writer, even if that one looks once a tick only. */
TEST(rwlock_smp, nobody_is_passed_over_for_ever)
{
	struct patient p = { 0 };
	struct thread *t;
	uint32_t before;

	NEED_CPUS(2);
	rw_write_lock(&areas);
	t = thread_create(1, be_patient, &p, "patient");
	while (t && (before = __atomic_load_n(&p.taken, __ATOMIC_ACQUIRE)) < HANDOVERS) {
		if (!EXPECT(wait_for_next()))
			break;
		EXPECT_EQ(READ_ONCE(p.taken), before);
		rw_write_unlock(&areas);
		rw_write_lock(&areas);
		EXPECT_LE(before + 1, __atomic_load_n(&p.taken, __ATOMIC_ACQUIRE));
	}
	rw_write_unlock(&areas);
	REQUIRE(t);
	thread_join(t);
	EXPECT_EQ(p.taken, HANDOVERS);
	EXPECT(!areas.next && !areas.waiting && !areas.overflow && !areas.writer);
}
