/*
 * The x86-64 format proved, with 4 and with 5 levels in one program: depth is a fact of the root.
 * The CPU is made up, so that the widths do not depend on where the test runs.
 */
#define PT_CPU test_cpu
#define PT_TEST_FORMAT <arch/pt_format.h>
#define HOST_PA_BASE 0x000fedcba9000000ull

#include <arch/pt_cpu.h>

static struct pt_cpu test_cpu;

#include <tests/kernel/pt/suite_arena.h>

static struct pt_cpu test_cpu = PT_CPU_INIT(52, 2);

SUITE_REGISTER(pt_x86, 4, SUITE_FORMAT_CLAIMS)
SUITE_REGISTER_DEPTH(pt_x86_4, 3)
SUITE_REGISTER_DEPTH(pt_x86_5, 4)

static const struct {
	unsigned level;
	pt_attr_t attr;
	uint64_t bits; /* SDM vol. 3, tables 4-15 to 4-20 */
} manual[] = {
	{ 0, PT_R, 0x8000000040000001 },
	{ 0, PT_R | PT_W, 0x8000000040000003 },
	{ 0, PT_R | PT_X, 0x0000000040000001 },
	{ 0, PT_RWX | PT_U, 0x0000000040000007 },
	{ 0, PT_R | PT_UC, 0x8000000040000011 },
	{ 0, PT_R | PT_YOUNG, 0x8000000040000021 },
	{ 0, PT_RWX | PT_YOUNG | PT_DIRTY | PT_GLOBAL, 0x0000000040000163 },
	{ 1, PT_RWX, 0x0000000040000083 },
	{ 2, PT_RWX | PT_U | PT_YOUNG | PT_DIRTY, 0x00000000400000e7 },
};

// Entries have the bits that the manual gives them.
TEST(pt_x86, entries_are_those_of_the_manual)
{
	for (unsigned i = 0; i < ARRAY_SIZE(manual); i++)
		EXPECT_EQ(ptv_make_leaf(PA(0x40000000), manual[i].attr, manual[i].level).bits,
			  manual[i].bits);
	EXPECT_EQ(ptv_make_table(PA(0x1000), PT_RWX | PT_U, 3).bits, 0x1007u);
	EXPECT_EQ(ptv_make_table(PA(0x1000), PT_R, 1).bits, 0x8000000000001001);
	EXPECT_EQ(ptv_make_leaf(PA(0x1000), PT_W | PT_X, 0).bits & 1, 0u);
	EXPECT_EQ(ptv_make_soft(~0ull >> 12, 2).bits & 1, 0u);
}

// An address wider than the CPU's is bad in a table and in a leaf, and is refused by map, for every
// width.
TEST(pt_x86, addresses_above_the_width_are_bad)
{
	for (unsigned bits = 32; bits < 52; bits++) {
		test_cpu = (struct pt_cpu)PT_CPU_INIT(bits, 2);
		for (unsigned level = 0; level <= 2; level++) {
			pa_t low = PA(1ull << (bits - 1)), high = PA(1ull << bits);

			EXPECT(ptv_is_leaf(ptv_make_leaf(low, PT_R, level)));
			EXPECT(ptv_is_bad(ptv_make_leaf(high, PT_R, level)));
			EXPECT(ptv_is_bad(ptv_make_leaf(high, PT_W, level)));
			EXPECT(ptv_is_table(ptv_make_table(low, PT_R, level + 1)));
			EXPECT(ptv_is_bad(ptv_make_table(high, PT_R, level + 1)));
		}
	}
	test_cpu = (struct pt_cpu)PT_CPU_INIT(52, 2);
}

// Without 1 GiB pages such a leaf is bad, and map makes do with 2 MiB.
TEST(pt_x86, large_leaves_are_legal_only_where_the_cpu_has_them)
{
	test_cpu = (struct pt_cpu)PT_CPU_INIT(52, 1);
	suite_begin(3);
	EXPECT(ptv_is_bad(ptv_make_leaf(PA(0), PT_RWX, 2)));
	EXPECT(ptv_is_leaf(ptv_make_leaf(PA(0), PT_RWX, 1)));
	EXPECT_EQ(suite_map(0, 0, pt_size(2), PT_R), 0);
	EXPECT_EQ(suite_count().entry[PT_LEAF][1], 512u);
	EXPECT_EQ(suite_merge(0, pt_size(2)), 0);
	suite_end();
	test_cpu = (struct pt_cpu)PT_CPU_INIT(52, 2);
}
