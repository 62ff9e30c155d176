/*
 * The seam between mm and the CPU's memory management unit.
 *
 * What the CPU can do is found once, on the boot CPU, before anything else of mm runs. Flushes act
 * on the calling CPU only; telling the others is mm/flush's job. Nothing here allocates or fails.
 */
#ifndef ARCH_MMU_H
#define ARCH_MMU_H

#include <arch/layout.h>
#include <arch/pt_cpu.h>
#include <mm/pt/pt_types.h>

/* What this CPU's walker offers. Filled in by arch_mmu_init, constant afterwards. */
struct arch_mmu_caps {
	unsigned top_level;      /* level of the root table: 3 (4-level) or 4 (5-level) */
	unsigned leaf_level_max; /* highest level that may hold leaves: 1 (2 MiB) or 2 (1 GiB) */
	unsigned pa_bits;        /* CPUID 0x80000008 EAX[7:0] */
	bool global;             /* CR4.PGE in use */
	bool smep, smap, umip;
	struct pt_cpu pt; /* pa_bits and leaf_level_max for the entry format (pt_cpu_make) */
};
extern struct arch_mmu_caps arch_mmu;

/* Read CR4, EFER and CPUID into arch_mmu. */
void arch_mmu_init(void);

/* Load a root. Flushes every non-global translation of this CPU (SDM vol. 3, 4.10.4.1). */
void arch_root_load(pa_t root);
/* The root that this CPU walks. */
pa_t arch_root_current(void);

/* Drop this CPU's translation of the page that holds va, whatever its size, global or not, and
 * every paging-structure cache entry of the current root (INVLPG; SDM vol. 3, 4.10.4.1). */
void arch_tlb_flush_page(va_t va);
/* Drop all translations of this CPU, global ones included. */
void arch_tlb_flush_all(void);

/* The address the last page fault on this CPU was about (CR2). */
va_t arch_fault_address(void);

/* Let supervisor code touch user pages (SMAP); calls do not nest. */
void arch_user_access_begin(void);
void arch_user_access_end(void);

#endif
