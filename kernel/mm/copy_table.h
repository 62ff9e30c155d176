/*
 * Copying the entries of one table to another: what fork and unsharing do most.
 *
 * Locking: as copy.c and share.c. Talks to: frame.
 */
#pragma once

#include <mm/pagetable.h>

enum copy_mode {
	COPY_COW,    /* both sides lose W; the copies are old */
	COPY_SHARED, /* the source stays as it is; the copies are old and clean */
	COPY_ALIKE,  /* both sides lose W and are alike */
};

/*
 * Copy entries of `from` with indices in [first, last] to the same places of `to`, a table of the
 * same level where none is yet: at level 0 the leaves, with an edge for each page; above, the
 * tables, each of which has an edge more then. They are booked in `to`.
 *
 * Returns how many were copied. *left is set if there is anything else in the range, a huge
 * leaf, a soft or a bad entry, for the caller to see to.
 */
unsigned copy_table_entries(pt_t from, pt_t to, unsigned first, unsigned last, enum copy_mode mode,
			    bool *left);
