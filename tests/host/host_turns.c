/*
 * Threads in turn, see host_turns.h.
 *
 * One thread has the turn; all others of the run wait, each for a condition of its own. At a point
 * the one that has it draws a number: mostly it goes on, else it hands the turn to whom the next
 * number says. So what runs depends on the seed and on what the threads do, and on nothing else.
 */
#include <pthread.h>

#include <arch/cpu_local.h>
#include <tests/host/host_turns.h>

#define SWITCH_ONE_IN 4

uint64_t host_turns_seed;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turn_comes[HOST_CPUS];
static struct {
	uint64_t random;
	uint32_t waiting_to_begin, alive; /* bit per CPU */
	unsigned running;
	struct host_turns_stats stats;
} turns;
static __thread bool in_turns;

static uint64_t draw(void)
{
	turns.random ^= turns.random << 13;
	turns.random ^= turns.random >> 7;
	turns.random ^= turns.random << 17;
	return turns.random;
}

/* One of the set, which is not empty. */
static unsigned draw_from(uint32_t set)
{
	for (uint64_t i = draw() % (unsigned)__builtin_popcount(set); i; i--)
		set &= set - 1;
	return (unsigned)__builtin_ctz(set);
}

static void wait_for_turn(unsigned cpu)
{
	while (turns.running != cpu)
		pthread_cond_wait(&turn_comes[cpu], &lock);
}

static void hand_over(unsigned cpu)
{
	turns.running = cpu;
	turns.stats.switches++;
	turns.stats.trace = turns.stats.trace * 0x100000001b3 ^ cpu;
	pthread_cond_signal(&turn_comes[cpu]);
}

static void switch_to_one_of(uint32_t set)
{
	unsigned next = draw_from(set);

	if (next == cpu_index())
		return;
	pthread_mutex_lock(&lock);
	hand_over(next);
	wait_for_turn(cpu_index());
	pthread_mutex_unlock(&lock);
}

void host_turns_point(void)
{
	if (!in_turns)
		return;
	turns.stats.points++;
	if (draw() % SWITCH_ONE_IN == 0)
		switch_to_one_of(turns.alive);
}

bool host_turns_wait(void)
{
	uint32_t others = turns.alive & ~(1u << cpu_index());

	if (!in_turns)
		return false;
	if (others)
		switch_to_one_of(others);
	return true;
}

void host_turns_begin(uint64_t seed, uint32_t cpus)
{
	for (unsigned i = 0; i < HOST_CPUS; i++)
		pthread_cond_init(&turn_comes[i], NULL);
	turns.random = seed * 0x9e3779b97f4a7c15 | 1;
	turns.waiting_to_begin = turns.alive = cpus;
	turns.running = HOST_CPUS;
	turns.stats = (struct host_turns_stats){ 0 };
}

void host_turns_join(void)
{
	pthread_mutex_lock(&lock);
	turns.waiting_to_begin &= ~(1u << cpu_index());
	if (!turns.waiting_to_begin)
		hand_over(draw_from(turns.alive));
	wait_for_turn(cpu_index());
	in_turns = true;
	pthread_mutex_unlock(&lock);
}

void host_turns_leave(void)
{
	pthread_mutex_lock(&lock);
	in_turns = false;
	turns.alive &= ~(1u << cpu_index());
	if (turns.alive)
		hand_over(draw_from(turns.alive));
	pthread_mutex_unlock(&lock);
}

struct host_turns_stats host_turns_stats(void)
{
	return turns.stats;
}
