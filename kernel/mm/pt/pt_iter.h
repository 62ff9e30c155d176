/*
 * The iterator: a position in a tree that the caller moves, for loops that a callback would turn
 * inside out (two trees walked together, a driver's own loop).
 *
 *   struct pt_iter it;
 *   pt_iter_init(&it, root, start, end);
 *   while (pt_iter_next(&it, &at))      // the next entry that is not none, wherever it is
 *           use(at.va, at.p, at.v);
 *   pt_iter_fini(&it);
 *
 * It remembers one table a level, the path to where it is, so going on costs a step in the same
 * table, not a walk from the root; an empty or sparse table is crossed by its summary. Each table
 * on the path is held against reuse by PT_HOST_HOLD / PT_HOST_DROP, at most one a level: moving
 * on drops the old table and takes the new one inside the next call; fini drops the path. So the
 * entry that a call returned is still an entry for the same address, readable and writable, until
 * the next call, whatever others remove meanwhile. A table that was taken out of the tree under
 * the iterator (PT_HOST_DEAD) is left at the next call, which goes on in the tree as it is then.
 *
 * Locking: calls may run beside readers; beside others that remove tables only if the host's lock
 * is held during the call (not between calls).
 */
#ifndef PT_ITER_H
#define PT_ITER_H

#include "pt.h"

#ifndef PT_HOST_HOLD /* (pt_t table): keep it from being reused until PT_HOST_DROP */
#define PT_HOST_HOLD(table) ((void)(table))
#define PT_HOST_DROP(table) ((void)(table))
#endif
#ifndef PT_HOST_DEAD /* (pt_t table): is it out of the tree? */
#define PT_HOST_DEAD(table) ((void)(table), false)
#endif

/* Start before `start`, to stop at `end` (exclusive; 0 means 2^64). -ERANGE if the root does not
 * translate the range; then next says false at once. */
static inline int pt_iter_init(struct pt_iter *it, const struct pt_root *root, va_t start, va_t end)
{
	bool covered = pt_root_covers(root, start, end - 1);

	*it = (struct pt_iter){ .root = root,
				.va = start,
				.last = end - 1,
				.done = !covered,
				.at = start,
				.level = root->top.level };
	it->path[it->level] = root->top;
	it->rights[it->level] = PT_RIGHTS;
	PT_HOST_HOLD(root->top);
	return covered ? 0 : -ERANGE;
}

/* Leave the tables below `level` behind. */
static inline void pt_iter_rise(struct pt_iter *it, unsigned level)
{
	for (; it->level < level; it->level++)
		PT_HOST_DROP(it->path[it->level]);
}

/* Let go of everything. */
static inline void pt_iter_fini(struct pt_iter *it)
{
	pt_iter_rise(it, it->root->top.level);
	PT_HOST_DROP(it->root->top);
	it->done = true;
}

/* Go on at va, which may lie before or behind where the iterator is; behind the range there is
 * nothing. */
static inline void pt_iter_seek(struct pt_iter *it, va_t va)
{
	it->done = !pt_root_covers(it->root, va, it->last);
	it->va = va;
}

/* Go on to the entry `count` entries ahead. The path follows at the next call. */
static inline void pt_iter_step(struct pt_iter *it, unsigned count)
{
	va_t next = (it->va & ~pt_mask(it->level)) + ((va_t)count << pt_shift(it->level));

	it->done = next - 1 >= it->last;
	it->va = next;
}

/* Rise to the lowest table of the path that leads to it->va and is still in the tree, and not
 * below `level`. */
static inline void pt_iter_move(struct pt_iter *it, unsigned level)
{
	while (it->level < it->root->top.level &&
	       (it->level < level || (it->va ^ it->at) >> pt_shift(it->level + 1) ||
		PT_HOST_DEAD(it->path[it->level])))
		pt_iter_rise(it, it->level + 1);
	it->at = it->va;
}

/* The entry at it->va in the lowest table of the path. */
static inline void pt_iter_look(const struct pt_iter *it, struct pt_iter_at *at)
{
	at->va = it->va;
	at->p = pt_entry(it->path[it->level], pt_index(it->va, it->level));
	at->v = ptp_get(at->p);
	at->rights = it->rights[it->level];
}

/* Move down into the table of `v`. */
static inline void pt_iter_descend(struct pt_iter *it, ptv_t v)
{
	pt_t table = ptv_to_table(v);

	PT_HOST_HOLD(table);
	it->rights[table.level] = it->rights[v.level] & ptv_attr(v);
	it->path[table.level] = table;
	it->level = table.level;
	it->at = it->va;
}

/*
 * The next entry of the range that is not none and no table: leaf, soft or bad.
 * Returns false when there is none left.
 */
static inline bool pt_iter_next(struct pt_iter *it, struct pt_iter_at *at)
{
	while (!it->done) {
		unsigned index, live;

		pt_iter_move(it, 0);
		index = pt_index(it->va, it->level);
		live = pt_next_live(it->path[it->level], index);
		if (live != index)
			pt_iter_step(it, live - index);
		if (it->done || live == PT_ENTRY_COUNT)
			continue;
		pt_iter_look(it, at);
		if (ptv_is_table(at->v)) {
			pt_iter_descend(it, at->v);
			continue;
		}
		pt_iter_step(it, 1);
		if (!ptv_none(at->v))
			return true;
	}
	return false;
}

/*
 * The entry at `level` for the next address of the range, with the tables down to it made where
 * they are missing; a huge leaf or soft entry above `level` is returned as it is.
 *
 * Returns 1, 0 when there is none left, or -ENOMEM (the position is unchanged).
 */
static inline int pt_iter_next_alloc(struct pt_iter *it, unsigned level, struct pt_iter_at *at)
{
	int err = 0;

	if (!it->done)
		pt_iter_move(it, level);
	while (!it->done && !err) {
		pt_iter_look(it, at);
		if (it->level > level && ptv_is_table(at->v)) {
			err = PT_HOST_SHARED(at->v) ? PT_HOST_EXCLUSIVE(it->root, at->p) : 0;
			if (!err)
				pt_iter_descend(it, ptp_get(at->p));
		} else if (it->level > level && ptp_none_or_clear_bad(at->p, at->va)) {
			err = pt_populate(it->root, at->p);
		} else {
			pt_iter_step(it, 1);
			return 1;
		}
	}
	return err;
}

#endif
