/*
 * Keeping the CPU: while preemption is disabled no other thread runs on it.
 *
 * Threads are preempted whenever the count is zero and interrupts are enabled. Spin locks disable
 * preemption; so does whoever must not be interrupted half way through what is the CPU's own.
 * Calls nest. Declared here, for lib and mm to call downwards; proc/sched.c is behind it.
 */
#pragma once

#include <arch/cpu.h>
#include <lib/context.h>

/* Let another thread run if one should and the caller may be preempted; else do nothing. */
ARCH_RARE void preempt_schedule(void);
/* The same at the end of an interrupt: interrupts are disabled, nothing else stands against it. */
void preempt_schedule_irq(void);
/*
 * The body of a loop that waits for other threads or CPUs; the caller may sleep, and counts the
 * rounds. Lets others of this CPU run; without any it pauses, and after many rounds halts the CPU
 * between its ticks, so that whoever is waited for gets on (an emulator may have fewer CPUs than
 * it shows).
 */
void preempt_wait(unsigned round);
/* One round of that, without ever halting. */
static inline void preempt_yield(void)
{
	preempt_wait(0);
}

#define PREEMPT_WAIT_ROUNDS 100 /* of pausing, before who waits lets the CPU rest */
/*
 * Interrupts are disabled: enable them, with nothing to do until one comes. May return earlier
 * (under idle=poll it does not halt), so the caller looks again.
 */
void preempt_rest(void);

/* What a thread in preempt_wait waits for has happened: let that CPU look. */
void preempt_kick(unsigned cpu);

/* Should the caller stop at the next convenient point to let another thread run? */
static inline bool need_resched(void)
{
	return CPU_LOCAL_READ(need_resched);
}

static inline void preempt_disable(void)
{
	cpu_local_inc_preempt();
}

static inline void preempt_enable(void)
{
	if (cpu_local_dec_preempt() && UNLIKELY(need_resched()))
		arch_call_rare(preempt_schedule);
}

/* Set once there are threads: from then on whoever may sleep has interrupts enabled. */
extern bool preempt_active;

/*
 * Say that what follows may sleep: a bug (that names file:line) where preemption is disabled, in an
 * interrupt, or with interrupts disabled. Checked in test builds.
 */
#define might_sleep() might_sleep_at(LOCK_SITE)
#if PTOLEMY_TEST
void might_sleep_at(const struct lock_site *site);
#else
static inline void might_sleep_at(const struct lock_site *site)
{
	(void)site;
}
#endif
