/*
 * The memory management unit: what it can do, and its translation caches. See arch/mmu.h.
 *
 * Locking: none; arch_mmu is constant after arch_mmu_init, flushes concern the calling CPU only.
 * Talks to: nobody. Control registers are set by boot/; here they are checked.
 */
#include <arch/cpu.h>
#include <arch/mmu.h>
#include <arch/pt_format.h>
#include <lib/printk.h>

#define CPUID_FEATURES 1
#define CPUID_STRUCTURED 7
#define CPUID_EXTENDED_MAX 0x80000000
#define CPUID_EXTENDED_FEATURES 0x80000001
#define CPUID_ADDRESS_SIZES 0x80000008
#define STRUCTURED_EBX_SMEP (1u << 7)
#define STRUCTURED_EBX_SMAP (1u << 20)
#define STRUCTURED_ECX_UMIP (1u << 2)
#define FEATURES_EDX_PGE (1u << 13)
#define EXTENDED_EDX_1GIB_PAGES (1u << 26)
#define CR3_ADDRESS 0x000ffffffffff000

struct arch_mmu_caps arch_mmu;

/* A feature that the CPU has must be on, and one that is on must be had. */
static bool check_feature(const char *name, bool offered, bool enabled)
{
	if (offered != enabled)
		panic("%s is %s but %s", name, offered ? "offered" : "not offered",
		      enabled ? "on" : "off");
	return enabled;
}

static void check_required(void)
{
	if (!(arch_read_cr0() & CR0_WP))
		panic("CR0.WP is off: the kernel would write through read-only pages");
	if (!(arch_read_msr(MSR_EFER) & EFER_NXE))
		panic("EFER.NXE is off: no page could be made non-executable");
}

void arch_mmu_init(void)
{
	uint64_t cr4 = arch_read_cr4();
	struct cpuid_regs features = arch_cpuid(CPUID_FEATURES, 0);
	struct cpuid_regs structured = arch_cpuid(CPUID_STRUCTURED, 0);
	struct cpuid_regs extended = arch_cpuid(CPUID_EXTENDED_FEATURES, 0);
	bool has_sizes = arch_cpuid(CPUID_EXTENDED_MAX, 0).eax >= CPUID_ADDRESS_SIZES;

	check_required();
	arch_mmu.top_level = cr4 & CR4_LA57 ? 4 : 3;
	arch_mmu.leaf_level_max = extended.edx & EXTENDED_EDX_1GIB_PAGES ? 2 : 1;
	arch_mmu.pa_bits = has_sizes ? arch_cpuid(CPUID_ADDRESS_SIZES, 0).eax & 0xff : 36;
	arch_mmu.pt = (struct pt_cpu)PT_CPU_INIT(arch_mmu.pa_bits, arch_mmu.leaf_level_max);
	arch_mmu.global = check_feature("PGE", features.edx & FEATURES_EDX_PGE, cr4 & CR4_PGE);
	arch_mmu.smep = check_feature("SMEP", structured.ebx & STRUCTURED_EBX_SMEP, cr4 & CR4_SMEP);
	arch_mmu.smap = check_feature("SMAP", structured.ebx & STRUCTURED_EBX_SMAP, cr4 & CR4_SMAP);
	arch_mmu.umip = check_feature("UMIP", structured.ecx & STRUCTURED_ECX_UMIP, cr4 & CR4_UMIP);
}

void arch_root_load(pa_t root)
{
	arch_write_cr3(root.value);
}

pa_t arch_root_current(void)
{
	return PA(arch_read_cr3() & CR3_ADDRESS);
}

void arch_tlb_flush_page(va_t va)
{
	__asm__ volatile("invlpg (%0)" : : "r"(va) : "memory");
}

void arch_tlb_flush_all(void)
{
	uint64_t cr4 = arch_read_cr4();

	if (!arch_mmu.global) {
		arch_write_cr3(arch_read_cr3());
		return;
	}
	arch_write_cr4(cr4 & ~(uint64_t)CR4_PGE);
	arch_write_cr4(cr4);
}

va_t arch_fault_address(void)
{
	return arch_read_cr2();
}

void arch_user_access_begin(void)
{
	if (arch_mmu.smap)
		__asm__ volatile("stac" : : : "memory", "cc");
}

void arch_user_access_end(void)
{
	if (arch_mmu.smap)
		__asm__ volatile("clac" : : : "memory", "cc");
}
