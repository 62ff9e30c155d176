/*
 * For tests of several CPUs in one space, or one family of spaces: what they work on together, and
 * a check that any of them may make. On the host each thread is a CPU.
 */
#pragma once

#include <arch/clock.h>
#include <lib/preempt.h>
#include <mm/pagetable.h>
#include <mm/space.h>
#include <tests/kernel/oracle.h>
#include <tests/kernel/test.h>
#include <tests/kernel/touch.h>
#include <tests/kernel/workers.h>

#define CPUS 4
#define BASE 0x30000000000ull
#define PAGES(n) ((n)*PAGE_SIZE)

/* What the CPUs of one test work on. */
struct work {
	struct space *space[CPUS];
	uint64_t started_at;    /* clock_now */
	uint64_t bad_count;     /* pt_bad_count at the start: bad entries are nobody's */
	uint64_t failure_count; /* atomic: EXPECT is one thread's */
	uint64_t first_ns;      /* from the start to the first failure */
	uint64_t done[CPUS];    /* what each has done, in its own terms */
	uint64_t rounds;        /* for each to do, where a test says so */
	bool stop;              /* atomic */
	unsigned arrived;       /* atomic; at the meeting point */
};

static inline bool work_check(struct work *k, bool ok)
{
	if (!ok && !__atomic_fetch_add(&k->failure_count, 1, __ATOMIC_RELAXED))
		k->first_ns = clock_now() - k->started_at;
	return ok;
}

/* Wait until all have come here for the n-th time. */
static inline void work_meet(struct work *k, unsigned n)
{
	__atomic_add_fetch(&k->arrived, 1, __ATOMIC_ACQ_REL);
	for (unsigned i = 0; __atomic_load_n(&k->arrived, __ATOMIC_ACQUIRE) < n * CPUS; i++)
		preempt_wait(i);
}

static inline bool work_is_over(struct work *k)
{
	return __atomic_load_n(&k->stop, __ATOMIC_RELAXED);
}

static inline void work_stop(struct work *k)
{
	__atomic_store_n(&k->stop, true, __ATOMIC_RELAXED);
}

static inline void work_add(struct work *k, struct space *s, va_t start, uint64_t pages)
{
	struct area_spec spec = { .start = start,
				  .end = start + PAGES(pages),
				  .rights = PT_R | PT_W };

	work_check(k, !space_add_area(s, &spec));
}

/* Run fn on all CPUs. What has failed by then fails the test, and the log says how soon it did. */
static inline void work_run(struct work *k, void (*fn)(struct worker *w))
{
	k->started_at = clock_now();
	EXPECT(workers_run(CPUS, fn, k));
	if (k->failure_count)
		test_note("%lu checks failed, the first after %lu us", k->failure_count,
			  (unsigned long)(k->first_ns / CLOCK_US));
	EXPECT_EQ(k->failure_count, 0ull);
	EXPECT_EQ(pt_bad_count, k->bad_count);
}

/* A space that all CPUs use, with one area at BASE. */
static inline struct work work_begin(uint64_t pages)
{
	struct work k = { .bad_count = pt_bad_count };
	struct space *s = space_create();

	work_add(&k, s, BASE, pages);
	for (unsigned i = 0; i < CPUS; i++)
		k.space[i] = s;
	return k;
}

/* A quiet point: every rule holds. */
static inline void work_end(struct work *k)
{
	EXPECT_EQ(oracle_check(), 0u);
	space_destroy(k->space[0]);
}
