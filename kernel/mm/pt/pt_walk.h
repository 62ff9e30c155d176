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
	 * Optional. */
	int (*entry)(struct pt_walk *w, struct pt_at *at);
	/* A loop of its own over what is there mostly: entries from at->p on, `count` of which the
	 * range covers whole. Returns how many it has dealt with. Optional. */
	unsigned (*run)(struct pt_walk *w, struct pt_at *at, unsigned count);
	/* Instead of making a shared table exclusive: PT_SKIP if it is dealt with, PT_DONE to go
	 * the usual way. Optional, for clients that change things. */
	int (*shared)(struct pt_walk *w, struct pt_at *at);
	/* A table, before going down, and after having come back. Optional. */
	int (*enter)(struct pt_walk *w, struct pt_at *at);
	int (*leave)(struct pt_walk *w, struct pt_at *at);
	bool sparse; /* none entries are passed over, many at a time */
	bool change; /* entries will be changed ... */
	bool whole;  /* ... but none that the range covers in part: do not split */
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

/* The level at which a range lies in one table without covering it whole. */
PT_INLINE unsigned pt_cover_level(const struct pt_root *root, va_t va, va_t last)
{
	unsigned level = 0;

	while (level < root->top.level && (va ^ last) >> pt_shift(level + 1))
		level++;
	return level + (level < root->top.level && last - va == pt_mask(level + 1));
}

/* The table of that level; or the last one on the way there, if there is none, or one below is
 * shared. */
PT_SLOW pt_t pt_cover(const struct pt_root *root, va_t va, va_t last)
{
	return pt_descend(root, va, pt_cover_level(root, va, last), true).table;
}

/* From *table on, which pt_cover gave, make those that are missing. 0 or -ENOMEM, then with *table
 * where it stopped. */
PT_SLOW int pt_cover_make(const struct pt_root *root, va_t va, va_t last, pt_t *table)
{
	const unsigned level = pt_cover_level(root, va, last);

	while (table->level > level) {
		ptp_t p = pt_entry(*table, pt_index(va, table->level));
		int err = ptv_none(ptp_get(p)) ? pt_populate(root, p) : 0;
		ptv_t v = ptp_get(p);

		if (err || !ptv_is_table(v) || PT_HOST_SHARED(v))
			return err; /* something else is in the way: for the walk to see to */
		*table = ptv_to_table(v);
	}
	return 0;
}

/*
 * Have a client's run do all of a walk, which `table` holds; at level 0 that is a constant in it.
 * Returns false if it has not: the range is not made of whole entries of that table, or some are
 * not what the run is for.
 */
PT_INLINE bool pt_run(const struct pt_client *c, struct pt_walk *w, pt_t table)
{
	const unsigned level = table.level, first = pt_index(w->va, level);
	const unsigned more = (w->last - w->va) >> pt_shift(level);
	struct pt_at at = { .va = w->va, .p = pt_entry(table, first) };
	unsigned done;

	if (level == 0) {
		at.p.level = 0;
		done = c->run(w, &at, more + 1);
	} else if ((w->va | (w->last + 1)) & pt_mask(level)) {
		return false;
	} else {
		done = c->run(w, &at, more + 1);
	}
	if (at.delta)
		pt_meta_add(pt_meta(table), at.delta, first, first + more);
	return done > more;
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
	return c->entry ? c->entry(w, at) : PT_DONE;
}

/* Visit the entries of one table from w->va on, up to w->last or the table's end. */
PT_INLINE int pt_visit(struct pt_walk *w, pt_t table, const unsigned level,
		       const struct pt_client *c, int (*below)(struct pt_walk *, pt_t))
{
	const va_t start = w->va, end = start | pt_mask(level + 1);
	const unsigned first = pt_index(start, level);
	const unsigned stop = pt_index(end < w->last ? end : w->last, level);
	/* Behind the last entry that is covered whole. */
	const unsigned whole = stop + (end <= w->last || !(~w->last & pt_mask(level)));
	size_t index = first, run;
	int r = PT_DONE;
	struct pt_at at;

	at.va = start;
	at.delta = 0;
	table.level = level;
	while (index <= stop) {
		at.p = pt_entry(table, index);
		at.va = (start & ~pt_mask(level)) + ((va_t)(index - first) << pt_shift(level));
		if (level > 0 && index == first)
			at.va = start;
		if (c->run && index < whole && !(at.va & pt_mask(level)) &&
		    (run = c->run(w, &at, (unsigned)(whole - index)))) {
			index += run;
			continue;
		}
		at.v = ptp_get(at.p);
		/* The most frequent kind is asked for first. */
		if (c->sparse && (level > 0 || !ptv_is_leaf(at.v)) && ptv_none(at.v)) {
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
 *
 * Both return 0 or the client's error at once, with walk.va where it happened; the first also
 * -ERANGE if the root does not translate the range. Level 0 works on a copy of the state that the
 * compiler can keep in registers.
 */
#define PT_WALKER(name, T, client)                                                            \
	static int name##_below(struct pt_walk *w, pt_t table)                                \
	{                                                                                     \
		if (table.level == 0) {                                                       \
			T copy = *(T *)w;                                                     \
			int r = pt_visit(&copy.walk, table, 0, &(client), NULL);              \
			*(T *)w = copy;                                                       \
			return r;                                                             \
		}                                                                             \
		return pt_visit(w, table, table.level, &(client), name##_below);              \
	}                                                                                     \
	PT_EXPR(int, name##_from, (T * state, pt_t table), name##_below(&state->walk, table)) \
	PT_EXPR(int, name, (T * state),                                                       \
		pt_root_covers(state->walk.root, state->walk.va, state->walk.last)            \
			? name##_from(state, state->walk.root->top)                           \
			: -ERANGE)

#endif
