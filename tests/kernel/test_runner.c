/*
 * Tests of the test system. Those of suite `selftest` are hidden: each does what its name says, and
 * whoever starts the kernel with test=selftest.<name> checks that the outcome is red (or skipped).
 */
#include <lib/printk.h>
#include <mm/frame.h>
#include <tests/kernel/test.h>

/* A bug that was expected is survived, any number of times. */
TEST(runner, expected_bugs_are_caught)
{
	for (volatile int i = 0; i < 3; i++)
		EXPECT_BUG(ASSERT_EQ(i, -1));
	EXPECT_BUG(ASSERT(false));
}

/* The same seed gives the same numbers, another seed gives others, and they are not all alike. */
TEST(runner, random_numbers_follow_the_seed)
{
	uint64_t first[4];

	test_random_seed(7);
	for (unsigned i = 0; i < ARRAY_SIZE(first); i++)
		first[i] = test_random();
	test_random_seed(7);
	for (unsigned i = 0; i < ARRAY_SIZE(first); i++)
		EXPECT_EQ(test_random(), first[i]);
	test_random_seed(8);
	EXPECT_NE(test_random(), first[0]);
	EXPECT_NE(first[0], first[1]);
}

TEST_HIDDEN(selftest, passes)
{
	EXPECT(true);
}

TEST_HIDDEN(selftest, fails)
{
	EXPECT_EQ(1, 2);
}

TEST_HIDDEN(selftest, requires)
{
	REQUIRE(false);
	panic("REQUIRE went on");
}

TEST_HIDDEN(selftest, no_checks)
{
}

TEST_HIDDEN(selftest, skips)
{
	TEST_SKIP("it is what this one %s", "does");
}

TEST_HIDDEN(selftest, fails_then_skips)
{
	EXPECT(false);
	TEST_SKIP("a failure is not hidden by that");
}

TEST_HIDDEN(selftest, lacks_expected_bug)
{
	EXPECT_BUG(ASSERT(true));
}

TEST_HIDDEN(selftest, leaks_frame)
{
	EXPECT(frame_alloc(0, FRAME_KERNEL) != NULL);
}

TEST_HIDDEN(selftest, asserts)
{
	EXPECT(true);
	ASSERT_EQ(1, 2);
}

TEST_HIDDEN(selftest, panics)
{
	EXPECT(true);
	panic("as asked, with a number: %d", 42);
}

TEST_HIDDEN(selftest, hangs)
{
	EXPECT(true);
	for (;;)
		__asm__ volatile("pause");
}
