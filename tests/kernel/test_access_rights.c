/*
 * The permission sweep, rights: W, U and NX at every level, for leaves of every level, for every
 * setting of CR0.WP, CR4.SMEP, CR4.SMAP and EFLAGS.AC, from ring 3 and ring 0; then with EFER.NXE
 * off, and with protection keys.
 */
#include <arch/cpu.h>
#include <arch/trap.h>
#include <tests/kernel/access_sweep.h>
#include <tests/kernel/test.h>

#define CPUID_STRUCTURED 7
#define STRUCTURED_ECX_PKU (1u << 3)
#define KEY_COUNT 16

/* Every combination of W, U and NX over all levels of the path. */
static void sweep_rights(unsigned leaf)
{
	struct sweep_group g = { 0 };
	struct sweep_axes axes = { 0 };
	struct sweep_combo open = sweep_open(leaf);

	if (leaf > arch_mmu.leaf_level_max)
		TEST_SKIP("the CPU has no 1 GiB pages");
	bed_open(false);
	for (unsigned level = leaf; level <= bed.cpu.top_level; level++) {
		sweep_axes_add(&axes, level, MODEL_W);
		sweep_axes_add(&axes, level, MODEL_U);
		sweep_axes_add(&axes, level, MODEL_NX);
	}
	sweep_run_modes(&g, &open, &axes);
	bed_close();
	sweep_group_end(&g, "W, U, NX at all levels x WP, SMEP, SMAP, AC");
}

/* A page may be used as far as all levels allow it: 4 KiB pages. */
TEST(sweep, rights_leaf_0)
{
	sweep_rights(0);
}

/* The same for 2 MiB pages. */
TEST(sweep, rights_leaf_1)
{
	sweep_rights(1);
}

/* The same for 1 GiB pages. */
TEST(sweep, rights_leaf_2)
{
	sweep_rights(2);
}

/* Without EFER.NXE the NX bit is reserved at every level, and fetches look like reads unless SMEP
 * is on. */
TEST(sweep, without_nxe)
{
	struct sweep_group g = { 0 };
	struct sweep_axes axes = { 0 };
	struct sweep_combo open = sweep_open(0);

	bed_open(true);
	bed.cpu.nxe = false;
	for (unsigned level = 0; level <= bed.cpu.top_level; level++) {
		sweep_axes_add(&axes, level, MODEL_U);
		sweep_axes_add(&axes, level, MODEL_NX);
	}
	sweep_axes_add(&axes, 1, MODEL_W);
	sweep_run_modes(&g, &open, &axes);
	bed_close();
	sweep_group_end(&g, "U, NX at all levels x WP, SMEP, SMAP, AC without NXE");
}

/* One key of all is denied, or all but one are. */
static void sweep_key(struct sweep_group *g, unsigned leaf, uint64_t key)
{
	struct sweep_axes axes = { 0 };
	struct sweep_combo c = sweep_open(leaf);

	c.noise[leaf] &= ~MODEL_KEY;
	c.entry[leaf] |= key << MODEL_KEY_SHIFT;
	sweep_axes_add(&axes, leaf, MODEL_W);
	sweep_axes_add(&axes, leaf, MODEL_U);
	sweep_axes_add(&axes, leaf, MODEL_NX);
	sweep_axes_add(&axes, bed.cpu.top_level, MODEL_U);
	for (uint32_t denied = 0; denied < 4; denied++) {
		bed.cpu.pkru = denied << (2 * key);
		bed_load_cpu();
		sweep_run(g, c, &axes);
		bed.cpu.pkru = ~bed.cpu.pkru;
		bed_load_cpu();
		sweep_run(g, c, &axes);
	}
}

/* The leaf's protection key takes data accesses to user addresses away, and nothing else does. */
TEST(sweep, protection_keys)
{
	struct sweep_group g = { 0 };

	if (!(arch_cpuid(CPUID_STRUCTURED, 0).ecx & STRUCTURED_ECX_PKU))
		TEST_SKIP("the CPU has no protection keys");
	bed_open(false);
	bed.cpu.pke = true;
	for (unsigned leaf = 0; leaf <= bed.cpu.leaf_level_max; leaf++) {
		for (unsigned key = 0; key < KEY_COUNT; key++) {
			bed.cpu.wp = key & 1;
			sweep_key(&g, leaf, key);
		}
	}
	bed_close();
	sweep_group_end(&g, "keys x PKRU x W, U, NX");
}
