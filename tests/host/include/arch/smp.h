/*
 * Many CPUs: on the host, threads. One is interrupted by being kept from having its interrupts
 * enabled while the caller acts in its place. Replaces the CPU's header of the same name.
 */
#pragma once

#include <arch/cpu.h>
#include <lib/cpu_set.h>

/* Those that the kernel's own tables concern: none, no access here goes by them. */
static inline void cpu_set_others(struct cpu_set *set)
{
	cpu_set_clear(set);
}

/* Run fn(arg) as each CPU of the set, in turn; host_sched.c. */
void cpu_call(const struct cpu_set *set, void (*fn)(void *arg), void *arg, bool wait);
