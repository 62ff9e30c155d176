/*
 * Two CPUs that fault disjoint regions of one space do so nearly twice as fast
 * as one.
 *
 * The host may be too busy to show it: the same two CPUs then cannot compute
 * twice as fast either, which is measured in the same way.
 *
 * What one CPU takes is what the slower of them takes alone, as both are waited for: an emulated
 * CPU whose stack and data meet in one place of the emulator's TLB is slower by a sixth, and no
 * neighbour is to blame.
 */
#include <arch/clock.h>
#include <arch/trap.h>
#include <lib/preempt.h>
#include <mm/fault.h>
#include <tests/kernel/cpu_work.h>

#define FAULTS 400 /* short, so that a busy host has moments without a disturbance */
#define STEPS 600000
#define TRIES_LEAST 20
#define TRIES 300
#define WANTED 180 /* hundredths */
#define ABLE 190
#define POSSIBLE 210 /* more: what one CPU took was disturbed */
#define BOTH 3u

struct race {
	struct space *space;
	bool faults;               /* or just compute */
	unsigned who;              /* bit n: CPU n runs */
	uint64_t start[2], end[2]; /* of each CPU, ns */
	unsigned arrived;
	uint64_t sum[2];
};

static uint64_t compute(void)
{
	uint64_t x = 1;

	for (unsigned i = 0; i < STEPS; i++)
		x = x * 6364136223846793005 + 1442695040888963407;
	return x;
}

static void fault_all(struct race *r, unsigned number)
{
	for (unsigned i = 0; i < FAULTS; i++)
		r->sum[number] +=
			(uint64_t)space_fault(r->space, BASE + PAGES(number * 8192ull + i), PT_W);
}

static void race(struct worker *w)
{
	struct race *r = w->arg;
	uint64_t start;

	if (!(r->who >> w->number & 1))
		return;
	__atomic_or_fetch(&r->arrived, 1u << w->number, __ATOMIC_ACQ_REL);
	while (__atomic_load_n(&r->arrived, __ATOMIC_ACQUIRE) != r->who)
		arch_pause();
	start = clock_now();
	if (r->faults)
		fault_all(r, w->number);
	else
		r->sum[w->number] = compute();
	r->start[w->number] = start;
	r->end[w->number] = clock_now();
}

/* How long CPUs take for one share of work each, from the first start to the last end. */
static uint64_t time_of(unsigned who, bool faults)
{
	struct race r = { .faults = faults, .who = who };
	struct area_spec spec = { .start = BASE,
				  .end = BASE + PAGES(16384),
				  .rights = PT_R | PT_W };

	if (faults) {
		r.space = space_create();
		EXPECT(r.space && !space_add_area(r.space, &spec));
	}
	EXPECT(workers_run(2, race, &r));
	if (faults) {
		EXPECT_EQ(r.sum[0] + r.sum[1], 0ull);
		space_destroy(r.space);
	}
	if (who != BOTH)
		return r.end[who / 2] - r.start[who / 2];
	return (r.end[0] > r.end[1] ? r.end[0] : r.end[1]) -
	       (r.start[0] < r.start[1] ? r.start[0] : r.start[1]);
}

/* The least time that each CPU alone, and both, were seen to take: disturbances only add to it. */
struct least {
	uint64_t of[BOTH + 1];
};

static void measure(struct least *l, bool faults)
{
	for (unsigned who = 1; who <= BOTH; who++) {
		uint64_t took = time_of(who, faults), *least = &l->of[who];

		if (!*least || took < *least)
			*least = took;
	}
}

/* Throughput of two against one, in hundredths. */
static unsigned ratio(const struct least *l)
{
	uint64_t slower = l->of[1] > l->of[2] ? l->of[1] : l->of[2];

	return (unsigned)(200 * slower / l->of[BOTH]);
}

static bool is_known(unsigned faults)
{
	return WANTED <= faults && faults <= POSSIBLE;
}

// Two CPUs fault 1.8 times as many pages in a time as one does. A host that
// does not let two CPUs compute 1.9 times as much as one, with nothing shared,
// proves nothing.
TEST(scaling, disjoint_faults_on_two_cpus)
{
	struct least faults = { 0 }, computing = { 0 };
	unsigned tried = 0;

	NEED_CPUS(2);
	do {
		measure(&faults, true);
		measure(&computing, false);
	} while (++tried < TRIES_LEAST || (tried < TRIES && !is_known(ratio(&faults))));
	test_note("microseconds: %lu and %lu alone, %lu both", faults.of[1] / 1000,
		  faults.of[2] / 1000, faults.of[BOTH] / 1000);
	test_note("%u.%02u times one CPU's throughput (goal 1.80), computing "
		  "%u.%02u, %u tries",
		  ratio(&faults) / 100, ratio(&faults) % 100, ratio(&computing) / 100,
		  ratio(&computing) % 100, tried);
	if (ratio(&faults) > POSSIBLE)
		TEST_SKIP("host busy: it did not let one CPU alone work undisturbed");
	if (ratio(&faults) < WANTED && ratio(&computing) < ABLE)
		TEST_SKIP("host busy: two CPUs do not compute 1.9 times as much as one");
	EXPECT_LE(WANTED, ratio(&faults));
}
