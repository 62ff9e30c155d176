/*
 * What a trap means: a page fault that mm resolves, something that was expected, or a bug.
 *
 * Or it is an interrupt: irq.c. Runs on the interrupted stack, or on its own for NMI, double
 * fault and machine check; interrupts are disabled. Locking: none. Talks to: trap_entry.S,
 * access.c, mm (through two hooks), trap_report.c.
 */
#include <arch/irq.h>

#include "trap_catch.h"
#include "trap_report.h"

#define CS_RING_MASK 3

enum fault_answer (*trap_page_fault)(const struct trap_frame *f, va_t va);
bool (*trap_nmi)(const struct trap_frame *f);

void trap_dispatch(struct trap_frame *f);

static bool has_own_stack(uint64_t vector)
{
	return vector == TRAP_NMI || vector == TRAP_DF || vector == TRAP_MC;
}

/* Is mm to look at the trap first? Not if the test wants it raw, nor if mm itself trapped, nor
 * for an interrupt handler. */
static bool is_for_mm(const struct trap_frame *f, const struct trap_catch *c)
{
	return f->vector == TRAP_PF && trap_page_fault && !(c && (c->raw || c->barrier)) &&
	       !cpu_local()->irq_depth;
}

/* Let mm look at a page fault. It works behind a barrier: its own traps are nobody's. Ring 3 never
 * needs interrupts disabled, and mm may have to wait for other CPUs. */
static bool is_resolved(const struct trap_frame *f, va_t va)
{
	struct trap_catch *barrier = trap_catch_push((uint64_t)f, false, true);

	arch_irq_restore(f->cs & CS_RING_MASK ? RFLAGS_IF : f->rflags);
	enum fault_answer answer = trap_page_fault(f, va);
	arch_irq_disable();
	trap_catch_pop(barrier);
	return answer == FAULT_RESOLVED;
}

/* NMI, double fault, machine check: whatever was interrupted, nothing of it is touched. */
static void dispatch_on_own_stack(struct trap_frame *f)
{
	struct cpu *cpu = this_cpu();
	struct trap_catches *interrupted = cpu->catches;

	cpu->catches = &cpu->own_stack_catches;
	if (f->vector != TRAP_NMI || !trap_nmi || !trap_nmi(f))
		trap_report_and_die(f);
	cpu->catches = interrupted;
}

void trap_dispatch(struct trap_frame *f)
{
	va_t va = f->vector == TRAP_PF ? arch_fault_address() : 0;

	arch_user_access_end(); /* the CPU leaves AC as it was */
	if (has_own_stack(f->vector))
		return dispatch_on_own_stack(f);
	if (irq_is_claimed((unsigned)f->vector))
		return irq_dispatch((unsigned)f->vector);

	struct trap_catch *c = trap_catch_innermost((uint64_t)f);

	if (is_for_mm(f, c) && is_resolved(f, va))
		return;
	if (c && !c->barrier)
		trap_catch_hit(c, f, va);
	trap_report_and_die(f);
}
