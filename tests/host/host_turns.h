/*
 * A scheduler for tests: of the threads of workers_run one runs at a time, and a seed says which.
 *
 * Whoever takes a lock, is about to change an entry, or has changed one, may have to let another
 * go on there; whoever waits for somebody has to. A run that fails fails again with its seed.
 * Threads of their own making are left alone. Locking: the turn is the lock.
 */
#pragma once

#include <lib/compiler.h>

/* Of workers_run: 0 lets the threads run as the host likes. Option sched=n. */
extern uint64_t host_turns_seed;

/* The next run: its seed and its CPUs, each of which joins, and leaves when it is done. */
void host_turns_begin(uint64_t seed, uint32_t cpus);
void host_turns_join(void);
void host_turns_leave(void);

/* A thread that waits for another lets others go on. False: there are no turns to take. */
bool host_turns_wait(void);

/* Of the last run. */
struct host_turns_stats {
	uint64_t points, switches;
	uint64_t trace; /* a hash of who got the turn, in order */
};
struct host_turns_stats host_turns_stats(void);
