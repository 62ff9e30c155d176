/*
 * What the entry format has to know of the CPU at run time, as masks that a test of an entry uses
 * as they are. Made once by pt_cpu_make (arch/pt_format.h); constant afterwards.
 */
#ifndef ARCH_PT_CPU_H
#define ARCH_PT_CPU_H

#include <stdint.h>

struct pt_cpu {
	uint64_t pa_limit;   /* one past the highest physical address */
	uint64_t table_test; /* the bits of a table entry that must read as P alone */
	uint64_t leaf_test
		[5]; /* by level: the bits of a leaf that must read as PS alone (level 0: none) */
	unsigned leaf_levels; /* bit L: level L may hold leaves */
};

#endif
