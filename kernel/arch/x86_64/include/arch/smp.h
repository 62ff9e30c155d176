/*
 * The seam for many CPUs: starting them, and making them do something.
 *
 * CPUs are numbered 0 ... cpu_count() - 1, the boot CPU first. They come online during boot and
 * stay.
 *
 * Whoever waits for other CPUs has interrupts enabled and holds no lock that one takes with
 * interrupts disabled: two CPUs that wait for each other then serve each other.
 * Talks to: apic.c, mm/flush (flush_ipi).
 */
#pragma once

#include <arch/cpu.h>
#include <lib/cpu_set.h>

/* ---- Starting. ---- */

/* Take the page that CPUs start on out of the map's usable memory. Before frames are made of it. */
struct memmap;
void smp_reserve_trampoline(struct memmap *map, uint64_t pa_limit);

/* Make the boot CPU one of many; its APIC is set up. */
void smp_init(void);

/* A CPU to start. */
struct smp_guest {
	uint8_t apic_id;
	void *stack_top; /* where it begins: in the kernel's half, 16-byte aligned */
	void (*enter)(
		void *arg); /* what it does there once it is a CPU like any other; no return */
	void *arg;
	unsigned cpu; /* out: its number; 0: it did not come */
};

/*
 * Start these CPUs, all at once, and number those that come in the order of the list. Returns
 * when all that came have called smp_set_online; how many that is. A CPU that there is no memory
 * for is not called, and without a page below 1 MiB nobody is.
 */
unsigned smp_start_cpus(struct smp_guest *guest, unsigned count);
/* How long after the last that came until the others are given up. */
extern uint64_t smp_patience_ns;
/* The calling CPU can be sent interrupts from now on. */
void smp_set_online(void);

/* The APIC id of a CPU that is online. */
unsigned smp_apic_id(unsigned cpu);

/* ---- Cross-calls. ---- */

/*
 * Run fn(arg) on the CPUs of the set, each once, with interrupts disabled and as an interrupt
 * handler: on the others by one round of interrupts, on this one, if it is in the set, meanwhile.
 *
 * With `wait` it returns when all have done it; without, as soon as they have been told. A CPU
 * has one call under way at a time: the next one waits for it. Not from interrupt handlers.
 */
void cpu_call(const struct cpu_set *set, void (*fn)(void *arg), void *arg, bool wait);
/* The set of all CPUs but the caller, for a caller that cannot change its CPU. */
void cpu_set_others(struct cpu_set *set);

#if PTOLEMY_TEST
/* For tests, NULL otherwise: what a CPU does before it handles calls of others (such as waiting),
 * and whether an interrupt that asks to reschedule is to be lost. */
extern void (*smp_inject_delay)(void);
extern bool (*smp_inject_loss)(void);
#endif

/* Have a CPU look whether another thread should run. */
void smp_send_reschedule(unsigned cpu);
/* Have the others of the set call mm's flush_ipi(). Says nothing of when they will have done it. */
void smp_send_flush(const struct cpu_set *set);

/* What a CPU has sent and handled since boot. */
struct smp_stats {
	uint64_t call_rounds;   /* rounds of interrupts sent by cpu_call */
	uint64_t calls_handled; /* functions run for others */
	uint64_t flush_rounds, flushes_handled;
};
struct smp_stats smp_stats(unsigned cpu);
