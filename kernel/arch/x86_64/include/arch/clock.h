/*
 * Time: a clock that counts, and an alarm that interrupts.
 *
 * The clock is the time-stamp counter, the alarm the local APIC's timer; both are measured once,
 * against the PIT. Nanoseconds; the clock begins at boot, and is the same on all CPUs as far as
 * their counters are.
 * Locking: none; an alarm is its CPU's own.
 */
#pragma once

#include <arch/cpu.h>
#include <lib/compiler.h>

#define CLOCK_US 1000ull
#define CLOCK_MS 1000000ull
#define CLOCK_S 1000000000ull

/* Measure. The local APIC is set up. Returns false if there is nothing to measure by: no time. */
bool clock_init(void);

/* Steps a second, as measured. */
extern uint64_t clock_tsc_hz, clock_timer_hz;

/* Nanoseconds since clock_init; 0 before. */
uint64_t clock_now(void);
/* Wait, without sleeping. Interrupts may prolong it. */
void clock_wait(uint64_t ns);

/* VECTOR_TIMER on this CPU after about `ns`, earlier if that is very long; replaces the one
 * before. */
void clock_set_alarm(uint64_t ns);
