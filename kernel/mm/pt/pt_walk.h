/*
 * The engine: one loop over the entries of a range, at every level, for every client.
 *
 * A client is a constant struct of functions. Map, unmap, protect, copy, share and free are
 * clients. The engine is compiled once a format (pt_walk.c): what makes many entries cheap is the
 * client's `run`, a loop of its own over the entries that are alike.
 *
 * What the engine does so that no client can forget it: it never walks a bad entry (a client that
 * changes things finds it reported and cleared, one that looks sees it as an entry); splits huge
 * leaves that the range covers in part; makes shared tables exclusive before anything below them
 * changes; keeps live counts and summaries; hands every error up at once, with the walk's va at the
 * first address not done.
 *
 * Locking: the caller's, see pt.h.
 */
#ifndef PT_WALK_H
#define PT_WALK_H

#include "pt.h"

/* A walk in progress; clients embed it as the first member of their own state. */
struct pt_walk {
	const struct pt_root *root;
	va_t va, last;          /* still to do, both inclusive; on error, va was not done */
	struct pt_batch *batch; /* for tables that become unreachable */
};

/* What a client function may answer, besides a negative errno. */
enum pt_answer {
	PT_DONE = 0, /* go on */
	PT_AGAIN,    /* the entry changed: look at it once more */
	PT_SKIP,     /* enter, shared: do not descend */
};

typedef int pt_visit_fn(struct pt_walk *w, struct pt_at *at);

struct pt_client {
	/* An entry that is no table: none (unless passed over), leaf, soft, bad (unless `change`).
	 * Optional. */
	pt_visit_fn *entry;
	/* A loop of its own over what is there mostly: entries from at->p on, `count` of which the
	 * range covers whole. Returns how many it has dealt with. Optional. */
	unsigned (*run)(struct pt_walk *w, struct pt_at *at, unsigned count);
	/* Instead of making a shared table exclusive: PT_SKIP if it is dealt with, PT_DONE to go
	 * the usual way. Optional, for clients that change things. */
	pt_visit_fn *shared;
	/* A table, before going down, and after having come back. Optional. */
	pt_visit_fn *enter, *leave;
	bool sparse; /* none entries are passed over, many at a time */
	bool change; /* entries will be changed ... */
	bool whole;  /* ... but none that the range covers in part: do not split */
};

/*
 * Visit w->va up to w->last: from a table on that holds w->va, or from the root. Return 0 or the
 * client's error at once, with w->va where it happened; the second also -ERANGE if the root does
 * not translate the range.
 */
PT_API int pt_walk_table(const struct pt_client *c, struct pt_walk *w, pt_t table);
PT_EXPR(int, pt_walk_range, (const struct pt_client *c, struct pt_walk *w),
	pt_root_covers(w->root, w->va, w->last) ? pt_walk_table(c, w, w->root->top) : -ERANGE)

/* The usual `leave` of clients that remove. Takes an empty table out of the tree. */
PT_API int pt_leave_prune(struct pt_walk *w, struct pt_at *at);

/* Does the rest of the walk cover all of the entry at va? */
PT_EXPR(bool, pt_covers, (const struct pt_walk *w, const struct pt_at *at),
	!(at->va & pt_mask(at->p.level)) && w->last - at->va >= pt_mask(at->p.level))

/* The lowest level of which one table holds [va, last]. */
PT_INLINE unsigned pt_cover_level(va_t va, va_t last)
{
	unsigned bit = 63 - (unsigned)__builtin_clzll((va ^ last) | pt_size(0));

	return (bit - PT_PAGE_SHIFT) / PT_TABLE_BITS;
}

/* Fill a none entry; alone with it, so a store is enough. */
PT_INLINE void pt_at_fill(struct pt_at *at, ptv_t v)
{
	ptp_set(at->p, v);
	at->delta++;
}

/* Replace a live entry by none; returns it with the A/D bits of its last moment. */
PT_INLINE ptv_t pt_at_clear(struct pt_at *at)
{
	at->delta--;
	return ptp_exchange(at->p, ptv_make_none(at->p.level));
}

/*
 * Have a client's run do all of a walk, which `table` holds, without the engine. Returns false if
 * it has not: the range is not made of whole entries of that table, or some are not what the run is
 * for.
 */
PT_INLINE bool pt_run(const struct pt_client *c, struct pt_walk *w, pt_t table)
{
	const unsigned level = table.level, first = pt_index(w->va, level);
	const unsigned more = (w->last - w->va) >> pt_shift(level);
	struct pt_at at = { .va = w->va, .p = pt_entry(table, first) };
	unsigned done;

	if (level > 0 && ((w->va | (w->last + 1)) & pt_mask(level)))
		return false;
	done = c->run(w, &at, more + 1);
	if (at.delta)
		pt_meta_add(pt_meta(table), at.delta, first, first + more);
	return done > more;
}

#endif
