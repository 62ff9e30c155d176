/* The hand-written yardstick for 5 levels; see folded.h. */
#define FOLDED_LEVELS 5
#include <bench/folded_native.h>

#include <bench/folded_copy.h>

const struct folded folded_native5 = FOLDED_OPS;
