/* Every sequence of operations on 2 levels of 4 entries; see enumerate.h. */
#define SMALL_TABLE_BITS 2
#define SMALL_LEVEL_COUNT 2
#include <tests/host/enumerate.h>

// Whatever is done, in whatever order, is what the model says, also when an allocation fails.
TEST(small, all_sequences_on_2_levels_of_4)
{
	enumerate(2, false);
}

// The same with fewer different operations, and longer.
TEST(small, all_plain_sequences_on_2_levels_of_4)
{
	enumerate(3, true);
}
