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
	va_t va; /* first address of the range in this entry */
	ptp_t p;
	ptv_t v;   /* as read; not kept up to date */
	int delta; /* live entries more in this table since the visit began */
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
	bool makes;  /* none entries are passed over at level 0 only: above, `entry` makes tables */
	bool blind;  /* all entries of level 0 are known to be none: `entry` gets them unread */
	bool change; /* entries will be changed ... */
	bool whole;  /* ... but none that the range covers in part: do not split */
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
	if (at->p.level <= w->root->keep_level) /* of the entry: the table's is one less */
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

/*
 * The entry to start from for a range: that of the lowest table which holds all of it, unless the
 * range is one whole entry of the table above. So a small range costs one walk down, not one a
 * pass. Without tables on the way, the entry where they end.
 */
PT_INLINE ptp_t pt_cover(const struct pt_root *root, va_t va, va_t last, bool change)
{
	const uint64_t inside = va ^ last;
	unsigned level = 0;
	ptv_t v;

	if (!(inside >> pt_shift(1)) && last - va != pt_mask(1)) /* the level is a constant here */
		return pt_descend(root, va, 0, change, &v, NULL);
	while (++level < root->top.level &&
	       (inside >> pt_shift(level + 1) || last - va == pt_mask(level + 1)))
		;
	return pt_descend(root, va, level, change, &v, NULL);
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
			     int (*below)(struct pt_walk *, ptp_t))
{
	const unsigned level = at->p.level;
	int r;

	if (level > 0 && ptv_is_table(at->v)) {
		if (c->change && PT_HOST_SHARED(at->v) && (r = pt_visit_shared(w, at, c)))
			return r == PT_SKIP ? PT_DONE : r;
		if (c->enter && (r = c->enter(w, at)))
			return r == PT_SKIP ? PT_DONE : r;
		w->va = at->va;
		if ((r = below(w, pt_walk(at->v, at->va))))
			return at->va = w->va, r;
		return c->leave ? c->leave(w, at) : PT_DONE;
	}
	if (c->change && ptv_is_bad(at->v)) {
		ptp_clear_bad(at->p, at->va);
		at->delta = 0; /* all counted anew */
		return PT_AGAIN;
	}
	if (level > 0 && c->change && !c->whole && !ptv_none(at->v) && !pt_covers(w, at)) {
		r = pt_split(w->root, at->p);
		return r && r != -EAGAIN ? r : PT_AGAIN;
	}
	return c->entry(w, at);
}

/* Visit the entries of one table from p on, which holds w->va, up to w->last or the table's end. */
PT_INLINE int pt_visit(struct pt_walk *w, ptp_t p, const unsigned level, const struct pt_client *c,
		       int (*below)(struct pt_walk *, ptp_t))
{
	const bool sparse = c->sparse || (c->makes && level == 0), blind = c->blind && level == 0;
	const uint64_t summary = sparse ? __atomic_load_n(&ptp_meta(p)->summary, __ATOMIC_RELAXED)
					: 0;
	const unsigned first = ptp_index(p);
	const uint64_t more = (w->last >> pt_shift(level)) - (w->va >> pt_shift(level));
	const unsigned stop = more < PT_ENTRY_COUNT - first ? first + (unsigned)more
							    : PT_ENTRY_COUNT - 1;
	const va_t start = w->va, base = start & ~pt_mask(level);
	unsigned index = sparse ? pt_skip(summary, first) : first;
	struct pt_at at = { .delta = 0 };
	int r = PT_DONE;

	while (index <= stop) {
		at.p = ptp_step(p, (int)(index - first));
		at.p.level = level;
		at.va = level == 0 || index > first
				? base + ((va_t)(index - first) << pt_shift(level))
				: start;
		at.v = blind ? ptv_make_none(level) : ptp_get(at.p);
		if (!sparse || !ptv_none(at.v)) {
			r = pt_visit_entry(w, &at, c, below);
			if (r == PT_AGAIN)
				continue;
			if (r < 0)
				break;
		}
		if (!(++index & ((1u << PT_GROUP_SHIFT) - 1)) && sparse)
			index = pt_skip(summary, index);
	}
	if (r < 0)
		w->va = at.va;
	if (at.delta)
		pt_meta_add(ptp_meta(p), at.delta, first, index < stop ? index : stop);
	return r < 0 ? r : PT_DONE;
}

/*
 * Define for a client whose state T embeds struct pt_walk as its first member `walk`
 *
 *   int name(T *state)                visit walk.va up to walk.last from the root.
 *   int name_from(T *state, ptp_t p)  the same from p on, an entry on the way to walk.va that
 *                                     pt_cover gave.
 *
 * Both return 0, -ERANGE if the root does not translate the range, or the client's error at once,
 * with walk.va where it happened. Level 0 works on a copy of the state that the compiler can keep
 * in registers.
 */
#define PT_WALKER(name, T, client)                                           \
	static int name##_below(struct pt_walk *w, ptp_t p)                  \
	{                                                                    \
		switch (p.level) {                                           \
		case 0: {                                                    \
			T copy = *(T *)w;                                    \
			int r = pt_visit(&copy.walk, p, 0, &(client), NULL); \
			*(T *)w = copy;                                      \
			return r;                                            \
		}                                                            \
			PT_WALKER_LEVEL(name, client, 1)                     \
			PT_WALKER_LEVEL(name, client, 2)                     \
			PT_WALKER_LEVEL(name, client, 3)                     \
			PT_WALKER_LEVEL(name, client, 4)                     \
			PT_WALKER_LEVEL(name, client, 5)                     \
		}                                                            \
		return -ERANGE;                                              \
	}                                                                    \
	PT_INLINE int name##_from(T *state, ptp_t p)                         \
	{                                                                    \
		if (p.level == 0) {                                          \
			T copy = *state;                                     \
			int r = pt_visit(&copy.walk, p, 0, &(client), NULL); \
			*state = copy;                                       \
			return r;                                            \
		}                                                            \
		return name##_below(&state->walk, p);                        \
	}                                                                    \
	PT_WALKER_ENTRY(name, T)

/* The same, smaller and slower: one body for all levels. */
#define PT_WALKER_SMALL(name, T, client)                                 \
	static int name##_below(struct pt_walk *w, ptp_t p)              \
	{                                                                \
		return pt_visit(w, p, p.level, &(client), name##_below); \
	}                                                                \
	PT_WALKER_ENTRY(name, T)

#define PT_WALKER_ENTRY(name, T)                                         \
	__attribute__((unused)) static int name(T *state)                \
	{                                                                \
		struct pt_walk *w = &state->walk;                        \
		return pt_root_covers(w->root, w->va, w->last)           \
			       ? name##_below(w, pt_top(w->root, w->va)) \
			       : -ERANGE;                                \
	}

#define PT_WALKER_LEVEL(name, client, level)                                   \
	case level:                                                            \
		if (level < PT_LEVEL_COUNT)                                    \
			return pt_visit(w, p, level, &(client), name##_below); \
		break;

#endif
