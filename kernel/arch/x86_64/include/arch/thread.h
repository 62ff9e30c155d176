/*
 * The seam for threads: what arch keeps of each, and going from one to another.
 *
 * Locking: a thread's part is its CPU's; switching happens with interrupts disabled.
 * Talks to: proc/sched above, trap.c and access.c beside it.
 */
#pragma once

#include <arch/trap.h>

/*
 * Somebody who wants to know of the next trap: expect_fault, arch_access. A barrier is nobody:
 * behind it works code whose traps are bugs.
 */
struct trap_catch {
	uint64_t rsp; /* where trap_catch_abandon goes on; traps inside happen below it */
	bool raw, barrier;
	unsigned irq_depth;    /* it catches traps of that depth only, not of an interrupt above */
	struct trap_info info; /* of the trap that was caught, with the RAX it left */
	uint64_t rax;
};
#define TRAP_CATCH_MAX 8

struct trap_catches {
	unsigned count;
	struct trap_catch catch[TRAP_CATCH_MAX]; /* the innermost comes last */
};

struct arch_thread {
	uint64_t rsp;  /* while it does not run: its registers are there */
	uint64_t rsp0; /* while it does not run: where its traps from ring 3 arrive */
	struct trap_catches catches;
};

/*
 * Make a thread that will begin with entry(arg), interrupts disabled, on the stack that ends at
 * `stack_top`. The entry does not return.
 */
void arch_thread_init(struct arch_thread *t, void *stack_top, void (*entry)(void *), void *arg);

/* What runs on this CPU is `t` from now on: the first thread of a CPU, which nobody switches to. */
void arch_thread_adopt(struct arch_thread *t);

/* Print the back trace of a thread that does not run, from the caller of the switch on. */
void arch_thread_print(const struct arch_thread *t);

/* Leave `from`, which runs, and go on as `to`. Returns when somebody switches back to `from`. */
void arch_thread_switch(struct arch_thread *from, struct arch_thread *to);
