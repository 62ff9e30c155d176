/*
 * Non-maskable interrupts: for when a CPU hears nothing else any more.
 *
 * Locking: the end is one CPU's (panic_claim). Talks to: apic.c, dev (pic, pit), lib/printk.
 */
#ifndef ARCH_NMI_H
#define ARCH_NMI_H

#include <lib/compiler.h>

/* Take NMIs over from the trap report; the APIC is set up. panic stops all CPUs from here on. */
void nmi_init(void);

/*
 * Print what this CPU, and then every other one, is doing: what it runs, its locks, its back trace.
 * The others are stopped for good thereby. The caller has claimed the end (panic_claim).
 */
void nmi_report_all(void);

/* Prints what the calling CPU runs, in the words of the rooms above; NULL: nothing. */
extern void (*nmi_print_running)(void);

/*
 * Call fn on the boot CPU some 18 times a second, whatever it is doing, interrupts disabled or not:
 * the legacy timer's interrupt, delivered as an NMI. It runs on a stack of its own, takes no lock.
 */
void nmi_timer_start(void (*fn)(void));
void nmi_timer_stop(void);

#endif
