/*
 * Interrupts: which vectors are whose, and what runs when one comes.
 *
 * Handlers run on the stack of whatever was interrupted, interrupts disabled, and may not sleep;
 * afterwards another thread may run instead, if one should. Locks that they take are of classes
 * with LOCK_FLAG_IRQ. Vectors that nobody has claimed are traps (arch/trap.h).
 *
 * Locking: claiming is for boot and drivers' set-up, one at a time.
 */
#pragma once

#include <lib/compiler.h>

/* Handed out by irq_claim_vector: below the ones that matter more, and clear of TRAP_RETURN. */
#define VECTOR_DEVICE_FIRST 0x30
#define VECTOR_DEVICE_LAST 0x7f
#define VECTOR_TIMER 0xf0
#define VECTOR_RESCHEDULE 0xf1
#define VECTOR_CALL 0xf2
#define VECTOR_FLUSH 0xf3
#define VECTOR_ERROR 0xfe    /* of the local APIC */
#define VECTOR_SPURIOUS 0xff /* there was an interrupt, and it is gone */

typedef void (*irq_handler_t)(unsigned vector);

/* From now on `vector` runs `handler`; NULL: it is a trap again. */
void irq_set_handler(unsigned vector, irq_handler_t handler);

/* The handler of a device's: a vector of its own, to be written into its MSI message; 0: there
 * is none left. */
unsigned irq_claim_vector(irq_handler_t handler);

/* Is this vector somebody's? */
bool irq_is_claimed(unsigned vector);

/* Run the handler of a claimed vector; called by the trap dispatcher. */
void irq_dispatch(unsigned vector);
