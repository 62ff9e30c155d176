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
 * It remembers one table a level (the path to where it is), so going on costs a step in the same
 * table, not a walk from the root; a sparse table is crossed by its summary. Each table on the path is
 * held against being freed by PT_HOST_HOLD / PT_HOST_DROP, at most one a level: moving on drops the
 * old table and takes the new one inside next; fini drops the path.
 *
 * Locking: readers may run beside anything (see pt.h). The entry returned stays valid until the
 * next call only if the host's hold says so.
 */
#ifndef PT_ITER_H
#define PT_ITER_H

#include "pt.h"

#ifndef PT_HOST_HOLD /* (pt_t table): keep it from being freed until PT_HOST_DROP */
#define PT_HOST_HOLD(table) ((void)(table))
#define PT_HOST_DROP(table) ((void)(table))
#endif

struct pt_iter {
	const struct pt_root *root;
	va_t va, last;            /* still to visit, inclusive */
	bool done;                /* va has passed last */
	unsigned level;           /* of the lowest table on the path */
	pt_t path[PT_LEVEL_MAX];  /* by level; valid from `level` to the top */
};

struct pt_iter_at {
	va_t va; /* first address of the range in the entry */
	ptp_t p;
	ptv_t v;
};

/* Start before `start`, to stop at `end` (exclusive; 0 means 2^64). -ERANGE if the root does not
 * translate the range; then next says false at once. */
static inline int pt_iter_init(struct pt_iter *it, const struct pt_root *root, va_t start, va_t end)
{
	bool covered = pt_root_covers(root, start, end - 1);

	*it = (struct pt_iter){ .root = root, .va = start, .last = end - 1, .done = !covered,
				.level = root->top.level };
	it->path[it->level] = root->top;
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

/* Step behind the entry at it->va of a level: up, as far as its table ends there. */
static inline void pt_iter_step(struct pt_iter *it, va_t boundary)
{
	if (boundary - 1 >= it->last) {
		it->done = true;
		return;
	}
	it->va = boundary;
	while (it->level < it->root->top.level && !(boundary & pt_mask(it->level + 1)))
		pt_iter_rise(it, it->level + 1);
}

/* Move down into the table of `v`. */
static inline void pt_iter_descend(struct pt_iter *it, ptv_t v)
{
	pt_t table = ptv_to_table(v);

	PT_HOST_HOLD(table);
	it->path[--it->level] = table;
}

/* The index of the last entry of the table at it->level that the range reaches. */
static inline unsigned pt_iter_stop(const struct pt_iter *it)
{
	bool beyond = (it->va ^ it->last) >> (pt_shift(it->level) + PT_TABLE_BITS - 1) >> 1;

	return beyond ? PT_ENTRY_COUNT - 1 : pt_index(it->last, it->level);
}

/*
 * The next entry of the range that is not none and no table: leaf, soft or bad.
 * Returns false when there is none left.
 */
static inline bool pt_iter_next(struct pt_iter *it, struct pt_iter_at *at)
{
	while (!it->done) {
		pt_t table = it->path[it->level];
		unsigned index = pt_index(it->va, it->level), stop = pt_iter_stop(it);
		unsigned live = pt_next_live(table, index, stop);
		va_t base = it->va & ~pt_mask(it->level);

		if (live != index) {
			va_t next = base + ((uint64_t)(live - index) << pt_shift(it->level));

			pt_iter_step(it, live > stop ? base + ((uint64_t)(stop - index + 1) << pt_shift(it->level)) : next);
			continue;
		}
		at->va = it->va;
		at->p = pt_entry(table, index);
		at->v = ptp_get(at->p);
		if (ptv_is_table(at->v)) {
			pt_iter_descend(it, at->v);
			continue;
		}
		pt_iter_step(it, (it->va | pt_mask(it->level)) + 1);
		if (!ptv_none(at->v))
			return true;
	}
	return false;
}

/*
 * The next entry of the range at level `level`, with the tables down to it made where they are
 * missing; a huge leaf above `level` is returned as it is.
 *
 * Returns 1, 0 when there is none left, or -ENOMEM (the position is unchanged).
 */
static inline int pt_iter_next_alloc(struct pt_iter *it, unsigned level, struct pt_iter_at *at)
{
	while (!it->done) {
		at->va = it->va;
		at->p = pt_entry(it->path[it->level], pt_index(it->va, it->level));
		at->v = ptp_get(at->p);
		if (it->level > level && ptp_none_or_clear_bad(at->p, at->va)) {
			int err = pt_populate(it->root, at->p);

			if (err)
				return err;
			continue;
		}
		if (it->level > level && ptv_is_table(at->v)) {
			pt_iter_descend(it, at->v);
			continue;
		}
		pt_iter_step(it, (it->va | pt_mask(it->level)) + 1);
		return 1;
	}
	return 0;
}

#endif
