/*
 * The engine: one loop over the entries of a range, at every level, for every client.
 *
 * A client is a constant struct of inline functions; PT_WALKER makes one function a level of it, in
 * which the level is a constant and the client's functions are inlined. Map, unmap, protect, copy,
 * share, count, dump and free are clients.
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

/* One entry under the walker, and what its table will be booked with. */
struct pt_at {
	va_t va;    /* first address of the range in this entry */
	ptp_t p;
	ptv_t v;    /* as read; not kept up to date */
	int delta;  /* live entries more in this table since the visit began */
};

/* What a client function may answer, besides a negative errno. */
enum pt_answer {
	PT_DONE = 0, /* go on */
	PT_AGAIN,    /* the entry changed: look at it once more */
	PT_SKIP,     /* enter, shared: do not descend */
};

struct pt_client {
	/* An entry that is no table: none (unless `sparse`), leaf, soft, bad (unless `change`). */
	int (*entry)(struct pt_walk *w, struct pt_at *at);
	/* Instead of making a shared table exclusive: PT_SKIP if it is dealt with, PT_DONE to go the
	 * usual way. Optional, for clients that change things. */
	int (*shared)(struct pt_walk *w, struct pt_at *at);
	/* A table, before going down, and after having come back. Optional. */
	int (*enter)(struct pt_walk *w, struct pt_at *at);
	int (*leave)(struct pt_walk *w, struct pt_at *at);
	bool sparse; /* none entries are passed over, many at a time */
	bool change; /* entries will be changed */
};

/* Does the rest of the walk cover all of the entry at va? */
PT_INLINE bool pt_covers(const struct pt_walk *w, const struct pt_at *at)
{
	return !(at->va & pt_mask(at->p.level)) && w->last - at->va >= pt_mask(at->p.level);
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

/* Take an empty table out of the tree. The entry above is none afterwards. */
PT_INLINE void pt_at_prune(struct pt_walk *w, struct pt_at *at)
{
	if (at->p.level < w->root->keep_level)
		pt_release(w->root->owner, ptv_to_table(pt_at_clear(at)), w->batch);
}

/* Does the table entry v lead to a table without a live entry? */
PT_INLINE bool pt_table_empty(ptv_t v)
{
	return __atomic_load_n(&pt_meta(ptv_to_table(v))->live, __ATOMIC_RELAXED) == 0;
}

/* For clients that remove: the usual `leave`. */
PT_INLINE int pt_leave_prune(struct pt_walk *w, struct pt_at *at)
{
	if (pt_table_empty(at->v))
		pt_at_prune(w, at);
	return PT_DONE;
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
	enum pt_kind kind = ptv_kind(at->v);
	int r;

	if (level > 0 && kind == PT_TABLE) {
		if (c->change && PT_HOST_SHARED(at->v) && (r = pt_visit_shared(w, at, c)))
			return r == PT_SKIP ? PT_DONE : r;
		if (c->enter && (r = c->enter(w, at)))
			return r == PT_SKIP ? PT_DONE : r;
		w->va = at->va;
		if ((r = below(w, ptv_to_table(at->v))))
			return at->va = w->va, r;
		return c->leave ? c->leave(w, at) : PT_DONE;
	}
	if (kind == PT_BAD && c->change) {
		at->delta--;
		ptp_set(at->p, ptv_make_none(level));
		PT_HOST_REPORT_BAD(at->p, at->va, at->v);
		return PT_AGAIN;
	}
	if (level > 0 && c->change && kind == PT_LEAF && !pt_covers(w, at)) {
		r = pt_split(w->root, at->p);
		return r && r != -EAGAIN ? r : PT_AGAIN;
	}
	return c->entry(w, at);
}

/* Visit the entries of one table, from w->va on, up to w->last or the table's end. */
PT_INLINE int pt_visit(struct pt_walk *w, pt_t table, const unsigned level,
		       const struct pt_client *c, int (*below)(struct pt_walk *, pt_t))
{
	const unsigned first = pt_index(w->va, level);
	const bool beyond = (w->va ^ w->last) >> (pt_shift(level) + PT_TABLE_BITS - 1) >> 1;
	const unsigned stop = beyond ? PT_ENTRY_COUNT - 1 : pt_index(w->last, level);
	unsigned index = first;
	struct pt_at at = { .va = w->va, .p = pt_entry((pt_t){ table.pa, level }, first) };
	int r = PT_DONE;

	for (;;) {
		at.v = ptp_get(at.p);
		if (c->sparse && ptv_none(at.v)) {
			unsigned next = pt_next_live(table, index + 1, stop);

			if (next > stop)
				break;
			at.p = pt_entry(table, next);
			at.va = (at.va & ~pt_mask(level)) + ((uint64_t)(next - index) << pt_shift(level));
			index = next;
			continue;
		}
		r = pt_visit_entry(w, &at, c, below);
		if (r == PT_AGAIN)
			continue;
		if (r < 0 || index == stop)
			break;
		index++;
		at.p = ptp_next(at.p);
		at.va = (at.va | pt_mask(level)) + 1;
	}
	w->va = at.va;
	if (at.delta)
		pt_meta_add(pt_meta(table), at.delta, first, index);
	return r < 0 ? r : PT_DONE;
}

/*
 * Define `int name(T *walk)`: visit walk->walk.va up to walk->walk.last from the root with `client`.
 * T embeds struct pt_walk as its first member `walk`. The level-0 body works on a copy of the
 * state that the compiler can keep in registers.
 *
 * Returns 0, -ERANGE if the root does not translate the range, or the client's error at once.
 */
#define PT_WALKER(name, T, client)                                                            \
	static int name##_0(struct pt_walk *w, pt_t table)                                     \
	{                                                                                      \
		T copy = *(T *)w;                                                              \
		int r = pt_visit(&copy.walk, table, 0, &(client), NULL);                       \
		*(T *)w = copy;                                                                \
		return r;                                                                      \
	}                                                                                      \
	PT_WALKER_LEVEL(name, client, 1, 0)                                                    \
	PT_WALKER_LEVEL(name, client, 2, 1)                                                    \
	PT_WALKER_LEVEL(name, client, 3, 2)                                                    \
	PT_WALKER_LEVEL(name, client, 4, 3)                                                    \
	PT_WALKER_LEVEL(name, client, 5, 4)                                                    \
	__attribute__((unused)) static int name##_from(T *state, pt_t table)                   \
	{                                                                                      \
		static int (*const body[])(struct pt_walk *, pt_t) = {                         \
			name##_0, name##_1, name##_2, name##_3, name##_4, name##_5             \
		};                                                                             \
		return body[table.level](&state->walk, table);                                 \
	}                                                                                      \
	__attribute__((unused)) static int name(T *state)                                      \
	{                                                                                      \
		const struct pt_walk *w = &state->walk;                                        \
		if (!pt_root_covers(w->root, w->va, w->last))                                  \
			return -ERANGE;                                                        \
		return name##_from(state, w->root->top);                                       \
	}

/* Levels that the format does not have get a body that cannot be reached. */
#define PT_WALKER_LEVEL(name, client, level, lower)                                           \
	static int name##_##level(struct pt_walk *w, pt_t table)                               \
	{                                                                                      \
		if (level >= PT_LEVEL_COUNT)                                                   \
			return -ERANGE;                                                        \
		return pt_visit(w, table, level < PT_LEVEL_COUNT ? level : 0, &(client),       \
				name##_##lower);                                               \
	}

#endif
