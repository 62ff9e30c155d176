/*
 * The library proved on a format that no walker has, whose encoding differs by level, at four
 * depths: what is right here does not depend on the CPU's format.
 */
#define PT_TEST_FORMAT <tests/kernel/pt/pt_format_scrambled.h>
#define HOST_PA_BASE 0x03fedcba90000000ull

#include <tests/kernel/pt/suite_arena.h>

SUITE_REGISTER(pt_scrambled, 5, SUITE_FORMAT_CLAIMS)
SUITE_REGISTER_DEPTH(pt_scrambled_1, 0)
SUITE_REGISTER_DEPTH(pt_scrambled_2, 1)
SUITE_REGISTER_DEPTH(pt_scrambled_4, 3)
SUITE_REGISTER_DEPTH(pt_scrambled_6, 5)
