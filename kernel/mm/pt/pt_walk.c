/*
 * What pt.h and pt_iter.h declare: tables, walking down, the walker. Included by pt_ops.c. No
 * state; locking as pt.h says.
 */
#include "pt_iter.h"

/* ---- Tables. ---- */

PT_API void ptp_clear_bad(ptp_t p, va_t va)
{
	ptv_t v = ptp_exchange(p, ptv_make_none(p.level));
	struct pt_meta *meta = ptp_meta(p);
	ptp_t q = ptp_first(p);

	meta->summary = meta->live = 0;
	for (unsigned i = 0; i < PT_ENTRY_COUNT; i++, q = ptp_next(q))
		if (!ptv_none(ptp_get(q)))
			pt_meta_add(meta, 1, i, i);
	PT_HOST_REPORT_BAD(p, va, v);
}

PT_API unsigned pt_next_live(pt_t table, unsigned index)
{
	uint64_t summary = __atomic_load_n(&pt_meta(table)->summary, __ATOMIC_RELAXED);

	for (uint64_t ahead;
	     index < PT_ENTRY_COUNT && (ahead = summary >> (index >> PT_GROUP_SHIFT)) != 0;
	     index++) {
		if (!(ahead & 1)) /* to the next group that has any */
			index = ((index >> PT_GROUP_SHIFT) + (unsigned)__builtin_ctzll(ahead))
				<< PT_GROUP_SHIFT;
		if (!ptv_none(ptp_get(pt_entry(table, index))))
			return index;
	}
	return PT_ENTRY_COUNT;
}

/* Fill a table that nobody sees with what the huge leaf or soft entry v says, piece by piece. */
PT_SLOW void pt_fill_split(pt_t table, ptv_t v)
{
	const unsigned level = table.level;
	ptp_t p = pt_entry(table, 0);

	pt_meta_add(pt_meta(table), PT_ENTRY_COUNT, 0, PT_ENTRY_COUNT - 1);
	for (uint64_t at = 0; at < pt_size(v.level); at += pt_size(level), p = ptp_next(p))
		ptp_set(p, ptv_is_leaf(v)
				   ? ptv_make_leaf(pa_add(ptv_pa(v), at), ptv_attr(v), level)
				   : ptv_make_soft(ptv_soft_data(v) + at / pt_size(0), level));
}

PT_API int pt_split(const struct pt_root *root, ptp_t p, ptv_t v)
{
	const bool none = ptv_none(v);
	pt_t table;

	if (pt_alloc(root->owner, p.level - 1, &table))
		return -ENOMEM;
	if (!none)
		pt_fill_split(table, v);
	if (!PT_HOST_LINK(p, &v, ptv_make_table(table.pa, root->table_rights, p.level)))
		pt_release(root->owner, table, NULL);
	else if (none)
		pt_meta_add(ptp_meta(p), 1, ptp_index(p), ptp_index(p));
	else if (ptv_is_leaf(v))
		PT_HOST_SPLIT(v);
	return 0;
}

/* ---- Walking down. ---- */

/* Unrolled: one body a level, in which the level is a constant. Not into shared tables if it is to
 * end in an `own` one; what is missing is made if `make`. Returns where it has ended. */
PT_INLINE ptp_t pt_go_down(const struct pt_root *root, va_t va, unsigned stop, bool own, bool make,
			   struct pt_way *way)
{
	pt_t table = root->top;
	ptp_t p = pt_entry(table, 0);
	ptv_t v;

#pragma GCC unroll 8
	for (unsigned i = 0; i < PT_LEVEL_COUNT; i++) {
		const unsigned level = PT_LEVEL_COUNT - 1 - i;

		if (level > PT_TOP_MIN && level > root->top.level)
			continue;
		table.level = p.level = level;
		way->p[level] = p = ptp_step(p, (int)pt_index(va, level));
		v = ptp_get(p);
		if (make && level > stop && ptv_none(v)) {
			way->err = pt_populate(root, p);
			v = ptp_get(p);
		}
		if (level == stop || !ptv_is_table(v) || (own && PT_HOST_SHARED(v)))
			break;
		table = ptv_to_table(v);
		p = pt_entry(table, 0);
	}
	way->table = table;
	way->v = v;
	return p;
}

PT_API ptp_t pt_find(const struct pt_root *root, va_t va, ptv_t *v)
{
	struct pt_way way;
	ptp_t p = pt_go_down(root, va, 0, false, false, &way);

	*v = way.v;
	return p;
}

PT_API pt_t pt_descend(const struct pt_root *root, va_t va, unsigned stop, struct pt_way *way)
{
	pt_go_down(root, va, stop, true, false, way);
	return way->table;
}

PT_API int pt_descend_make(const struct pt_root *root, va_t va, unsigned stop, struct pt_way *way)
{
	way->err = 0;
	pt_go_down(root, va, stop, true, true, way);
	return way->err;
}

/* ---- The walker. ---- */

/* Is the lowest table of the path done with: nothing to visit in it, below `make`, or dead? */
PT_EXPR(bool, pt_iter_must_rise, (const struct pt_iter *it, int make),
	it->level < it->root->top.level &&
		(it->done || (int)it->level < make ||
		 (it->va ^ it->at) >> pt_shift(it->level + 1) || PT_HOST_DEAD(it->path[it->level])))

/* Move up out of the lowest table, which goes if nothing is left in it and it is not to stay. */
static void pt_iter_rise(struct pt_iter *it)
{
	pt_t table = it->path[it->level];
	bool goes = table.level < it->prune_level && pt_is_empty(table);

	PT_HOST_DROP(table);
	it->level++;
	if (goes) {
		ptp_change(pt_entry(it->path[it->level], pt_index(it->at, it->level)),
			   ptv_make_none(it->level));
		pt_release(it->root->owner, table, it->batch);
	}
}

PT_API int pt_iter_fini(struct pt_iter *it)
{
	while (it->level < it->root->top.level)
		pt_iter_rise(it);
	PT_HOST_DROP(it->root->top);
	it->done = true;
	return it->err;
}

PT_API void pt_iter_enter(struct pt_iter *it, const struct pt_at *at)
{
	pt_t table = ptv_to_table(at->v);

	PT_HOST_HOLD(table);
	it->va = it->at = at->va;
	it->done = false;
	it->rights[table.level] = at->rights & ptv_attr(at->v);
	it->path[table.level] = table;
	it->level = table.level;
}

PT_API int pt_iter_advance(struct pt_iter *it, struct pt_at *at, int make)
{
	const bool change = make >= 0 || (it->flags & PT_CHANGE);
	int r = 0;

	while (!r) {
		unsigned index, live;

		if (pt_iter_must_rise(it, make)) {
			pt_iter_rise(it);
			continue;
		}
		if (it->done)
			return 0;
		index = pt_index(it->va, it->level);
		live = make < 0 ? pt_next_live(it->path[it->level], index) : index;
		if (live != index)
			pt_iter_step(it, live - index);
		if (it->done || live == PT_ENTRY_COUNT)
			continue;
		it->at = at->va = it->va;
		at->p = pt_entry(it->path[it->level], live);
		at->v = ptp_get(at->p);
		at->rights = it->rights[it->level];
		if (ptv_is_table(at->v)) {
			if ((it->flags & PT_TABLES) || (int)it->level == make)
				r = 1;
			else if (change && PT_HOST_SHARED(at->v))
				r = PT_HOST_EXCLUSIVE(it->root, at->p);
			else
				pt_iter_enter(it, at);
		} else if (ptv_none(at->v) && (int)it->level > make) {
			r = pt_populate(it->root, at->p);
		} else if (change && ptv_is_bad(at->v)) {
			ptp_clear_bad(at->p, at->va);
		} else if (change && make < 0 && !pt_iter_covers(it, at)) {
			r = pt_split(it->root, at->p, at->v);
		} else {
			r = 1;
		}
	}
	it->err = r < 0 ? r : 0;
	if (r > 0)
		pt_iter_step(it, 1);
	return r;
}
