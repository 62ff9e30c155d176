/*
 * The fake CPU: no interrupts to hold back, nothing to identify. Replaces the CPU's header of the
 * same name, as far as code that runs on the host needs it.
 */
#ifndef ARCH_CPU_H
#define ARCH_CPU_H

#include <lib/compiler.h>

#define CPU_MAX 255

ALWAYS_INLINE uint64_t arch_irq_save(void)
{
	return 0;
}

ALWAYS_INLINE void arch_irq_restore(uint64_t flags)
{
	(void)flags;
}

ALWAYS_INLINE unsigned cpu_index(void)
{
	return 0;
}

/* The C library's, which freestanding code has no header for. */
int sched_yield(void);

/* Whoever is waited for may be a thread that this host has no processor left for. */
ALWAYS_INLINE void arch_pause(void)
{
	sched_yield();
}

#endif
