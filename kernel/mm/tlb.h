/*
 * What each CPU's TLB may hold: whose root it has loaded, whether it runs in that space, and up to
 * which flush of the space it has caught up.
 *
 * A CPU that goes from a space to a kernel thread, or idle, keeps the root: it is lazy. Flushes of
 * data do not interrupt it. Each flush of a space has a number, the space's generation; a CPU that
 * comes back compares that with the one it has caught up with, and flushes if it was left behind.
 * If not, its TLB is as warm as it was.
 *
 *   flusher (flush.c)                  a CPU that has the root loaded
 *
 *     entries change                     leaves:      running = NULL
 *     generation++     (full barrier)    comes back:  running = space   (full barrier)
 *     reads cpus, who is running                      reads generation: another than its own?
 *     calls those who are: data                          flush everything, note what was read
 *     calls all of cpus: tables          is called:   flushes; detaches if it does not run in it
 *
 * Either the flusher sees that the CPU is back, and calls it, or the CPU reads the new generation
 * and, with its flush, the changed entries: of two full barriers one is first. The same holds for a
 * CPU that comes from elsewhere, which enters space->cpus instead, and always flushes.
 *
 * Why tables differ: a lazy CPU makes no access to the user half, so a stale translation of a page
 * harms nobody. But it may walk ahead of itself, by the root or by what it remembers of the tables
 * (SDM vol. 3, 4.10.2.3, 4.10.3.1), and would take whatever is in a freed table for entries, and
 * set A in it. So a table, the root included, goes only when no CPU has the space loaded but those
 * that were flushed: whoever is lazy loads the kernel's root, and is not called again.
 *
 * A CPU that is called for flush n and has caught up with n - 1 drops what flush n names; with
 * less, others are on their way: it drops everything, and owes those nothing. With n or more it has
 * done so.
 *
 * Locking: none; `running` is read by flushers, the rest is its CPU's, interrupts disabled.
 * Talks to: arch/mmu, space.
 */
#pragma once

#include <lib/cpu_set.h>

struct space;

/* What has become of a CPU's switches and calls since boot. */
struct tlb_stats {
	uint64_t loads;      /* of another root: nothing is kept */
	uint64_t warm;       /* came back to the root it had, and kept everything */
	uint64_t catch_ups;  /* the same, but had been left behind: flushed */
	uint64_t detachings; /* called because tables go, while lazy */
	uint64_t spared;     /* called for a flush that a greater one had done already */
};
struct tlb_stats tlb_stats(unsigned cpu);

/*
 * Begin a flush of the space: its entries have changed. Preemption is disabled.
 *
 * Returns its number, and in `set` the CPUs to call: those that run in the space, and with `tables`
 * the lazy ones, too.
 */
uint64_t tlb_begin_flush(struct space *space, bool tables, struct cpu_set *set);

/*
 * On a CPU that was called for it, interrupts disabled: what is there to do for flush `number`?
 *
 * Returns false if nothing. Sets *all if everything has to be dropped; the caller must do as it
 * says before interrupts are enabled.
 */
bool tlb_look(struct space *space, uint64_t number, bool *all);

/* Have every lazy CPU load another root. Nobody runs in the space, or will. */
void tlb_detach_all(struct space *space);
