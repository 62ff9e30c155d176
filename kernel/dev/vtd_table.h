/* The mirror format of VT-d second-level tables: vtd_pt_format.h, for mirror_create. */
#ifndef DEV_VTD_TABLE_H
#define DEV_VTD_TABLE_H

#include <mm/mirror.h>

extern const struct mirror_format vtd_mirror_format;

#endif
