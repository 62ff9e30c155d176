/*
 * Kernel threads: each on a CPU of its own choosing that it never leaves, preempted round robin.
 *
 * A thread runs until its function returns; somebody joins it then, which frees it. What one waits
 * for is always the same thing: park, and be unparked; an unpark that comes first is not lost.
 *
 * Locking: the queue of its CPU (sched.c). Talks to: arch/thread, mm (stacks from kspace; the
 * space that a thread runs goes with it).
 */
#pragma once

#include <arch/thread.h>
#include <lib/context.h>
#include <lib/list.h>

#define THREAD_STACK_BYTES 16384 /* struct thread at its top included */
#define THREAD_NAME_BYTES 24
#define THREAD_FOREVER (~0ull)

struct space;

enum thread_state {
	THREAD_READY,   /* in the list of those that want to run */
	THREAD_RUNNING, /* its CPU runs it */
	THREAD_PARKED,  /* waits to be unparked, perhaps with a time limit */
	THREAD_EXITED,  /* leaves its CPU for the last time */
	THREAD_DONE,    /* has left it: may be freed */
};

struct thread {
	struct arch_thread arch;
	struct context context;
	char name[THREAD_NAME_BYTES];
	unsigned cpu; /* constant */
	va_t stack;   /* constant; 0: not ours to free (the boot stack) */
	void (*run)(void *arg);
	void *arg;
	struct space
		*space; /* while it does not run: the space it runs in, NULL for the kernel's */

	/* under the lock of its CPU's queue */
	struct list cpu_link; /* among all threads of its CPU, for reports */
	enum thread_state state;
	struct list link;    /* READY, or PARKED with a time limit: among the ready, the sleeping */
	uint64_t wake_at;    /* PARKED with a time limit: clock_now of its end */
	bool unpark_pending; /* somebody unparked it while it was not parked */
	struct thread *joiner;
};

/*
 * Make a thread that runs run(arg) on `cpu`, and let it. The name is copied.
 *
 * Returns it, to be joined by exactly one other thread; NULL: no memory.
 */
struct thread *thread_create(unsigned cpu, void (*run)(void *arg), void *arg, const char *name);
/* Wait for its end, and free it. */
void thread_join(struct thread *t);

/* The thread that calls. */
struct thread *thread_self(void);

/* Let the others of this CPU run. */
void thread_yield(void);
/* Wait for a thread_unpark, but not longer than `ns`. Returns false if the time was over first. */
bool thread_park(uint64_t ns);
/* End its park, or make its next one end at once. From anywhere, interrupts included. */
void thread_unpark(struct thread *t);
/* Do nothing for that long. */
void thread_sleep(uint64_t ns);

/* For sched.c and the start of CPUs: memory for a thread that is in no queue; and its end. */
struct thread *thread_alloc(unsigned cpu, const char *name);
void thread_free(struct thread *t);
