/*
 * The library proved on tables of two entries and up to six levels, the smallest there is.
 */
#define SMALL_TABLE_BITS 1
#define SMALL_LEVEL_COUNT 6
#define PT_TEST_FORMAT <tests/kernel/pt/pt_format_small.h>
#define HOST_PA_BASE 0xfffffedcba900000ull

#include <tests/kernel/pt/suite_arena.h>

SUITE_REGISTER(pt_smallest, 5, SUITE_FORMAT_CLAIMS)
SUITE_REGISTER_DEPTH(pt_smallest_3, 2)
SUITE_REGISTER_DEPTH(pt_smallest_6, 5)
