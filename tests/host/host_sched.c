/*
 * Who runs: the host's threads, each of which is a CPU of its own to the code under test.
 */
#include <sched.h>

#include <lib/context.h>
#include <lib/preempt.h>
#include <tests/host/host.h>

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

void preempt_schedule(void)
{
}

void preempt_yield(void)
{
	sched_yield();
}
