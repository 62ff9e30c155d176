/*
 * What each CPU has of its own: here a thread of the host is a CPU. Replaces the CPU's header of
 * the same name.
 */
#pragma once

#include <lib/compiler.h>

struct context;

struct cpu_local {
	uint32_t index, preempt_count, irq_depth, need_resched;
	bool irq_disabled;
	struct context *context;
};

/* The calling thread's; host_sched.c. */
struct cpu_local *cpu_local(void);

#define CPU_LOCAL_READ(field) (cpu_local()->field)

static inline unsigned cpu_index(void)
{
	return cpu_local()->index;
}

#define HOST_CPUS 16

static inline unsigned cpu_count(void)
{
	return HOST_CPUS;
}

/* Every now and then, if a test wants it: let another thread run. */
void host_maybe_yield(void);

/* Whoever disables preemption is about to take a lock, or is half way through doing so. */
static inline void cpu_local_inc_preempt(void)
{
	host_maybe_yield();
	cpu_local()->preempt_count++;
}

static inline bool cpu_local_dec_preempt(void)
{
	return --cpu_local()->preempt_count == 0;
}
