/* Every sequence of operations on 3 levels of 2 entries; see enumerate.h. */
#define SMALL_TABLE_BITS 1
#define SMALL_LEVEL_COUNT 3
#include <tests/host/enumerate.h>

// Whatever is done, in whatever order, is what the model says, also when an allocation fails.
TEST(small, all_sequences_on_3_levels_of_2)
{
	enumerate(3, false);
}

// The same with fewer different operations, and longer.
TEST(small, all_plain_sequences_on_3_levels_of_2)
{
	enumerate(20, true);
}
