/*
 * The engine: one loop over the entries of a range, at every level, for every client.
 *
 * A client is a constant struct of inline functions; PT_WALKER makes one function of it, with the
 * client's functions inlined: once for level 0, which is a constant there, and once for the others.
 * Map, unmap, protect, copy, share and free are clients.
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

struct pt_client {
	/* An entry that is no table: none (unless passed over), leaf, soft, bad (unless `change`).
	 * */
	int (*entry)(struct pt_walk *w, struct pt_at *at);
	/* Instead of making a shared table exclusive: PT_SKIP if it is dealt with, PT_DONE to go
	 * the usual way. Optional, for clients that change things. */
	int (*shared)(struct pt_walk *w, struct pt_at *at);
	/* A table, before going down, and after having come back. Optional. */
	int (*enter)(struct pt_walk *w, struct pt_at *at);
	int (*leave)(struct pt_walk *w, struct pt_at *at);
	bool sparse; /* none entries are passed over, many at a time */
	bool blind;  /* all entries of level 0 are known to be none: `entry` gets them unread */
	bool change; /* entries will be changed ... */
	bool whole;  /* ... but none that the range covers in part: do not split */
	bool pure;   /* `entry` leaves the state as it is */
};

/* Does the rest of the walk cover all of the entry at va? */
PT_EXPR(bool, pt_covers, (const struct pt_walk *w, const struct pt_at *at),
	!(at->va & pt_mask(at->p.level)) && w->last - at->va >= pt_mask(at->p.level))

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

/* For clients that remove: the usual `leave`. Takes an empty table out of the tree. */
PT_INLINE int pt_leave_prune(struct pt_walk *w, struct pt_at *at)
{
	pt_t table = ptv_to_table(at->v);

	if (pt_is_empty(table) && table.level < w->root->keep_level) {
		pt_at_clear(at);
		pt_release(w->root->owner, table, w->batch);
	}
	return PT_DONE;
}

/*
 * The short way to the table of level 0 that holds all of a small range. A higher one if there is
 * no such table, it might be in the way of a huge leaf, or something above it is shared.
 */
PT_INLINE pt_t pt_bottom(const struct pt_root *root, va_t va, va_t last)
{
	struct pt_at s = { .table = root->top };

	if ((va ^ last) >> pt_shift(1) || last - va == pt_mask(1))
		return s.table;
	s = pt_descend(root, va, 1, true);
	return ptv_is_table(s.v) && !PT_HOST_SHARED(s.v) ? ptv_to_table(s.v) : s.table;
}

/* The table under the walker is shared, and things below it are about to change. */
PT_INLINE int pt_visit_shared(struct pt_walk *w, struct pt_at *at, const struct pt_client *c)
{
	int r = c->shared ? c->shared(w, at) : PT_DONE;

	if (!r)
		r = PT_HOST_EXCLUSIVE(w->root, at->p);
	at->v = ptp_get(at->p);
	return r;
}

PT_INLINE int pt_visit_entry(struct pt_walk *w, struct pt_at *at, const struct pt_client *c,
			     int (*below)(struct pt_walk *, pt_t))
{
	const unsigned level = at->p.level;
	int r;

	if (level > 0 && ptv_is_table(at->v)) {
		if (c->change && PT_HOST_SHARED(at->v) && (r = pt_visit_shared(w, at, c)))
			return r == PT_SKIP ? PT_DONE : r;
		if (c->enter && (r = c->enter(w, at)))
			return r == PT_SKIP ? PT_DONE : r;
		w->va = at->va;
		if ((r = below(w, ptv_to_table(at->v))))
			return at->va = w->va, r;
		return c->leave ? c->leave(w, at) : PT_DONE;
	}
	if (c->change && ptv_is_bad(at->v)) {
		ptp_clear_bad(at->p, at->va);
		at->delta = 0; /* all counted anew */
		return PT_AGAIN;
	}
	if (level > 0 && c->change && !c->whole && !ptv_none(at->v) && !pt_covers(w, at)) {
		r = pt_split(w->root, at->p, at->v);
		return r ? r : PT_AGAIN;
	}
	return c->entry(w, at);
}

/* Visit the entry for w->va in a table of level 0, and no other. */
PT_INLINE int pt_visit_one(struct pt_walk *w, pt_t table, const struct pt_client *c)
{
	const unsigned index = pt_index(w->va, 0);
	struct pt_at at = { .va = w->va, .p = pt_entry((pt_t){ table.pa, 0 }, index) };
	int r;

	at.v = c->blind ? ptv_make_none(0) : ptp_get(at.p);
	if (c->sparse && ptv_none(at.v))
		return PT_DONE;
	r = pt_visit_entry(w, &at, c, NULL);
	if (at.delta)
		pt_meta_add(pt_meta(table), at.delta, index, index);
	return r;
}

/* Visit the entries of one table from w->va on, up to w->last or the table's end. */
PT_INLINE int pt_visit(struct pt_walk *w, pt_t table, const unsigned level,
		       const struct pt_client *c, int (*below)(struct pt_walk *, pt_t))
{
	const bool sparse = c->sparse, blind = c->blind && level == 0;
	const va_t start = w->va, end = start | pt_mask(level + 1);
	const unsigned first = pt_index(start, level);
	const unsigned stop = pt_index(end < w->last ? end : w->last, level);
	struct pt_at at = { .delta = 0 };
	size_t index = first;
	int r = PT_DONE;

	table.level = level;
	while (index <= stop) {
		at.p = pt_entry(table, index);
		at.va = (start & ~pt_mask(level)) + ((va_t)(index - first) << pt_shift(level));
		if (level > 0 && index == first)
			at.va = start;
		at.v = blind ? ptv_make_none(level) : ptp_get(at.p);
		/* The most frequent kind is asked for first. */
		if (sparse && (level > 0 || !ptv_is_leaf(at.v)) && ptv_none(at.v)) {
			index++;
			if (!(index & PT_GROUP_MASK))
				index = pt_skip(table, index);
			continue;
		}
		r = pt_visit_entry(w, &at, c, below);
		if (r < 0)
			break;
		if (r != PT_AGAIN)
			index++;
	}
	if (r < 0)
		w->va = at.va;
	if (at.delta)
		pt_meta_add(pt_meta(table), at.delta, first, index < stop ? index : stop);
	return r < 0 ? r : PT_DONE;
}

/*
 * Define for a client whose state T embeds struct pt_walk as its first member `walk`
 *
 *   int name(T *state)                    visit walk.va up to walk.last from the root.
 *   int name_from(T *state, pt_t table)   the same from a table on that holds walk.va
 *   int name_bottom(T state, pt_t table)  the same from a table of level 0, inlined
 *
 * All return 0 or the client's error at once, with walk.va where it happened; the first also
 * -ERANGE if the root does not translate the range; the last PT_AGAIN if it has to be repeated.
 * Level 0 works on a copy of the state that the compiler can keep in registers.
 */
#define PT_WALKER(name, T, client)                                                            \
	static int name##_below(struct pt_walk *w, pt_t table)                                \
	{                                                                                     \
		if (table.level == 0) {                                                       \
			T copy = *(T *)w;                                                     \
			int r = pt_visit(&copy.walk, table, 0, &(client), NULL);              \
			if ((client).pure)                                                    \
				w->va = copy.walk.va;                                         \
			else                                                                  \
				*(T *)w = copy;                                               \
			return r;                                                             \
		}                                                                             \
		return pt_visit(w, table, table.level, &(client), name##_below);              \
	}                                                                                     \
	PT_EXPR(int, name##_from, (T * state, pt_t table), name##_below(&state->walk, table)) \
	PT_EXPR(int, name##_bottom, (T state, pt_t table),                                    \
		state.walk.last - state.walk.va == pt_mask(0)                                 \
			? pt_visit_one(&state.walk, table, &(client))                         \
			: pt_visit(&state.walk, table, 0, &(client), NULL))                   \
	PT_EXPR(int, name, (T * state),                                                       \
		pt_root_covers(state->walk.root, state->walk.va, state->walk.last)            \
			? name##_from(state, state->walk.root->top)                           \
			: -ERANGE)

#endif
