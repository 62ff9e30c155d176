/*
 * What pt.h, pt_walk.h and pt_iter.h declare: tables, walking down, the engine, the iterator's
 * step. Included by pt_ops.c. No state; locking as pt.h says.
 */
#include "pt_walk.h"
#include "pt_iter.h"

/* ---- Tables. ---- */

PT_API void ptp_clear_bad(ptp_t p, va_t va)
{
	ptv_t v = ptp_exchange(p, ptv_make_none(p.level));
	struct pt_meta *meta = ptp_meta(p);
	ptp_t q = ptp_first(p);

	meta->live = 0;
	meta->summary = 0;
	for (unsigned i = 0; i < PT_ENTRY_COUNT; i++, q = ptp_next(q))
		if (!ptv_none(ptp_get(q)))
			pt_meta_add(meta, 1, i, i);
	(void)va, (void)v; /* a host may choose not to listen */
	PT_HOST_REPORT_BAD(p, va, v);
}

PT_API unsigned pt_next_live(pt_t table, unsigned index)
{
	uint64_t summary = __atomic_load_n(&pt_meta(table)->summary, __ATOMIC_RELAXED);

	for (; index < PT_ENTRY_COUNT; index++) {
		uint64_t ahead = summary >> (index >> PT_GROUP_SHIFT);

		if (!ahead)
			return PT_ENTRY_COUNT;
		if (!(ahead & 1)) /* to the next group that has any */
			index = ((index >> PT_GROUP_SHIFT) + (unsigned)__builtin_ctzll(ahead))
				<< PT_GROUP_SHIFT;
		if (!ptv_none(ptp_get(pt_entry(table, index))))
			return index;
	}
	return PT_ENTRY_COUNT;
}

/* Fill a table that nobody sees with what the huge leaf or soft entry v says, piece by piece. */
static void pt_fill_split(pt_t table, ptv_t v)
{
	const uint64_t bytes = pt_size(table.level), pages = bytes >> PT_PAGE_SHIFT;
	ptp_t p = pt_entry(table, 0);

	pt_meta_add(pt_meta(table), PT_ENTRY_COUNT, 0, PT_ENTRY_COUNT - 1);
	for (unsigned i = 0; i < PT_ENTRY_COUNT; i++, p = ptp_next(p))
		ptp_set(p, ptv_is_leaf(v)
				   ? ptv_make_leaf(pa_add(ptv_pa(v), i * bytes), ptv_attr(v),
						   table.level)
				   : ptv_make_soft(ptv_soft_data(v) + i * pages, table.level));
}

/* Of pt_split: none, or a leaf or soft entry. */
PT_INLINE int pt_make_table(const struct pt_root *root, ptp_t p, ptv_t v)
{
	const bool none = ptv_none(v);
	pt_t table;
	int err = pt_alloc(root->owner, p.level - 1, &table);

	if (err)
		return err;
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

PT_API int pt_populate(const struct pt_root *root, ptp_t p)
{
	return pt_make_table(root, p, ptv_make_none(p.level));
}

PT_API int pt_split(const struct pt_root *root, ptp_t p, ptv_t v)
{
	return ptv_none(v) ? pt_populate(root, p) : pt_make_table(root, p, v);
}

/* ---- Walking down. ---- */

/* Unrolled: one body a level, in which the level is a constant. Returns where it has ended. */
PT_INLINE ptp_t pt_go_down(const struct pt_root *root, va_t va, unsigned stop, bool own,
			   struct pt_way *way, ptv_t *last)
{
	pt_t table = root->top;
	ptp_t p = pt_entry(table, 0);
	ptv_t v;

	PT_UNROLL
	for (unsigned i = 0; i < PT_LEVEL_COUNT; i++) {
		const unsigned level = PT_LEVEL_COUNT - 1 - i;

		if (level > PT_TOP_MIN && level > root->top.level)
			continue;
		table.level = p.level = level;
		way->p[level] = p = ptp_step(p, (int)pt_index(va, level));
		v = ptp_get(p);
		if (level == stop || !ptv_is_table(v) || (own && PT_HOST_SHARED(v)))
			break;
		table = ptv_to_table(v);
		p = pt_entry(table, 0);
	}
	way->table = table;
	*last = v;
	return p;
}

PT_API ptp_t pt_find(const struct pt_root *root, va_t va, ptv_t *v)
{
	struct pt_way way;

	return pt_go_down(root, va, 0, false, &way, v);
}

PT_API pt_t pt_descend(const struct pt_root *root, va_t va, unsigned stop, struct pt_way *way)
{
	pt_go_down(root, va, stop, true, way, &way->v);
	return way->table;
}

PT_API int pt_descend_make(const struct pt_root *root, va_t va, unsigned stop, struct pt_way *way)
{
	ptp_t p = way->p[way->table.level];
	ptv_t v = way->v;
	int err = 0;

	while (p.level > stop) {
		if (ptv_none(v))
			err = pt_populate(root, p);
		v = ptp_get(p);
		if (err || !ptv_is_table(v) || PT_HOST_SHARED(v))
			break;
		way->table = ptv_to_table(v);
		p = pt_walk(v, va);
		way->p[p.level] = p;
		v = ptp_get(p);
	}
	way->v = v;
	return err;
}

/* ---- The engine. ---- */

PT_API int pt_leave_prune(struct pt_walk *w, struct pt_at *at)
{
	pt_t table = ptv_to_table(at->v);

	if (pt_is_empty(table) && table.level < w->root->keep_level) {
		pt_at_clear(at);
		pt_release(w->root->owner, table, w->batch);
	}
	return PT_DONE;
}

/* A table. If it is shared, things below it may only change when it is no more. */
static int pt_visit_below(const struct pt_client *c, struct pt_walk *w, struct pt_at *at)
{
	int r = PT_DONE;

	if (c->change && PT_HOST_SHARED(at->v)) {
		r = c->shared ? c->shared(w, at) : PT_DONE;
		if (!r)
			r = PT_HOST_EXCLUSIVE(w->root, at->p);
		at->v = ptp_get(at->p);
	}
	if (!r && c->enter)
		r = c->enter(w, at);
	if (r)
		return r == PT_SKIP ? PT_DONE : r;
	w->va = at->va;
	r = pt_walk_table(c, w, ptv_to_table(at->v));
	if (r)
		at->va = w->va;
	else if (c->leave)
		r = c->leave(w, at);
	return r;
}

PT_INLINE int pt_visit_entry(const struct pt_client *c, struct pt_walk *w, struct pt_at *at)
{
	int r;

	if (ptv_is_table(at->v))
		return pt_visit_below(c, w, at);
	if (c->change && ptv_is_bad(at->v)) {
		ptp_clear_bad(at->p, at->va);
		at->delta = 0; /* all counted anew */
		return PT_AGAIN;
	}
	if (c->change && !c->whole && !ptv_none(at->v) && !pt_covers(w, at)) {
		r = pt_split(w->root, at->p, at->v);
		return r ? r : PT_AGAIN;
	}
	return c->entry ? c->entry(w, at) : PT_DONE;
}

/* Visit the entries of one table from w->va on, up to w->last or the table's end. */
PT_API int pt_walk_table(const struct pt_client *c, struct pt_walk *w, pt_t table)
{
	const unsigned level = table.level;
	const va_t start = w->va, end = start | pt_mask(level + 1);
	const unsigned first = pt_index(start, level);
	const unsigned stop = pt_index(end < w->last ? end : w->last, level);
	/* Behind the last entry that is covered whole. */
	const unsigned whole = stop + (end <= w->last || !(~w->last & pt_mask(level)));
	unsigned index = first, run;
	struct pt_at at = { .va = start };
	int r = PT_DONE;

	while (index <= stop && r >= 0) {
		at.p = pt_entry(table, index);
		at.v = ptp_get(at.p);
		if (c->sparse && ptv_none(at.v)) {
			index = pt_next_live(table, index + 1);
			continue;
		}
		if (index != first)
			at.va = (start & ~pt_mask(level + 1)) | (va_t)index << pt_shift(level);
		if (c->run && index < whole && !(at.va & pt_mask(level)) &&
		    (run = c->run(w, &at, whole - index))) {
			index += run;
			continue;
		}
		r = pt_visit_entry(c, w, &at);
		index += r == PT_DONE;
	}
	if (r < 0)
		w->va = at.va;
	if (at.delta)
		pt_meta_add(pt_meta(table), at.delta, first, index < stop ? index : stop);
	return r < 0 ? r : PT_DONE;
}

/* ---- The iterator. ---- */

/* Is the lowest table of the path done with: nothing to visit in it, below `level`, or dead? */
PT_EXPR(bool, pt_iter_must_rise, (const struct pt_iter *it, unsigned level),
	it->level < it->root->top.level &&
		(it->done || it->level < level || (it->va ^ it->at) >> pt_shift(it->level + 1) ||
		 PT_HOST_DEAD(it->path[it->level])))

/* Move down into the table of `v`. */
static void pt_iter_descend(struct pt_iter *it, ptv_t v)
{
	pt_t table = ptv_to_table(v);

	PT_HOST_HOLD(table);
	it->rights[table.level] = it->rights[v.level] & ptv_attr(v);
	it->path[table.level] = table;
	it->level = table.level;
}

PT_API int pt_iter_advance(struct pt_iter *it, struct pt_at *at, bool make, unsigned level)
{
	int err = 0;

	while (!err) {
		unsigned index, live;

		if (pt_iter_must_rise(it, level)) {
			PT_HOST_DROP(it->path[it->level]);
			it->level++;
			continue;
		}
		if (it->done)
			return 0;
		index = pt_index(it->va, it->level);
		live = make ? index : pt_next_live(it->path[it->level], index);
		if (live != index)
			pt_iter_step(it, live - index);
		if (it->done || live == PT_ENTRY_COUNT)
			continue;
		it->at = at->va = it->va;
		at->p = pt_entry(it->path[it->level], live);
		at->v = ptp_get(at->p);
		at->rights = it->rights[it->level];
		if (ptv_is_table(at->v) && (!make || it->level > level)) {
			if (make && PT_HOST_SHARED(at->v))
				err = PT_HOST_EXCLUSIVE(it->root, at->p);
			else
				pt_iter_descend(it, at->v);
		} else if (make && it->level > level && ptp_none_or_clear_bad(at->p, at->va)) {
			err = pt_populate(it->root, at->p);
		} else {
			pt_iter_step(it, 1);
			if (make || !ptv_none(at->v))
				return 1;
		}
	}
	return err;
}
