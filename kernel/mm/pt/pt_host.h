/*
 * What the library asks of its host: four functions. This is the header for hosts that link
 * libpt.a; a host that compiles the library itself may name an own header with inline versions
 * in PT_HOST_HEADER.
 *
 * Optional, by macro: PT_HOST_HOOKS (see pt.h).
 */
#pragma once

#include "pt_types.h"

/* A zeroed table frame for `owner`, or PA_NONE. The library fills in its pt_meta. */
pa_t pt_host_alloc(struct pt_owner *owner, unsigned level);

/*
 * Take a table back. With a batch, hardware may still reach it through its caches: it may be
 * reused only after the flush that the batch ends with. Without one it was never reachable.
 */
void pt_host_free(struct pt_owner *owner, pt_t table, struct pt_batch *batch);

/* Where the table's memory is mapped. */
void *pt_host_ptr(pa_t table);

/* The pt_meta of the table at `ptr` (as pt_host_ptr returned it). */
struct pt_meta *pt_host_meta(const void *ptr);
