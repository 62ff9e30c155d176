/*
 * Who runs on a CPU: a queue for each, a tick that shares the time out, an idle thread that halts.
 *
 * A CPU ticks while it has something to run; idle ones sleep until an interrupt.
 * Locking: a queue's lock, for its own CPU and those that wake its threads.
 * Talks to: arch (thread, clock, irq), proc/thread, proc/watchdog, mm/space.
 */
#pragma once

#include <proc/thread.h>

/* What runs on the boot CPU becomes its first thread; interrupts are enabled from here on. */
void sched_init(void);
/* A CPU that has just started becomes its idle thread, which lies at the end of the stack it
 * uses. */
void sched_start_cpu(struct thread *idle) NORETURN;

/* How long a thread runs while others are ready. Takes effect with the next tick of each CPU. */
void sched_set_tick(uint64_t ns);
#define SCHED_TICK_NS 10000000ull

/* What a CPU does, for reports; a guess unless it is the caller's. */
struct sched_stats {
	const struct thread *thread; /* NULL: none yet */
	bool idle;
	uint64_t tick_count, switch_count, preempt_count;
};
struct sched_stats sched_stats(unsigned cpu);

/* Print what the calling CPU runs, in a few words. */
void sched_print_running(void);
/* Print every thread that no CPU runs, its locks and its back trace. When nothing moves. */
void sched_print_waiting(void);
