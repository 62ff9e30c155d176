/*
 * What the files of the scheduler share and nobody else may use.
 *
 *   sched.c    who runs next, the tick, preemption, CPUs
 *   thread.c   making and ending threads, waiting and waking
 */
#pragma once

#include <lib/spinlock.h>
#include <proc/sched.h>

struct queue {
	struct spinlock lock;
	/* under lock */
	struct list ready, sleeping; /* sleeping: parked with a time limit, in no order */
	struct list threads;         /* all there are */
	struct thread *current, *idle;
	/* atomic */
	uint32_t kicked; /* what somebody here waits for has happened: preempt_kick */
	/* its own CPU's, interrupts disabled */
	struct thread *exited; /* left for good by the last switch */
	uint64_t alarm_at;     /* what the timer is set to; 0: nothing */
	uint64_t tick_count, switch_count, preempt_count;
} ALIGNED(64);

struct queue *queue_of(unsigned cpu);

/* Let a thread that is in no list but, perhaps, the sleeping run. The queue, its CPU's, is
 * locked. */
void queue_wake(struct queue *q, struct thread *t);

/* Let whoever is next run. Interrupts are disabled, and nothing is held. */
void sched_switch(void);

/* Where every thread begins and ends. */
void sched_thread_start(void *thread);
/* Does it leave everything as it should? Else it is a bug. */
void thread_check_end(const struct thread *t);
