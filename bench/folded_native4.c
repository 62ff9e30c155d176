/* The hand-written yardstick for 4 levels; see folded.h. */
#define FOLDED_LEVELS 4
#include <bench/folded_native.h>

#include <bench/folded_copy.h>

const struct folded folded_native4 = FOLDED_OPS;
