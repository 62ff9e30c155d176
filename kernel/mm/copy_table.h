/*
 * Copying the leaves of one bottom table: what an eager fork does most.
 *
 * Locking: as copy.c. Talks to: frame.
 */
#ifndef MM_COPY_TABLE_H
#define MM_COPY_TABLE_H

#include <mm/pagetable.h>

/*
 * Copy the leaves of `from` with indices in [first, last] to the same places of `to`, where none is
 * yet, with an edge for each, and book them in `to`. The copies are old; with `cow` both sides lose
 * W, without it the copies are clean.
 *
 * Returns whether there is anything else in the range, soft or bad, that is left to the caller.
 */
bool copy_table_leaves(pt_t from, pt_t to, unsigned first, unsigned last, bool cow);

#endif
