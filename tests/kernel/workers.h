/*
 * For tests on many CPUs: the same function at the same time in several threads.
 */
#ifndef TESTS_WORKERS_H
#define TESTS_WORKERS_H

#include <lib/compiler.h>

struct thread;

#define WORKERS_MAX 256

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

#endif
