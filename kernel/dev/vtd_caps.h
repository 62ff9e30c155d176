/*
 * What the second-level walkers of this machine can do: what its format depends on.
 *
 * Without a unit these are the format's own limits, so that its tables can be built and walked by
 * software. Constant once the units have been found.
 */
#pragma once

#include <stdint.h>

struct vtd_caps {
	uint64_t pa_limit;    /* one past the highest address that an entry can hold */
	unsigned leaf_levels; /* bit L: leaves at level L */
};
extern struct vtd_caps vtd_caps;
