/*
 * The VT-d second-level format proved, with three, four and five levels. The unit is made up, so
 * that the widths do not depend on where the test runs.
 */
#define vtd_caps test_vtd_caps
#define PT_TEST_FORMAT <dev/vtd_pt_format.h>
#define HOST_PA_BASE 0x000fedcba9000000ull

#include <dev/vtd_caps.h>

struct vtd_caps vtd_caps = { .pa_limit = 1ull << 52, .leaf_levels = 7 };

#include <tests/kernel/pt/suite_arena.h>

SUITE_REGISTER(pt_vtd, 3, SUITE_FORMAT_CLAIMS)
SUITE_REGISTER_DEPTH(pt_vtd_3, 2)
SUITE_REGISTER_DEPTH(pt_vtd_4, 3)
SUITE_REGISTER_DEPTH(pt_vtd_5, 4)

static const struct {
	unsigned level;
	pt_attr_t attr;
	uint64_t
		bits; /* VT-d specification, 9.8, the first three formats of second-stage entries */
} manual[] = {
	{ 0, PT_R, 0x40000001 },
	{ 0, PT_R | PT_W, 0x40000003 },
	{ 0, PT_R | PT_YOUNG, 0x40000101 },
	{ 0, PT_R | PT_W | PT_YOUNG | PT_DIRTY, 0x40000303 },
	{ 1, PT_R | PT_W, 0x40000083 },
	{ 2, PT_R, 0x40000081 },
};

// Entries have the bits that the specification gives them.
TEST(pt_vtd, entries_are_those_of_the_specification)
{
	for (unsigned i = 0; i < ARRAY_SIZE(manual); i++)
		EXPECT_EQ(ptv_raw(ptv_make_leaf(PA(0x40000000), manual[i].attr, manual[i].level)),
			  manual[i].bits);
	EXPECT_EQ(ptv_raw(ptv_make_table(PA(0x1000), PT_R | PT_W, 3)), 0x1003u);
	EXPECT_EQ(ptv_raw(ptv_make_table(PA(0x1000), PT_R, 1)), 0x1001u);
	/* What the unit takes for absent has neither R nor W. */
	EXPECT_EQ(ptv_raw(ptv_make_leaf(PA(0x1000), PT_W | PT_YOUNG, 0)) & 3, 0u);
	EXPECT_EQ(ptv_raw(ptv_make_soft(~0ull >> 12, 2)) & 3, 0u);
	/* What it does not know is kept in bits that it ignores. */
	EXPECT_EQ(ptv_raw(ptv_make_leaf(PA(0x1000), PT_ATTR_ALL, 0)) & ~(0x3ffull << 52), 0x1303u);
}

// An address wider than the unit's is bad, in a table and in a leaf, for every width.
TEST(pt_vtd, addresses_above_the_width_are_bad)
{
	for (unsigned bits = 32; bits < 52; bits++) {
		vtd_caps.pa_limit = 1ull << bits;
		for (unsigned level = 0; level <= 2; level++) {
			pa_t low = PA(1ull << (bits - 1)), high = PA(1ull << bits);

			EXPECT(ptv_is_leaf(ptv_make_leaf(low, PT_R, level)));
			EXPECT(ptv_is_bad(ptv_make_leaf(high, PT_R, level)));
			EXPECT(ptv_is_bad(ptv_make_leaf(high, PT_YOUNG, level)));
			EXPECT(ptv_is_table(ptv_make_table(low, PT_R, level + 1)));
			EXPECT(ptv_is_bad(ptv_make_table(high, PT_R, level + 1)));
		}
	}
	vtd_caps.pa_limit = 1ull << 52;
}

// A unit without 1 GiB, or without any large leaves, gets what it has.
TEST(pt_vtd, large_leaves_are_legal_only_where_the_unit_has_them)
{
	vtd_caps.leaf_levels = 3;
	suite_begin(3);
	EXPECT(ptv_is_bad(ptv_make_leaf(PA(0), PT_R, 2)));
	EXPECT_EQ(suite_map(0, 0, pt_size(2), PT_R), 0);
	EXPECT_EQ(suite_count().entry[PT_LEAF][1], 512u);
	EXPECT_EQ(suite_unmap(0, pt_size(2)), 0);
	vtd_caps.leaf_levels = 1;
	EXPECT(ptv_is_bad(ptv_make_leaf(PA(0), PT_R, 1)));
	EXPECT_EQ(suite_map(0, 0, pt_size(1), PT_R), 0);
	EXPECT_EQ(suite_count().entry[PT_LEAF][0], 512u);
	suite_end();
	vtd_caps.leaf_levels = 7;
}
