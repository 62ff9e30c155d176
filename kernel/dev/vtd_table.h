/* The mirror format of VT-d second-level tables: vtd_pt_format.h, for mirror_create. */
#pragma once

#include <mm/mirror.h>

extern const struct mirror_format vtd_mirror_format;
