/*
 * Shared tables: fork in O(1), and what it takes to change something afterwards.
 *
 * Tables of a family's spaces form a directed acyclic graph. A table's edges are the entries that
 * point to it, all at the same virtual address. What holds, and the oracle checks:
 *
 *   - an entry of a user space that points to a table grants W exactly if nobody else has an edge
 * to that table, or has had one and this entry was never written through since (then W is clear);
 *   - x86 ANDs W down the path, so a clear W in one entry write-protects all below it; leaves in a
 *     shared table may keep W, it has no effect until the table is exclusive again;
 *   - whoever unshares clears W in both copies of every entry, so that no stale W becomes
 * effective.
 *
 * Operations: *share* adds an edge and clears W in both parents' entries, whatever lies below.
 * *Make exclusive* gives the space its own copy of one table, one edge more for each child, or
 * just W back if nobody else is left. *Drop* takes an edge away; the last one takes the content
 * along.
 *
 * Locking: see share.c. Talks to: frame, flush, swap, space.
 */
#pragma once

#include <mm/space.h>

/* Which strategy space_fork and copy_page_range use; `fork=eager|shared`. */
extern bool fork_shares_tables;

/* Since boot: tables shared by forks, copied and taken back by writes, let go. */
struct share_stats {
	uint64_t shared, copied, reused, dropped;
};
extern struct share_stats share_stats;

/* Where something may have to be copied: in a few ranges, both ends inclusive, or anywhere. */
#define SHARE_REST_MAX 4
struct share_rest {
	unsigned count; /* SHARE_REST_MAX + 1: anywhere */
	struct {
		va_t start, last;
	} range[SHARE_REST_MAX];
};

/*
 * Make dst see all of src's entries in [start, last] that can be shared as whole tables.
 *
 * A table can be shared if it lies in the range as a whole, and no area that must not be
 * write-protected or inherited lies in its own: none that is shared, a device window, or
 * AREA_NOFORK. dst has the same areas, and no entries there.
 *
 * What cannot be shared, and so is left for copying, is added to *rest.
 * Returns 0 or -ENOMEM (some tables are shared; zapping dst undoes it). The caller flushes src.
 */
int share_range(struct space *dst, struct space *src, va_t start, va_t last,
		struct share_rest *rest);

/*
 * Make the table under p, a table entry without W, the root's own: see PT_HOST_EXCLUSIVE.
 *
 * Flushes the space's CPUs before the old table loses its edge. No translation changes, so no
 * subscriber is told. Returns 0 or -ENOMEM (nothing changed).
 */
int share_make_exclusive(const struct pt_root *root, ptp_t p);

/* One edge less to a table that is flushed from every walker of this edge's space. */
void share_drop_table(struct pt_owner *owner, pt_t table);

/* All that a root has, and its top table: no walker of its space is left. */
void share_drop_root(const struct pt_root *root);
