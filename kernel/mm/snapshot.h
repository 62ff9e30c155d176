/*
 * A space as seen by those who follow it: what its tables say, without their format.
 *
 * Two formats cannot live in one file, so a mirror of another format asks here. No state.
 * Locking: none; the walks are grace sections (grace.h). What was seen may have changed when it is
 * returned: the reader pattern of notifier.h is for that. Talks to: space, grace.
 */
#pragma once

#include <mm/frame.h>

struct space;

#define SNAPSHOT_SPANS 32
#define SNAPSHOT_PAGES 192

/* A part of one huge leaf, or a run of small ones that are alike but for their frames. */
struct space_span {
	va_t va, last;    /* inclusive */
	pt_attr_t attr;   /* effective: with the rights of all tables above; without PT_YOUNG */
	unsigned level;   /* of the leaf, which may reach beyond the span */
	pa_t pa;          /* of va */
	const pa_t *page; /* level 0: of every page, in order */
};

/* What was found, in order; on the stack of who asks. */
struct space_snapshot {
	unsigned count, page_count;
	struct space_span span[SNAPSHOT_SPANS];
	pa_t page[SNAPSHOT_PAGES];
};

/* Where the span has va. */
static inline pa_t space_span_pa(const struct space_span *s, va_t va)
{
	return s->level ? pa_add(s->pa, va - s->va) : s->page[(va - s->va) >> PAGE_SHIFT];
}

/*
 * Collect what [*va, last] translates to, clipped to the range, as far as there is room.
 *
 * With `need`, stops in front of the first address that does not grant it; without, whatever
 * cannot be read is passed over. *va is then the first address not dealt with, last + 1 if all
 * were. Changes nothing.
 */
void space_snapshot(struct space *space, va_t *va, va_t last, pt_attr_t need,
		    struct space_snapshot *out);

/* A secondary MMU wrote to [start, last]: the writable leaves there become dirty. */
void space_mark_dirty(struct space *space, va_t start, va_t last);
