/*
 * The scheduler that takes a seed: it finds a race that was planted, and finds it again.
 */
#include <lib/spinlock.h>
#include <mm/frame.h>
#include <mm/pagetable.h>
#include <tests/host/host_turns.h>
#include <tests/kernel/test.h>
#include <tests/kernel/workers.h>

#define CPUS 3
#define TURNS 10
#define SEEDS 200
#define REPLAYS 5

static uint32_t word;

/* An entry that several threads add to: with the lock, or with the race planted, without. */
struct counter {
	ptp_t p;
	bool locked;
};

static void add_one(ptp_t p)
{
	ptp_set(p, ptv_make_soft(ptv_soft_data(ptp_get(p)) + 1, 0));
}

static void count(struct worker *w)
{
	struct counter *c = w->arg;

	for (unsigned i = 0; i < TURNS; i++) {
		if (c->locked)
			spin_lock_word(&word, LOCK_TABLE);
		add_one(c->p);
		if (c->locked)
			spin_unlock_word(&word, LOCK_TABLE);
	}
}

/* What a run with this seed has counted. */
static uint64_t counted(uint64_t seed, bool locked, struct host_turns_stats *stats)
{
	struct frame *f = frame_alloc_zeroed(0, FRAME_TABLE);
	struct counter c = { pt_entry((pt_t){ frame_to_pa(f), 0 }, 7), locked };
	uint64_t before = host_turns_seed, result;

	ptp_set(c.p, ptv_make_soft(1, 0));
	host_turns_seed = seed;
	workers_run(CPUS, count, &c);
	host_turns_seed = before;
	*stats = host_turns_stats();
	result = ptv_soft_data(ptp_get(c.p)) - 1;
	frame_free(f);
	return result;
}

/* A lost update shows with some seed soon, and with that seed every time, turn by turn. */
TEST(turns, planted_race_is_found_and_replayed)
{
	struct host_turns_stats stats, again;
	uint64_t seed = 1, seen = 0;

	while (seed <= SEEDS && (seen = counted(seed, false, &stats)) == CPUS * TURNS)
		seed++;
	REQUIRE(seed <= SEEDS);
	test_note("seed %lu: %lu of %u, %lu points, %lu switches", (unsigned long)seed,
		  (unsigned long)seen, CPUS * TURNS, (unsigned long)stats.points,
		  (unsigned long)stats.switches);
	for (unsigned i = 0; i < REPLAYS; i++) {
		EXPECT_EQ(counted(seed, false, &again), seen);
		EXPECT_EQ(again.trace, stats.trace);
	}
}

/* Seeds make different runs; without the race all of them count right. */
TEST(turns, every_seed_is_a_run_of_its_own)
{
	struct host_turns_stats first, other;

	EXPECT_EQ(counted(1, true, &first), CPUS * TURNS);
	for (uint64_t seed = 2; seed < 20; seed++) {
		EXPECT_EQ(counted(seed, true, &other), CPUS * TURNS);
		EXPECT(other.trace != first.trace);
	}
}
