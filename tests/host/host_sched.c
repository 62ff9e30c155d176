/*
 * Who runs: the host's threads, each of which is a CPU of its own to the code under test.
 */
#include <sched.h>
#include <time.h>

#include <arch/clock.h>
#include <lib/context.h>
#include <lib/preempt.h>
#include <tests/host/host.h>
#include <tests/host/host_turns.h>

static __thread struct context context;
static __thread struct cpu_local local;

struct cpu_local *cpu_local(void)
{
	local.context = &context;
	return &local;
}

void host_cpu_begin(unsigned index)
{
	local.index = index;
}

uint64_t clock_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * CLOCK_S + (uint64_t)t.tv_nsec;
}

bool host_yields;

void host_maybe_yield(void)
{
	static __thread uint32_t random;

	host_turns_point();
	if (!host_yields)
		return;
	random = random * 1664525 + 1013904223 + local.index;
	if (random >> 28 == 0)
		sched_yield();
}

void arch_pause(void)
{
	if (!host_turns_wait())
		sched_yield();
}

void preempt_schedule(void)
{
}

void preempt_wait(unsigned round)
{
	(void)round;
	arch_pause();
}
