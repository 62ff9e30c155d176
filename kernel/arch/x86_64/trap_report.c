/*
 * The report of an unexpected trap: what, where, registers, the walk of the address, back trace.
 *
 * What is most certain to work comes first, in case the report itself traps.
 * Locking: none. Talks to: mm (trap_print_walk), backtrace.c, lib/printk.
 */
#include <arch/backtrace.h>
#include <lib/printk.h>
#include <lib/string.h>

#include "percpu.h"
#include "trap_report.h"

void (*trap_print_walk)(va_t va);

static const char *const vector_name[] = {
	[0] = "divide error",
	[1] = "debug",
	[2] = "NMI",
	[3] = "breakpoint",
	[4] = "overflow",
	[5] = "bound range",
	[6] = "invalid opcode",
	[7] = "no coprocessor",
	[8] = "double fault",
	[10] = "invalid TSS",
	[11] = "segment not present",
	[12] = "stack fault",
	[13] = "general protection",
	[14] = "page fault",
	[16] = "x87 error",
	[17] = "alignment check",
	[18] = "machine check",
	[19] = "SIMD error",
	[20] = "virtualization",
	[21] = "control protection",
};

static const char *name_of(uint64_t vector)
{
	if (vector < ARRAY_SIZE(vector_name) && vector_name[vector])
		return vector_name[vector];
	return vector < 32 ? "reserved vector" : "interrupt";
}

static void print_page_fault(uint64_t error)
{
	printk("  a %s %s, %s%s%s\n", error & PF_U ? "user" : "supervisor",
	       error & PF_I   ? "fetch"
	       : error & PF_W ? "write"
			      : "read",
	       error & PF_P ? "against the page's protection" : "of a page that is not present",
	       error & PF_RSVD ? ", reserved bits set" : "",
	       error & PF_PK ? ", protection key" : "");
}

static void print_registers(const struct trap_frame *f)
{
	printk("  rax %016lx rbx %016lx rcx %016lx\n", f->rax, f->rbx, f->rcx);
	printk("  rdx %016lx rsi %016lx rdi %016lx\n", f->rdx, f->rsi, f->rdi);
	printk("  rbp %016lx r8  %016lx r9  %016lx\n", f->rbp, f->r8, f->r9);
	printk("  r10 %016lx r11 %016lx r12 %016lx\n", f->r10, f->r11, f->r12);
	printk("  r13 %016lx r14 %016lx r15 %016lx\n", f->r13, f->r14, f->r15);
	printk("  rsp %016lx ss  %016lx flags %lx\n", f->rsp, f->ss, f->rflags);
	printk("  rip %016lx cs  %016lx\n", f->rip, f->cs);
	printk("  cr0 %lx cr2 %lx cr3 %lx cr4 %lx efer %lx\n", arch_read_cr0(), arch_read_cr2(),
	       arch_read_cr3(), arch_read_cr4(), arch_read_msr(MSR_EFER));
}

static void print_walk(va_t va)
{
	if (trap_print_walk)
		trap_print_walk(va);
	else
		printk("walk of %#lx: nobody can print it yet\n", va);
}

void trap_report_and_die(const struct trap_frame *f)
{
	bool has_address = f->vector == TRAP_PF || f->vector == TRAP_DF;
	va_t va = arch_read_cr2();

	if (!panic_begin()) {
		printk("\ntrap %lu at %#lx inside the report of a trap\n", f->vector, f->rip);
		bail_out(name_of(f->vector));
	}
	printk("\nunexpected trap on CPU %u: %s (vector %lu), error code %#lx\n", cpu_index(),
	       name_of(f->vector), f->vector, f->error);
	backtrace_print_address(f->rip);
	if (f->vector == TRAP_PF)
		print_page_fault(f->error);
	print_registers(f);
	backtrace_print(f->rbp);
	if (has_address)
		print_walk(va);
	bail_out(name_of(f->vector));
}
