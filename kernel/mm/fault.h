/*
 * What a page fault means.
 *
 * Locking: as space.h. Talks to: space, frame, flush, notifier, swap.
 */
#pragma once

#include <mm/space.h>

/*
 * Make one access (PT_R, PT_W or PT_X) to va legal, if the area there allows it.
 *
 * Returns 0, -EFAULT (no area, or it lacks the right), -ENOMEM (nothing changed that the space
 * could tell).
 */
int space_fault(struct space *space, va_t va, pt_attr_t access);
