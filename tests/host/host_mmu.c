/*
 * The fake machine's memory management unit: what it can do, and each CPU's TLB, which remembers
 * what its accesses have looked up (host_touch.c) until it is told to forget.
 *
 * Locking: a TLB is its CPU's, interrupts disabled; so it is when another CPU calls this one.
 */
#include <arch/cpu_local.h>
#include <arch/mmu.h>
#include <arch/pt_format.h>
#include <lib/compiler.h>
#include <mm/pagetable.h>
#include <tests/host/host_tlb.h>

struct arch_mmu_caps arch_mmu = {
	.top_level = 4,
	.leaf_level_max = 2,
	.pa_bits = 46,
	.global = true,
	.pt = PT_CPU_INIT(46, 2),
};

#define TLB_ENTRIES 64

static struct host_cpu {
	pa_t root;
	struct host_translation tlb[TLB_ENTRIES];
} ALIGNED(64) host_cpus[HOST_CPUS];

static struct host_translation *slot_of(va_t va)
{
	return &host_cpus[cpu_index()].tlb[(va >> PAGE_SHIFT) % TLB_ENTRIES];
}

static bool is_about(const struct host_translation *t, va_t va)
{
	return t->valid && !((t->va ^ va) >> pt_shift(t->level));
}

const struct host_translation *host_tlb_find(va_t va)
{
	const struct host_translation *t = slot_of(va);

	return t->valid && !((t->va ^ va) >> PAGE_SHIFT) ? t : NULL;
}

void host_tlb_fill(const struct host_translation *t)
{
	*slot_of(t->va) = *t;
}

struct host_flushes host_flushes;

static void note_page(va_t va)
{
	if (cpu_index())
		return;
	host_flushes.pages++;
	if (va < host_flushes.lowest)
		host_flushes.lowest = va;
	if (va > host_flushes.highest)
		host_flushes.highest = va;
}

/* Whatever the size of its page: there is an entry for each small one that was used. */
void arch_tlb_flush_page(va_t va)
{
	struct host_translation *tlb = host_cpus[cpu_index()].tlb;

	for (unsigned i = 0; i < TLB_ENTRIES; i++)
		if (is_about(&tlb[i], va))
			tlb[i].valid = false;
	note_page(va);
}

void arch_tlb_flush_all(void)
{
	struct host_translation *tlb = host_cpus[cpu_index()].tlb;

	for (unsigned i = 0; i < TLB_ENTRIES; i++)
		tlb[i].valid = false;
	if (!cpu_index())
		host_flushes.all++;
}

void arch_root_load(pa_t root)
{
	host_cpus[cpu_index()].root = root;
	arch_tlb_flush_all();
}

pa_t arch_root_current(void)
{
	return host_cpus[cpu_index()].root;
}
