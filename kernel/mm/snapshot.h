/*
 * A space as seen by those who follow it: what its tables say, without their format.
 *
 * Two formats cannot live in one file, so a mirror of another format asks here. No state.
 * Locking: none; the walks are grace sections (grace.h). What was seen may have changed when it is
 * returned: the reader pattern of notifier.h is for that. Talks to: space, grace.
 */
#ifndef MM_SNAPSHOT_H
#define MM_SNAPSHOT_H

#include <mm/pt/pt_types.h>

struct space;

/* A part of one leaf. */
struct space_span {
	va_t va, last;  /* inclusive */
	pa_t pa;        /* of va */
	pt_attr_t attr; /* effective: with the rights of all tables above */
	unsigned level; /* of the leaf, which may reach beyond the span */
};

/*
 * Collect what [*va, last] translates to, in order, at most `max` leaves, clipped to the range.
 *
 * With `need`, stops in front of the first address that does not grant it; without, whatever
 * cannot be read is passed over. Returns the number of spans; *va is the first address not dealt
 * with, last + 1 if all were. Changes nothing.
 */
unsigned space_snapshot(struct space *space, va_t *va, va_t last, pt_attr_t need,
			struct space_span *span, unsigned max);

/* A secondary MMU wrote to [start, last]: the writable leaves there become dirty. */
void space_mark_dirty(struct space *space, va_t start, va_t last);

#endif
