/*
 * What each CPU has of its own, as far as every room may use it: who it is, whether it may change
 * threads, and what it runs.
 *
 * GS base points at it in supervisor mode; it is the beginning of struct cpu, which is arch's own
 * (percpu.h). Threads never change their CPU, so what is read here stays true for the reader.
 *
 * Locking: a CPU writes only its own.
 */
#pragma once

#include <lib/compiler.h>

struct arch_thread;
struct context;

struct cpu_local {
	struct cpu_local *self;     /* at offset 0: how cpu_local finds it */
	uint32_t index;             /* 0 ... CPU_MAX - 1 */
	uint32_t preempt_count;     /* > 0: this CPU keeps the thread it runs */
	uint32_t irq_depth;         /* > 0: inside an interrupt handler */
	uint32_t need_resched;      /* another thread should run */
	struct context *context;    /* of the code that runs: lib/context.h */
	struct arch_thread *thread; /* the same, arch's part */
};
_Static_assert(offsetof(struct cpu_local, self) == 0, "cpu_local and trap_entry.S count on it");

ALWAYS_INLINE struct cpu_local *cpu_local(void)
{
	struct cpu_local *local;

	__asm__ volatile("mov %%gs:0, %0" : "=r"(local));
	return local;
}

/* One field, in one instruction. */
#define CPU_LOCAL_READ(field)                                               \
	({                                                                  \
		__typeof__(((struct cpu_local *)0)->field) value_;          \
		__asm__ volatile("mov %%gs:%c1, %0"                         \
				 : "=r"(value_)                             \
				 : "i"(offsetof(struct cpu_local, field))); \
		value_;                                                     \
	})

/* The number of the calling CPU. */
ALWAYS_INLINE unsigned cpu_index(void)
{
	return CPU_LOCAL_READ(index);
}

/* How many CPUs are online; their numbers are below it. Rises during boot, never falls. */
extern unsigned cpu_online_count;
static inline unsigned cpu_count(void)
{
	return READ_ONCE(cpu_online_count);
}

/* One instruction each, so that no interrupt comes between reading and writing. */
ALWAYS_INLINE void cpu_local_inc_preempt(void)
{
	__asm__ volatile("incl %%gs:%c0"
			 :
			 : "i"(offsetof(struct cpu_local, preempt_count))
			 : "memory", "cc");
}

/* Returns true if the count is back to zero. */
ALWAYS_INLINE bool cpu_local_dec_preempt(void)
{
	bool zero;

	__asm__ volatile("decl %%gs:%c1"
			 : "=@ccz"(zero)
			 : "i"(offsetof(struct cpu_local, preempt_count))
			 : "memory");
	return zero;
}
