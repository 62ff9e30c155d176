/*
 * The watchdog: what does not end in time, or a CPU that hears no interrupt any more, ends the run
 * with a report of what every CPU was doing, instead of in silence.
 *
 * It looks at every tick of any CPU, and by a non-maskable interrupt of the boot CPU, which comes
 * although all of them may be idle, or hang with interrupts disabled.
 * Locking: atomic; one thing is watched at a time. Talks to: sched, arch (smp, nmi).
 */
#pragma once

#include <lib/compiler.h>

/* A CPU that has something to run but has not ticked for so long hangs. (One of many that an
 * emulator shares among few may well be silent for seconds.) */
#define WATCHDOG_SILENCE_NS 60000000000ull

/* From here on `what` (kept, not copied) has `ns` to reach watchdog_stop. It replaces the last. */
void watchdog_start(const char *what, uint64_t ns);
void watchdog_stop(void);
/* What is being watched, if anything is, has `ns` from now on. */
void watchdog_extend(uint64_t ns);

/* Called first, when time is up: says in the caller's terms what has failed. May be NULL. */
extern void (*watchdog_print_failure)(void);

/* Look. Called by every CPU's tick, and by the boot CPU's NMI: takes no lock. */
void watchdog_look(void);
/* How often somebody has looked at something. */
extern uint64_t watchdog_look_count;
