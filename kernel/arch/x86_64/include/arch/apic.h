/*
 * The local APIC: interrupts between CPUs, and the timer that each CPU has.
 *
 * xAPIC, through its registers in memory; a firmware that has gone over to x2APIC is not followed
 * (SDM vol. 3, chapter 11). One window serves all CPUs: each sees its own registers there.
 *
 * Locking: interrupts disabled while a command is written; otherwise a CPU's own.
 * Talks to: mm/kspace (the window), irq.c, clock.c, smp.c.
 */
#pragma once

#include <lib/compiler.h>

/* Find and map it, on the boot CPU. Returns false if there is none that we can use. */
bool apic_init(void);
/* Switch the calling CPU's on: nothing but our own vectors comes, the timer is stopped. */
void apic_init_cpu(void);
/* Is there one? */
bool apic_is_present(void);

/* The calling CPU's id. */
unsigned apic_id(void);
/* The interrupt that is being handled is done with. */
void apic_eoi(void);

/* Send a vector to one CPU, or to all that run but the caller. */
void apic_send(unsigned id, unsigned vector);
void apic_send_to_others(unsigned vector);
/* A non-maskable interrupt. */
void apic_send_nmi(unsigned id);
/* Start-up of another CPU (SDM vol. 3, 9.4.4): reset it; have it run from a page below 1 MiB. */
void apic_send_init(unsigned id);
void apic_send_startup(unsigned id, unsigned page);

/* What the legacy interrupt controller signals is an NMI of this CPU (or nothing). */
void apic_set_line0_nmi(bool on);

/* VECTOR_TIMER once, after `count` steps of the timer; 0 stops it. */
void apic_timer_start(uint32_t count);
/* The steps that are left. */
uint32_t apic_timer_left(void);

/* Errors that any CPU's APIC has reported, and interrupts that came to nothing. */
extern uint64_t apic_error_count, apic_spurious_count;
