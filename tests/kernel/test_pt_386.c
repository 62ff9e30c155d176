/*
 * The library proved on a format of 32-bit entries, with an attribute less and leaves in the top
 * table.
 */
#define PT_TEST_FORMAT <tests/kernel/pt/pt_format_386.h>
#define HOST_PA_BASE 0xfedc0000ull

#include <tests/kernel/pt/suite_arena.h>

SUITE_REGISTER(pt_386, 1, SUITE_FORMAT_CLAIMS)
SUITE_REGISTER_DEPTH(pt_386_1, 0)
SUITE_REGISTER_DEPTH(pt_386_2, 1)
