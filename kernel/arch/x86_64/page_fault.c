/*
 * What the CPU says about a page fault, put to mm/fault.
 *
 * Invariant: a fault is called resolved only if trying again can succeed: what the entries would
 * never allow (SMEP, SMAP, reserved bits) is refused here. Talks to: mm/fault, mm/space.
 */
#include <arch/cpu.h>
#include <arch/trap.h>
#include <mm/fault.h>

/* Supervisor code that touches a user page without saying so is wrong, whatever the entries say. */
static bool supervisor_oversteps(const struct trap_frame *f)
{
	if (f->error & PF_U)
		return false;
	return (f->error & PF_I) || (arch_mmu.smap && !(f->rflags & RFLAGS_AC));
}

enum fault_answer page_fault_resolve(const struct trap_frame *f, va_t va)
{
	struct space *space = space_current();
	pt_attr_t access = f->error & PF_I ? PT_X : f->error & PF_W ? PT_W : PT_R;

	if (!space || (f->error & (PF_RSVD | PF_PK)) || supervisor_oversteps(f))
		return FAULT_REFUSED;
	return space_fault(space, va, access) ? FAULT_REFUSED : FAULT_RESOLVED;
}
