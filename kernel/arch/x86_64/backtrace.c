/*
 * Back traces, see arch/backtrace.h.
 *
 * A frame is two words: the caller's frame pointer and the return address. A frame pointer with
 * bit 0 set is the address of a struct trap_frame (trap_entry.S puts it there). Frame pointers are
 * not trusted: they are read with arch_peek, and only so many.
 */
#include <arch/backtrace.h>
#include <arch/trap.h>
#include <lib/ksym.h>
#include <lib/printk.h>

#define DEPTH_MAX 24

void backtrace_print_address(uint64_t rip)
{
	uint64_t offset;
	const char *name = ksym_find(rip, &offset);

	if (name)
		printk("  %016lx %s+%#lx\n", rip, name, offset);
	else
		printk("  %016lx ?\n", rip);
}

static bool is_trap(uint64_t rbp)
{
	return rbp & 1;
}

/* Print the trap at `rbp` and go on to the code it interrupted. */
static bool step_through_trap(uint64_t *rbp)
{
	const struct trap_frame *f = (const struct trap_frame *)(*rbp - 1);
	uint64_t vector, rip, next;

	if (!arch_peek((va_t)&f->vector, &vector) || !arch_peek((va_t)&f->rip, &rip) ||
	    !arch_peek((va_t)&f->rbp, &next))
		return false;
	printk("  --- trap %lu ---\n", vector);
	backtrace_print_address(rip);
	*rbp = next;
	return true;
}

static bool step_through_call(uint64_t *rbp)
{
	uint64_t next, rip;

	if (!arch_peek(*rbp + 8, &rip) || !arch_peek(*rbp, &next) || !rip)
		return false;
	backtrace_print_address(rip - 1); /* the call, which may be its function's last word */
	*rbp = next;
	return true;
}

void backtrace_print(uint64_t rbp)
{
	bool more = true;
	unsigned depth;

	printk("back trace:\n");
	for (depth = 0; more && rbp && depth < DEPTH_MAX; depth++)
		more = is_trap(rbp) ? step_through_trap(&rbp) : step_through_call(&rbp);
	if (depth == DEPTH_MAX)
		printk("  ...\n");
}

void backtrace_print_here(void)
{
	backtrace_print((uint64_t)__builtin_frame_address(0));
}
