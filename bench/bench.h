/*
 * Measurements: workloads that register themselves, counted in guest instructions.
 *
 *   BENCH(fork, "fork a whole space")
 *   {
 *           struct bench_best best = BENCH_BEST;
 *
 *           for (unsigned i = 0; i < BENCH_REPEATS; i++) {
 *                   bench_start(&best);
 *                   child = space_fork(parent);
 *                   bench_stop(&best);
 *                   ...
 *           }
 *           bench_report(&(struct bench_row){ .name = "fork", .best = best, ... });
 *   }
 *
 * Under QEMU's `-icount shift=0,sleep=off` with one CPU the time stamp counter advances by one a
 * guest instruction, and string instructions count once an element; what an empty measurement
 * costs is taken off. Anywhere else the figures are ticks, and the report says so.
 *
 * The report is one line a row between "bench begin" and "bench end", which tools/bench.py reads:
 *
 *   bench,case,impl,levels,page_bytes,size_bytes,items,instructions,content
 *
 * Locking: one CPU, nothing else running. Talks to: all of mm, lib.
 */
#pragma once

#include <arch/cpu.h>
#include <lib/compiler.h>

#define BENCH_REPEATS 3

struct bench {
	const char *name;
	const char *what; /* one line */
	void (*run)(void);
};

/* Define a workload; linking it puts it in the table. Workloads run in the order of their names. */
#define BENCH(name_, what_)                                                    \
	static void bench_run_##name_(void);                                   \
	static const struct bench bench_entry_##name_ SECTION("bench_entries") \
		ALIGNED(8) = { #name_, what_, bench_run_##name_ };             \
	static void bench_run_##name_(void)

/* The least of several measurements of the same thing. */
struct bench_best {
	uint64_t least, begun;
};
#define BENCH_BEST ((struct bench_best){ .least = ~0ull })

/* What an empty measurement reads. */
extern uint64_t bench_overhead;

ALWAYS_INLINE void bench_start(struct bench_best *b)
{
	b->begun = arch_read_tsc();
}

/* Returns what was measured; the least of all since BENCH_BEST is kept. */
ALWAYS_INLINE uint64_t bench_stop(struct bench_best *b)
{
	uint64_t took = arch_read_tsc() - b->begun - bench_overhead;

	if (took < b->least)
		b->least = took;
	return took;
}

struct bench_row {
	const char *name;      /* the case, as in DESIGN's table */
	const char *impl;      /* generic, eager, shared, handwritten, classic */
	uint64_t page_bytes;   /* of the leaves it is about */
	uint64_t size_bytes;   /* of the range it is about */
	uint64_t items;        /* pages or operations in it: what to divide by */
	uint64_t instructions; /* all of them */
	uint64_t content;      /* those among them that clear or copy contents of frames */
};

/* Print a row and keep it for bench_find; its names must last. */
void bench_report(const struct bench_row *row);

/* The row with these first four members that was reported last, or NULL. */
const struct bench_row *bench_find(const char *name, const char *impl, uint64_t page_bytes,
				   uint64_t size_bytes);

/* Largest range that workloads use: 1 TiB, but less for a quick look at whether all of it works. */
extern uint64_t bench_size_max;

/*
 * Run the workloads whose name matches one of the comma-separated globs, and print their rows.
 * Returns false, and says so, if none does.
 */
bool bench_run(const char *globs);

/* Keep rows, but print nothing: for tests. */
extern bool bench_is_quiet;

/* Does the time stamp counter count instructions here? Known after bench_run. */
bool bench_counts_instructions(void);

/* Instructions that clear or copy the contents of a leaf at level 0 or 1 (of a table: 0). Known
 * after bench_run has begun. */
struct bench_content {
	uint64_t clear, copy;
};
extern struct bench_content bench_content[2];
