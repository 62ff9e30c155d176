/*
 * The library proved on tables of four entries, where every index is a border.
 */
#define SMALL_TABLE_BITS 2
#define SMALL_LEVEL_COUNT 5
#define PT_TEST_FORMAT <tests/kernel/pt/pt_format_small.h>
#define HOST_PA_BASE 0xfffffedcba900000ull

#include <tests/kernel/pt/suite_arena.h>

SUITE_REGISTER(pt_small, 4, SUITE_FORMAT_CLAIMS)
SUITE_REGISTER_DEPTH(pt_small_2, 1)
SUITE_REGISTER_DEPTH(pt_small_3, 2)
SUITE_REGISTER_DEPTH(pt_small_5, 4)
