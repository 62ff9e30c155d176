/*
 * Function names of addresses (lib/ksym).
 */
#include <arch/image.h>
#include <arch/trap.h>
#include <lib/ksym.h>
#include <lib/string.h>
#include <tests/kernel/test.h>

/* Every address from a function's first byte up to the next function's belongs to it. */
TEST(ksym, address_gives_function_and_offset)
{
	uint64_t start = (uint64_t)ksym_find, offset = ~0ull;
	const char *name = ksym_find(start, &offset);

	REQUIRE(name);
	EXPECT(!strcmp(name, "ksym_find"));
	EXPECT_EQ(offset, 0);
	name = ksym_find(start + 5, &offset);
	REQUIRE(name);
	EXPECT(!strcmp(name, "ksym_find"));
	EXPECT_EQ(offset, 5);
	name = ksym_find(start - 1, &offset);
	EXPECT(name && strcmp(name, "ksym_find"));
}

/* Addresses outside the text have no name. */
TEST(ksym, nothing_outside_text)
{
	uint64_t offset;

	EXPECT(!ksym_find(0, &offset));
	EXPECT(!ksym_find(~0ull, &offset));
	EXPECT(!ksym_find((uint64_t)image_text_start - 1, &offset));
	EXPECT(!ksym_find((uint64_t)image_text_end, &offset));
	EXPECT(!ksym_find((uint64_t)ksym_table, &offset));
}

/* The table is strictly sorted, so binary search is right. */
TEST(ksym, table_is_sorted)
{
	EXPECT(ksym_count > 1);
	for (uint32_t i = 1; i < ksym_count; i++)
		EXPECT_OP(ksym_table[i - 1].offset, <, ksym_table[i].offset);
}

static void trap(void *arg)
{
	(void)arg;
	__asm__ volatile("ud2");
}

/* The place of a trap has the name that its function has in the source. */
TEST(ksym, trap_has_a_name)
{
	uint64_t offset;
	const char *name = ksym_find(expect_fault(trap, NULL, true).rip, &offset);

	EXPECT(name && !strcmp(name, "trap"));
}
