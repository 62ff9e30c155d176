/* Classic code over Ptolemy's API, both depths at run time; see folded.h. */
#include <bench/pt_classic.h>

#include <bench/folded_copy.h>

const struct folded folded_classic = FOLDED_OPS;
