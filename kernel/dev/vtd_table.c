/*
 * The page-table library, and mirrors, in the VT-d second-level format. No state but the caps.
 * Locking: mm/mirror.h. Talks to: mm/pt, mm/mirror.
 */
#define PT_API static __attribute__((unused))
#define MIRROR_FORMAT vtd_mirror_format
#define PT_FORMAT_HEADER <dev/vtd_pt_format.h>
#define PT_HOST_HEADER <mm/mirror_host.h>
#include <mm/pt/pt_ops.c>

#include <dev/vtd_table.h>
#include <mm/mirror_table.h>

/* What the format itself allows; a unit that is found narrows it. */
struct vtd_caps vtd_caps = { .pa_limit = 1ull << 52, .leaf_levels = 7 };
