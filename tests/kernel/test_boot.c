/*
 * What boot/ leaves behind: every bit of the control registers, whatever firmware left in them, and
 * the stack. The numbers are the manual's (SDM vol. 3, 2.5 and 4.1), not boot/'s own.
 */
#include <arch/cpu.h>
#include <arch/image.h>
#include <arch/trap.h>
#include <tests/kernel/test.h>

#define BIT(n) (1ull << (n))
#define CPUID_STRUCTURED 7

/* PE, EM, ET, NE, WP and PG are on, all else is off: no FPU, and the kernel heeds read-only. */
TEST(boot, cr0_is_exact)
{
	EXPECT_EQ(arch_read_cr0(), BIT(0) | BIT(2) | BIT(4) | BIT(5) | BIT(16) | BIT(31));
}

/* PAE and PGE are on; LA57 as chosen; SMEP, SMAP and UMIP if the CPU has them; all else is off. */
TEST(boot, cr4_is_exact)
{
	struct cpuid_regs cpu = arch_cpuid(CPUID_STRUCTURED, 0);
	uint64_t expected = BIT(5) | BIT(7);

	expected |= arch_mmu.top_level == 4 ? BIT(12) : 0;
	expected |= cpu.ebx & BIT(7) ? BIT(20) : 0;
	expected |= cpu.ebx & BIT(20) ? BIT(21) : 0;
	expected |= cpu.ecx & BIT(2) ? BIT(11) : 0;
	EXPECT_EQ(arch_read_cr4(), expected);
}

/* LME, LMA and NXE are on, all else is off. */
TEST(boot, efer_is_exact)
{
	EXPECT_EQ(arch_read_msr(MSR_EFER), BIT(8) | BIT(10) | BIT(11));
}

static void use_fpu(void *arg)
{
	(void)arg;
	__asm__ volatile("fninit");
}

static void use_sse(void *arg)
{
	(void)arg;
	__asm__ volatile("pxor %xmm0, %xmm0");
}

/* An x87 or SSE instruction that slipped in traps, instead of corrupting somebody's registers. */
TEST(boot, floating_point_traps)
{
	EXPECT_EQ(expect_fault(use_fpu, NULL, true).vector, 7u);
	EXPECT_EQ(expect_fault(use_sse, NULL, true).vector, (unsigned)TRAP_UD);
}

/* The image's parts are whole pages, in order, without overlap; the stack is in the data part. */
TEST(boot, image_parts_are_pages_in_order)
{
	char *const edges[] = { image_start,      image_boot_start,   boot_tables_start,
				boot_tables_end,  image_boot_end,     image_text_start,
				image_text_end,   image_rodata_start, image_rodata_end,
				image_data_start, boot_stack_guard,   boot_stack,
				boot_stack_top,   image_data_end,     image_end };

	EXPECT_EQ((uint64_t)image_start, IMAGE_BASE + IMAGE_PA);
	for (size_t i = 0; i < ARRAY_SIZE(edges); i++) {
		EXPECT_EQ((uint64_t)edges[i] % 4096, 0ul);
		EXPECT(i == 0 || edges[i - 1] <= edges[i]);
	}
	EXPECT_EQ(boot_stack - boot_stack_guard, 4096);
	EXPECT(boot_stack_top - boot_stack >= 16384);
}
