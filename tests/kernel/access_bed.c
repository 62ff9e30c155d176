/*
 * The test bed of the permission sweep. See access_bed.h.
 */
#include <arch/cpu.h>
#include <arch/trap.h>
#include <lib/printk.h>
#include <lib/string.h>
#include <tests/kernel/access_bed.h>
#include <tests/kernel/test.h>

#define CR4_PKE (1u << 22)
#define CPUID_FEATURES_ECX_HYPERVISOR (1u << 31)
#define CPUID_HYPERVISOR 0x40000000

#define TABLE_ENTRIES 512

/* Above the last 30 bits, which are the target's: indices that differ at each level, and from the
 * ring-3 routine's at the top. */
#define PATH_VA(top_level) ((top_level) == 4 ? 0x0015154180000000 : 0x0000154180000000)
_Static_assert(PATH_VA(3) >> 39 != USER_STUB_VA >> 39, "the path has its top entry to itself");
_Static_assert(PATH_VA(4) >> 48 != USER_STUB_VA >> 48, "the path has its top entry to itself");

struct bed bed;

pa_t bed_alloc(unsigned order)
{
	struct frame *f = frame_alloc_zeroed(order, FRAME_KERNEL);

	if (!f)
		panic("no memory for the access tests' bed");
	f->owner[0] = (uint64_t)bed.frames;
	bed.frames = f;
	return frame_to_pa(f);
}

uint64_t bed_read(uint64_t pa)
{
	return *(const volatile uint64_t *)pa_to_ptr(PA(pa));
}

uint64_t bed_random(void)
{
	bed.random ^= bed.random << 13; /* xorshift64: fast, and never 0 */
	bed.random ^= bed.random >> 7;
	bed.random ^= bed.random << 17;
	return bed.random;
}

uint32_t bed_code_value(uint64_t pa)
{
	return 0xc0de0000u ^ (uint32_t)(pa >> 3);
}

void bed_fill_code(pa_t page)
{
	for (uint64_t at = 0; at < PAGE_SIZE; at += 8)
		access_code(pa_to_ptr(pa_add(page, at)), bed_code_value(page.value + at));
}

uint64_t *bed_slot(va_t va, unsigned level)
{
	uint64_t *slot = NULL;
	pa_t table = bed.root;

	for (unsigned l = bed.cpu.top_level;; l--) {
		slot = (uint64_t *)pa_to_ptr(table) + model_index(va, l);
		if (l == level)
			return slot;
		if (!(*slot & MODEL_P))
			*slot = bed_alloc(0).value | BED_OPEN;
		table = PA(*slot & MODEL_ADDRESS);
	}
}

/* ---- The tree. ---- */

/* A copy of everything under a kernel entry, but without NX. */
static uint64_t copy_plain(uint64_t entry, unsigned level)
{
	if (!(entry & MODEL_P) || model_is_leaf(level, entry))
		return entry & ~MODEL_NX;

	uint64_t copy = bed_alloc(0).value;

	for (unsigned i = 0; i < TABLE_ENTRIES; i++)
		((uint64_t *)pa_to_ptr(PA(copy)))[i] =
			copy_plain(bed_read((entry & MODEL_ADDRESS) + 8 * i), level - 1);
	return copy | (entry & ~(MODEL_ADDRESS | MODEL_NX));
}

static void make_kernel_half(bool plain)
{
	uint64_t *root = pa_to_ptr(bed.root);

	for (unsigned i = TABLE_ENTRIES / 2; i < TABLE_ENTRIES; i++) {
		root[i] = bed_read(bed.saved_root.value + 8 * i);
		if (plain)
			root[i] = copy_plain(root[i], bed.cpu.top_level);
	}
}

static void make_target(enum bed_target which, pa_t pa)
{
	bed.target[which].pa = pa;
	bed.target[which].va = PATH_VA(bed.cpu.top_level) | (pa.value & (model_bytes(2) - 1));
	for (unsigned level = 0; level <= bed.cpu.top_level; level++)
		bed.target[which].slot[level] = bed_slot(bed.target[which].va, level);
}

static void make_targets(void)
{
	pa_t data = bed_alloc(1), code = pa_add(data, PAGE_SIZE);

	make_target(BED_DATA, data);
	make_target(BED_CODE, code);
	for (unsigned level = 0; level < bed.cpu.top_level; level++)
		bed.table[level] = *bed.target[BED_DATA].slot[level + 1] & MODEL_ADDRESS;
	for (uint64_t at = 0; at < PAGE_SIZE; at += 8)
		*(uint64_t *)pa_to_ptr(pa_add(data, at)) = bed_random();
	bed_fill_code(code);
}

/* ---- The CPU's state. ---- */

static void read_cpu(struct model_cpu *cpu)
{
	uint64_t cr4 = arch_read_cr4();

	*cpu = (struct model_cpu){
		.top_level = arch_mmu.top_level,
		.leaf_level_max = arch_mmu.leaf_level_max,
		.pa_bits = arch_mmu.pa_bits,
		.wp = arch_read_cr0() & CR0_WP,
		.smep = cr4 & CR4_SMEP,
		.smap = cr4 & CR4_SMAP,
		.pke = cr4 & CR4_PKE,
		.nxe = arch_read_msr(MSR_EFER) & EFER_NXE,
	};
}

static uint64_t set_bit(uint64_t value, uint64_t bit, bool on)
{
	return on ? value | bit : value & ~bit;
}

static void load_cpu(const struct model_cpu *cpu)
{
	uint64_t cr4 = set_bit(arch_read_cr4(), CR4_SMEP, cpu->smep);

	cr4 = set_bit(cr4, CR4_SMAP, cpu->smap);
	cr4 = set_bit(cr4, CR4_PKE, cpu->pke);
	arch_write_cr0(set_bit(arch_read_cr0(), CR0_WP, cpu->wp));
	arch_write_cr4(cr4);
	arch_write_msr(MSR_EFER, set_bit(arch_read_msr(MSR_EFER), EFER_NXE, cpu->nxe));
	if (cpu->pke)
		__asm__ volatile("wrpkru" : : "a"(cpu->pkru), "c"(0), "d"(0) : "memory");
	arch_tlb_flush_all();
}

void bed_load_cpu(void)
{
	load_cpu(&bed.cpu);
}

static bool is_tcg(void)
{
	struct cpuid_regs r;

	if (!(arch_cpuid(1, 0).ecx & CPUID_FEATURES_ECX_HYPERVISOR))
		return false;
	r = arch_cpuid(CPUID_HYPERVISOR, 0);
	return r.ebx == 0x54474354 && r.ecx == 0x43544743 && r.edx == 0x47435447; /* "TCGT..." */
}

/* ---- Open and close. ---- */

void bed_open(bool plain)
{
	memset(&bed, 0, sizeof(bed));
	read_cpu(&bed.cpu);
	bed.saved = bed.cpu;
	bed.is_tcg = is_tcg();
	bed.random = test_random() | 1;
	bed.saved_root = arch_root_current();
	bed.root = bed_alloc(0);
	make_kernel_half(plain);
	*bed_slot(USER_STUB_VA, 0) = arch_user_stub_pa().value | MODEL_P | MODEL_U;
	make_targets();
	arch_root_load(bed.root);
	arch_tlb_flush_all();
}

void bed_close(void)
{
	load_cpu(&bed.saved);
	arch_root_load(bed.saved_root);
	arch_tlb_flush_all();
	while (bed.frames) {
		struct frame *f = bed.frames;

		bed.frames = (struct frame *)f->owner[0];
		frame_free(f);
	}
}
