/*
 * The fake machine's memory management unit: what it can do, and no TLB that could be stale. Tests
 * that need a walker or a flush to matter run in the kernel.
 */
#include <arch/mmu.h>
#include <arch/pt_format.h>
#include <lib/compiler.h>

struct arch_mmu_caps arch_mmu = {
	.top_level = 4,
	.leaf_level_max = 2,
	.pa_bits = 46,
	.global = true,
	.pt = PT_CPU_INIT(46, 2),
};

void arch_tlb_flush_page(va_t va)
{
	(void)va;
}

void arch_tlb_flush_all(void)
{
}

static pa_t current_root;

void arch_root_load(pa_t root)
{
	current_root = root;
}

pa_t arch_root_current(void)
{
	return current_root;
}
