/*
 * CR4.UMIP: ring 3 may not look at the CPU's tables and status.
 */
#include <arch/cpu.h>
#include <arch/trap.h>
#include <lib/string.h>
#include <tests/kernel/access_bed.h>
#include <tests/kernel/test.h>

/* Instructions that UMIP is about, each followed by the trap that ends an access. RDI is the code's
 * own address. */
static const struct {
	const char *name;
	uint8_t code[8];
} instructions[] = {
	{ "smsw eax", { 0x0f, 0x01, 0xe0, 0xcd, TRAP_RETURN } },
	{ "sldt eax", { 0x0f, 0x00, 0xc0, 0xcd, TRAP_RETURN } },
	{ "str eax", { 0x0f, 0x00, 0xc8, 0xcd, TRAP_RETURN } },
	{ "sgdt 16(rdi)", { 0x0f, 0x01, 0x47, 0x10, 0xcd, TRAP_RETURN } },
	{ "sidt 16(rdi)", { 0x0f, 0x01, 0x4f, 0x10, 0xcd, TRAP_RETURN } },
};

/* Run each instruction in ring 3 and ring 0. */
static void run_all(bool umip)
{
	struct access a = { .va = bed.target[BED_DATA].va, .kind = ACCESS_EXEC, .raw = true };

	for (unsigned i = 0; i < ARRAY_SIZE(instructions); i++) {
		memcpy(pa_to_ptr(bed.target[BED_DATA].pa), instructions[i].code,
		       sizeof(instructions[i].code));
		*bed.target[BED_DATA].slot[0] ^= MODEL_U; /* SMEP: the kernel's for ring 0 */
		arch_tlb_flush_page(a.va);
		a.user = false;
		EXPECT_EQ(arch_access(&a).vector, TRAP_NONE);

		*bed.target[BED_DATA].slot[0] ^= MODEL_U;
		arch_tlb_flush_page(a.va);
		a.user = true;
		struct trap_info info = arch_access(&a);

		if (!EXPECT_EQ(info.vector, umip ? TRAP_GP : TRAP_NONE))
			test_note("%s with UMIP=%d", instructions[i].name, umip);
		if (umip)
			EXPECT(info.error == 0 && info.rip == a.va);
	}
}

/* With UMIP five instructions are general protection faults in ring 3, in ring 0 never. */
TEST(sweep, umip)
{
	uint64_t cr4 = arch_read_cr4();

	if (!arch_mmu.umip)
		TEST_SKIP("the CPU has no UMIP");
	bed_open(false);
	*bed.target[BED_DATA].slot[0] = bed.target[BED_DATA].pa.value | BED_OPEN;
	run_all(true);
	arch_write_cr4(cr4 & ~(uint64_t)CR4_UMIP);
	run_all(false);
	arch_write_cr4(cr4);
	bed_close();
}
