/*
 * Many CPUs: on the host, threads that cannot be interrupted. Replaces the CPU's header of the
 * same name.
 */
#ifndef ARCH_SMP_H
#define ARCH_SMP_H

#include <arch/cpu.h>
#include <lib/cpu_set.h>

static inline void cpu_set_others(struct cpu_set *set)
{
	cpu_set_clear(set);
}

static inline void cpu_call(const struct cpu_set *set, void (*fn)(void *arg), void *arg, bool wait)
{
	(void)wait;
	if (cpu_set_count(
		    set)) /* a flush here waits for the accesses of all threads (host_mmu.c) */
		fn(arg);
}

#endif
