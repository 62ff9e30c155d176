/*
 * The walker: a position in a tree that the caller moves. Map, unmap, protect, copy, share, mirror,
 * count, dump and free are loops over it:
 *
 *   struct pt_iter it;
 *   pt_iter_init(&it, root, start, end);
 *   while (pt_iter_next(&it, &at))      // the next entry that is not none, wherever it is
 *           use(at.va, at.p, at.v);
 *   err = pt_iter_fini(&it);
 *
 * It remembers one table a level, the path to where it is, so going on costs a step in the same
 * table, not a walk from the root; an empty or sparse table is crossed by its summary. What makes
 * many entries cheap is a loop of the caller's own over those that are alike (pt_iter_room).
 *
 * Each table on the path is held against reuse by PT_HOST_HOLD / PT_HOST_DROP, at most one a level:
 * moving on drops the old table and takes the new one inside the next call; fini drops the path. So
 * the entry that a call returned is still an entry for the same address, readable and writable,
 * until the next call, whatever others remove meanwhile. A table that was taken out of the tree
 * under the iterator (PT_HOST_DEAD) is left at the next call, which goes on in the tree as it is
 * then. A bad entry is never walked.
 *
 * Locking: calls may run beside readers; beside others that remove tables only if the host's lock
 * is held during the call (not between calls).
 */
#pragma once

#include "pt.h"

/* What an iterator does on its way besides moving; set between init and the first call. */
enum pt_iter_flags {
	/* Entries will be changed. So that nobody can forget it: a bad entry is reported and
	 * cleared; a leaf or soft entry that the range covers in part is split; a shared table is
	 * made exclusive before anything below it is visited, unless with PT_TABLES. */
	PT_CHANGE = 1,
	/* Tables are visited, too: pt_iter_enter goes down, or else it goes on behind. */
	PT_TABLES = 2,
};

/*
 * Start before `start`, to stop at `end` (exclusive; 0 means 2^64). -ERANGE if the root does not
 * translate the range, -EINVAL if it is not whole pages; then next says false at once.
 */
static inline int pt_iter_init(struct pt_iter *it, const struct pt_root *root, va_t start, va_t end)
{
	it->root = root;
	it->batch = NULL;
	it->va = it->at = start;
	it->last = end - 1;
	it->flags = it->prune_level = 0;
	it->level = root->top.level;
	it->path[it->level] = root->top;
	it->rights[it->level] = PT_RIGHTS;
	PT_HOST_HOLD(root->top);
	it->done = (it->err = pt_root_check(root, start, end)) != 0;
	return it->err;
}

/* Let go of everything. Returns what the last call has failed with, or the caller has put into
 * it->err; 0 if nothing. */
PT_API int pt_iter_fini(struct pt_iter *it);

/* Go on at va, which may lie before or behind where the iterator is; behind the range there is
 * nothing. */
static inline void pt_iter_seek(struct pt_iter *it, va_t va)
{
	it->done = !pt_root_covers(it->root, va, it->last);
	it->va = va;
}

/* Go on `count` entries behind the next one. The path follows at the next call. */
static inline void pt_iter_step(struct pt_iter *it, unsigned count)
{
	it->va = (it->va & ~pt_mask(it->level)) + ((va_t)count << pt_shift(it->level));
	it->done = it->va - 1 >= it->last;
}

/* How many entries behind the one last returned are in the same table, and whole in the range. */
PT_INLINE unsigned pt_iter_room(const struct pt_iter *it)
{
	unsigned behind = PT_ENTRY_COUNT - 1 - pt_index(it->at, it->level);
	uint64_t whole = it->done ? 0 : (it->last - it->va + 1) >> pt_shift(it->level);

	return whole < behind ? (unsigned)whole : behind;
}

/* Does the range cover all of the entry? */
PT_EXPR(bool, pt_iter_covers, (const struct pt_iter *it, const struct pt_at *at),
	!(at->va & pt_mask(at->p.level)) && it->last - at->va >= pt_mask(at->p.level))

/* Go down into the table that was returned last: its entries come next. */
PT_API void pt_iter_enter(struct pt_iter *it, const struct pt_at *at);

/* The next entry: with make >= 0 any at that level, or live. 1, 0 or -errno. */
PT_API int pt_iter_advance(struct pt_iter *it, struct pt_at *at, int make);

/*
 * The next entry of the range that is not none and no table (but see PT_TABLES): leaf, soft or bad.
 * Returns false when there is none left, or PT_CHANGE found no memory: it->err, and it->va has not
 * been done.
 */
PT_EXPR(bool, pt_iter_next, (struct pt_iter * it, struct pt_at *at),
	pt_iter_advance(it, at, -1) > 0)

/*
 * The entry at `level` for the next address of the range, with the tables down to it made where
 * they are missing, and exclusive; a huge leaf or soft entry above `level` is returned as it is.
 *
 * Returns 1, 0 when there is none left, or -ENOMEM (the position is unchanged).
 */
PT_EXPR(int, pt_iter_next_alloc, (struct pt_iter * it, unsigned level, struct pt_at *at),
	pt_iter_advance(it, at, (int)level))
