/*
 * The fake machine's memory management unit: what it can do, and a TLB that holds an
 * entry for the length of one access (touch.h) and is stale that long. Tests
 * that need a walker or a flush to matter run in the kernel.
 */
#include <arch/mmu.h>
#include <arch/pt_format.h>
#include <lib/compiler.h>
#include <mm/grace.h>

struct arch_mmu_caps arch_mmu = {
	.top_level = 4,
	.leaf_level_max = 2,
	.pa_bits = 46,
	.global = true,
	.pt = PT_CPU_INIT(46, 2),
};

/* What has been looked up is forgotten when every access that is under way has ended. */
void arch_tlb_flush_page(va_t va)
{
	(void)va;
	grace_wait();
}

void arch_tlb_flush_all(void)
{
	grace_wait();
}

static __thread pa_t current_root;

void arch_root_load(pa_t root)
{
	current_root = root;
}

pa_t arch_root_current(void)
{
	return current_root;
}
