/*
 * The fake CPU: no interrupts but calls of others, nothing to identify. Replaces the CPU's header
 * of the same name, as far as code that runs on the host needs it.
 */
#pragma once

#include <arch/cpu_local.h>
#include <lib/compiler.h>

#define CPU_MAX 255

#define RFLAGS_IF (1u << 9)

#define ARCH_RARE
#define arch_call_rare(fn) fn()
#define arch_call_rare_on(fn, arg) fn(arg)

/* Interrupts: a CPU that has them disabled is not called by others meanwhile (arch/smp.h). */
void arch_irq_enable(void);
void arch_irq_disable(void);

ALWAYS_INLINE bool arch_irq_enabled(void)
{
	return !cpu_local()->irq_disabled;
}

ALWAYS_INLINE uint64_t arch_irq_save(void)
{
	uint64_t flags = arch_irq_enabled() ? RFLAGS_IF : 0;

	arch_irq_disable();
	return flags;
}

ALWAYS_INLINE void arch_irq_restore(uint64_t flags)
{
	if (flags & RFLAGS_IF)
		arch_irq_enable();
}

/* The time stamp of an event: only its order means something here. */
ALWAYS_INLINE uint64_t arch_read_tsc(void)
{
	return __builtin_ia32_rdtsc();
}

/* Whoever is waited for may be a thread that this host has no processor left for. */
void arch_pause(void);
