/*
 * What a page fault means.
 *
 * Locking: as space.h. Talks to: space, frame, flush, notifier, swap.
 */
#ifndef MM_FAULT_H
#define MM_FAULT_H

#include <mm/space.h>

enum fault_result {
	FAULT_STALE,  /* the entry allowed it already: a stale TLB entry, or somebody was faster */
	FAULT_FILLED, /* demand-zero, object page, or swap-in */
	FAULT_REUSED, /* write to a page that nobody else has any more: W given back */
	FAULT_COPIED, /* write to a page with other edges: copied */
};

/*
 * Make one access (PT_R, PT_W or PT_X) to va legal, if the area there allows it.
 *
 * Returns 0, -EFAULT (no area, or it lacks the right), -ENOMEM (nothing changed that the space
 * could tell).
 */
int space_fault(struct space *space, va_t va, pt_attr_t access);

#endif
