/*
 * For tests on many CPUs: the same function at the same time in several threads.
 */
#pragma once

#include <arch/cpu_local.h>
#include <lib/compiler.h>

struct thread;

#define WORKERS_MAX 256

/* For the head of a test that proves nothing with fewer. */
#define NEED_CPUS(n)                                               \
	do {                                                       \
		if (cpu_count() < (n))                             \
			TEST_SKIP("needs %u CPUs", (unsigned)(n)); \
	} while (0)

/* One of several that run at once. */
struct worker {
	unsigned number; /* 0 ... count - 1 */
	unsigned count;  /* of all */
	void *arg;       /* the same for all */
	struct thread *thread;
};

/*
 * Run fn on `count` threads, the i-th on CPU i % cpu_count(), and wait for all of them. They begin
 * together, as far as there are CPUs. Returns false if there was no memory; then none has run.
 */
bool workers_run(unsigned count, void (*fn)(struct worker *w), void *arg);
