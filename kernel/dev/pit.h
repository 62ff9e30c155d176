/*
 * The PC's programmable interval timer. Channel 2: a known stretch of time to measure other clocks
 * by. Channel 0: a slow, steady interrupt (dev/pic.h).
 *
 * Locking: boot only. Talks to: arch (port I/O).
 */
#pragma once

#include <lib/compiler.h>

#define PIT_HZ 1193182u
#define PIT_STEPS_MAX 0xffffu

/* Start counting `steps` (1 ... PIT_STEPS_MAX) of 1/PIT_HZ seconds. Raises no interrupt. */
void pit_start(unsigned steps);
/* Have they all been counted? */
bool pit_is_done(void);
/* Those that are left, until it is done. */
unsigned pit_steps_left(void);

/* Channel 0 interrupts as rarely as it can: PIT_HZ / 65536 times a second. */
void pit_start_periodic(void);
