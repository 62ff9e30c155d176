/*
 * Many CPUs: on the host one thread is all there is. Replaces the CPU's header of the same name.
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
	if (cpu_set_has(set, cpu_index()))
		fn(arg);
}

#endif
