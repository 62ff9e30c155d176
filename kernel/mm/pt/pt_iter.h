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

/*
 * Start before `start`, to stop at `end` (exclusive; 0 means 2^64). -ERANGE if the root does not
 * translate the range, -EINVAL if it is not whole pages; then next says false at once.
 */
static inline int pt_iter_init(struct pt_iter *it, const struct pt_root *root, va_t start, va_t end)
{
	int err = pt_root_check(root, start, end);

	*it = (struct pt_iter){ .root = root,
				.va = start,
				.last = end - 1,
				.done = err,
				.at = start,
				.level = root->top.level };
	it->path[it->level] = root->top;
	it->rights[it->level] = PT_RIGHTS;
	PT_HOST_HOLD(root->top);
	return err;
}

/* Let go of everything. */
static inline void pt_iter_fini(struct pt_iter *it)
{
	for (it->done = true; it->level < it->root->top.level; it->level++)
		PT_HOST_DROP(it->path[it->level]);
	PT_HOST_DROP(it->root->top);
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
	it->va = (it->va & ~pt_mask(it->level)) + ((va_t)count << pt_shift(it->level));
	it->done = it->va - 1 >= it->last;
}

/* Go on to the next entry: of `level`, with the tables down to it made, or live. 1, 0 or -errno. */
PT_API int pt_iter_advance(struct pt_iter *it, struct pt_at *at, bool make, unsigned level);

/*
 * The next entry of the range that is not none and no table: leaf, soft or bad. Returns false when
 * there is none left.
 */
PT_EXPR(bool, pt_iter_next, (struct pt_iter * it, struct pt_at *at),
	pt_iter_advance(it, at, false, 0) > 0)

/*
 * The entry at `level` for the next address of the range, with the tables down to it made where
 * they are missing; a huge leaf or soft entry above `level` is returned as it is.
 *
 * Returns 1, 0 when there is none left, or -ENOMEM (the position is unchanged).
 */
PT_EXPR(int, pt_iter_next_alloc, (struct pt_iter * it, unsigned level, struct pt_at *at),
	pt_iter_advance(it, at, true, level))

#endif
