/*
 * The operations of pt_ops.h as loops over the walker. Included by one .c file per format, after it
 * has named the format (pt.h). No state; locking as pt.h says.
 *
 * Map and unmap begin at the lowest table that holds the whole range. If that is made of entries
 * there, and those are what they mostly are, one loop over them is all.
 */
#include "pt_ops.h"
#include "pt_walk.c"

/* The levels at which this root may have leaves. */
PT_EXPR(unsigned, pt_root_leaf_levels, (const struct pt_root *root),
	pt_leaf_levels() & ((2u << root->leaf_level_max) - 1) & ((2u << root->keep_level) - 1))

/* ---- Unmap and protect. ---- */

PT_API int pt_cut(const struct pt_root *root, va_t va)
{
	struct pt_way way;
	int err = 0;

	while (!err) {
		pt_descend(root, va, 0, &way);
		if (!(va & pt_mask(way.v.level)) || ptv_none(way.v) || ptv_is_bad(way.v))
			break;
		err = ptv_is_table(way.v) ? PT_HOST_EXCLUSIVE(root, way.p[way.v.level])
					  : pt_split(root, way.p[way.v.level], way.v);
	}
	return err;
}

/* Begin to change what is in [start, last]: with a cut at its end, before anything changes. (The
 * cut at its start comes by itself, first.) */
static void pt_alter(struct pt_iter *it, const struct pt_root *root, va_t start, va_t last)
{
	pt_iter_init(it, root, start, last + 1);
	it->flags = PT_CHANGE;
	if (!it->err && ((last + 1) & pt_mask(pt_cover_level(start, last))))
		it->done = (it->err = pt_cut(root, last + 1)) != 0;
}

/* The lowest table of the way is empty: it goes, with those above that lead nowhere else. */
PT_SLOW void pt_climb(const struct pt_root *root, const struct pt_way *way, struct pt_batch *batch)
{
	unsigned level = way->table.level;

	while (level < root->keep_level && level < root->top.level) {
		ptp_t p = way->p[++level];

		pt_release(root->owner, ptv_to_table(ptp_change(p, ptv_make_none(level))), batch);
		if (ptp_meta(p)->live)
			break;
	}
}

/* Clear leaves from p on, `count` at most. Returns how many. */
PT_INLINE unsigned pt_clear_leaves(ptp_t p, unsigned count)
{
	unsigned left = count;

	for (; left && ptv_is_leaf(ptp_get(p)); left--, p = ptp_next(p))
		ptp_exchange(p, ptv_make_none(p.level));
	return count - left;
}

/* The same, with the books; at level 0 that is a constant. */
PT_INLINE unsigned pt_clear_run(ptp_t p, unsigned count)
{
	unsigned n = p.level > 0 ? pt_clear_leaves(p, count)
				 : pt_clear_leaves(ptp_bottom(p), count);

	if (n)
		pt_meta_add(ptp_meta(p), -(int)n, 0, 0);
	return n;
}

/* Unmap where it takes more than that. */
PT_SLOW int pt_unmap_range(const struct pt_root *root, va_t start, va_t last, struct pt_drop *drop,
			   struct pt_batch *batch)
{
	struct pt_iter it;
	struct pt_at at;

	pt_alter(&it, root, start, last);
	it.prune_level = root->keep_level;
	it.batch = batch;
	while (pt_iter_next(&it, &at)) {
		ptv_t old = ptp_change(at.p, ptv_make_none(at.p.level));

		if (drop)
			drop->drop(drop, at.va, old);
		else
			pt_iter_step(&it, pt_clear_run(ptp_next(at.p), pt_iter_room(&it)));
	}
	return pt_iter_fini(&it);
}

PT_API int pt_unmap(const struct pt_root *root, va_t start, va_t end, struct pt_drop *drop,
		    struct pt_batch *batch)
{
	const va_t last = end - 1;
	int err = pt_root_check(root, start, end);
	unsigned whole, n;
	struct pt_way way;

	if (err)
		return err;
	pt_descend(root, start, pt_cover_level(start, last), &way);
	whole = drop ? 0 : pt_whole_entries(way.table, start, last);
	n = pt_clear_run(way.p[way.table.level], whole);
	if (!n || n < whole)
		return pt_unmap_range(root, start, last, drop, batch);
	if (pt_is_empty(way.table))
		pt_climb(root, &way, batch);
	return 0;
}

/* False if the entry is no leaf. */
PT_INLINE bool pt_change_leaf(ptp_t p, struct pt_change change)
{
	ptv_t v = ptp_get(p);

	while (ptv_is_leaf(v) && ptv_raw(ptv_change(v, change)) != ptv_raw(v) &&
	       !ptp_compare_exchange(p, &v, ptv_change(v, change)))
		; /* the walker was there in between */
	return ptv_is_leaf(v);
}

PT_API int pt_protect(const struct pt_root *root, va_t start, va_t end, pt_attr_t clear,
		      pt_attr_t set)
{
	const struct pt_change change = pt_change_make(clear, set);
	struct pt_iter it;
	struct pt_at at;

	if (set & ~PT_ATTR_KNOWN)
		return -EINVAL;
	pt_alter(&it, root, start, end - 1);
	while (pt_iter_next(&it, &at)) {
		unsigned left = pt_iter_room(&it);

		pt_change_leaf(at.p, change);
		for (; left && pt_change_leaf(at.p = ptp_next(at.p), change); left--)
			pt_iter_step(&it, 1);
	}
	return pt_iter_fini(&it);
}

/* ---- Map: a pass that makes sure of room, then one that fills it. ---- */

struct pt_mapping {
	const struct pt_root *root;
	va_t va, last;
	uint64_t delta; /* pa - va, the same for the whole range */
	pt_attr_t attr;
};

/* The level of the largest leaf for va. */
PT_INLINE unsigned pt_map_level(const struct pt_mapping *m, va_t va)
{
	unsigned level = 0;

	while (m->last - va >= pt_mask(level + 1) &&
	       !((va | (va + m->delta)) & pt_mask(level + 1)) &&
	       (pt_root_leaf_levels(m->root) >> (level + 1) & 1))
		level++;
	return level;
}

/* How many entries from p on are none, `count` at most: two a turn, as most are. */
PT_INLINE unsigned pt_none_run(ptp_t p, unsigned count)
{
	unsigned left = count;

	for (; left >= 2 && ptv_none(ptp_get(p)) && ptv_none(ptp_get(ptp_next(p))); left -= 2)
		p = ptp_step(p, 2);
	return count - left + (left && ptv_none(ptp_get(p)));
}

/* Fill `count` entries of the table from va's, p, on, which are none: eight a turn. */
PT_INLINE void pt_fill(const struct pt_mapping *m, pt_t table, va_t va, ptp_t p, unsigned count)
{
	const unsigned first = ptp_index(p);
	ptv_t v = ptv_make_leaf(PA(va + m->delta), m->attr, p.level);
	unsigned left = count;

	for (; left >= 8; left -= 8, p = ptp_step(p, 8))
#pragma GCC unroll 8
		for (int i = 0; i < 8; i++, v = ptv_leaf_next(v))
			ptp_set(ptp_step(p, i), v);
	for (; left; left--, p = ptp_next(p), v = ptv_leaf_next(v))
		ptp_set(p, v);
	pt_meta_add(pt_meta(table), (int)count, first, first + count - 1);
}

/* Take the tables below `level` out of [start, last], if there is no entry. -EEXIST if there is. */
static int pt_prune(const struct pt_root *root, va_t start, va_t last, unsigned level,
		    struct pt_batch *batch)
{
	struct pt_iter it;
	struct pt_at at;

	pt_iter_init(&it, root, start, last + 1);
	it.flags = PT_CHANGE;
	it.prune_level = level;
	it.batch = batch;
	if (pt_iter_next(&it, &at))
		it.err = -EEXIST;
	return pt_iter_fini(&it);
}

/* One of the passes. If it fails, tables that are left empty are taken back. */
static int pt_map_pass(const struct pt_mapping *m, bool fill, struct pt_batch *batch)
{
	struct pt_iter it;
	struct pt_at at;

	pt_iter_init(&it, m->root, m->va, m->last + 1);
	it.batch = batch;
	while (!it.err && pt_iter_next_alloc(&it, pt_map_level(m, it.va), &at) > 0) {
		unsigned n = pt_iter_room(&it);

		if (!ptv_none(at.v)) { /* a table that is empty gives way to a leaf */
			pt_iter_seek(&it, at.va);
			it.err = ptv_is_table(at.v)
					 ? pt_prune(m->root, at.va, at.va | pt_mask(at.p.level),
						    at.p.level, batch)
					 : -EEXIST;
			continue;
		}
		if (fill)
			pt_fill(m, it.path[it.level], at.va, at.p, 1 + n);
		else if (!pt_is_empty(it.path[it.level]))
			n = pt_none_run(ptp_next(at.p), n);
		pt_iter_step(&it, n);
	}
	if (it.err)
		it.prune_level = m->root->keep_level;
	if (pt_iter_fini(&it) && it.va != m->va)
		pt_prune(m->root, m->va, it.va - 1, m->root->keep_level, batch);
	return it.err;
}

/* Map where it takes more than to fill entries of one table. */
PT_SLOW int pt_map_range(struct pt_mapping m, struct pt_batch *batch)
{
	return pt_map_pass(&m, false, batch) ?: pt_map_pass(&m, true, batch);
}

PT_API int pt_map(const struct pt_root *root, va_t va, pa_t pa, uint64_t bytes, pt_attr_t attr,
		  struct pt_batch *batch)
{
	const uint64_t last = va + bytes - 1, pa_last = pa.value + bytes - 1;
	const struct pt_mapping m = { root, va, last, pa.value - va, attr };
	struct pt_way way;
	unsigned level, whole;
	int err;

	if (((attr & ~PT_ATTR_KNOWN) | ((va | pa.value | bytes) & pt_mask(0))) ||
	    pa_last < pa.value || pa_last > pt_pa_limit() - 1)
		return -EINVAL;
	if (!pt_root_covers(root, va, last))
		return bytes ? -ERANGE : -EINVAL;
	level = pt_map_level(&m, va);
	if (pt_cover_level(va, last) > level)
		return pt_map_range(m, batch);
	if (pt_descend(root, va, level, &way).level > level) {
		err = pt_descend_make(root, va, level, &way);
		if (err && pt_is_empty(way.table))
			pt_climb(root, &way, batch);
		if (err || way.table.level > level)
			return err ? err : pt_map_range(m, batch);
	}
	whole = pt_whole_entries(way.table, va, last);
	if (!whole || pt_none_run(way.p[level], whole) < whole)
		return pt_map_range(m, batch);
	pt_fill(&m, way.table, va, way.p[level], whole);
	return 0;
}

/* ---- Reserve: the tables, without anything in them. ---- */

PT_API int pt_reserve(const struct pt_root *root, va_t start, va_t end, unsigned level)
{
	struct pt_iter it;
	struct pt_at at;

	pt_iter_init(&it, root, start, end);
	while (pt_iter_next_alloc(&it, level, &at) > 0) /* on behind the table, or huge leaf */
		pt_iter_seek(&it, (at.va | pt_mask(at.p.level + (at.p.level == level))) + 1);
	return pt_iter_fini(&it);
}

/* ---- Merge. ---- */

/* The leaf that says what all entries of the table under `above` say together, or none. */
static ptv_t pt_merge_value(ptv_t above)
{
	const pt_attr_t ad = PT_YOUNG | PT_DIRTY;
	ptp_t p = pt_entry(ptv_to_table(above), 0);
	ptv_t v = ptp_get(p), expected = ptv_leaf_change(v, ad, 0);
	const pa_t pa = ptv_pa(v);
	bool same = ptv_is_leaf(v) && !(pa.value & pt_mask(above.level));
	pt_attr_t seen = 0;

	for (unsigned i = 0; i < PT_ENTRY_COUNT && same; i++, p = ptp_next(p)) {
		v = ptp_get(p);
		same = ptv_raw(ptv_leaf_change(v, ad, 0)) == ptv_raw(expected);
		expected = ptv_leaf_next(expected);
		seen |= ptv_attr(v);
	}
	/* The walker may set A and D in the old table until the flush: what it may do counts as
	 * done. */
	if (seen & PT_R)
		seen |= seen & PT_W ? ad : PT_YOUNG;
	return same ? ptv_make_leaf(pa, seen & (ptv_attr(above) | ~PT_RIGHTS), above.level)
		    : ptv_make_none(above.level);
}

/* From the bottom up. What others see, too, stays. */
PT_API int pt_merge(const struct pt_root *root, va_t start, va_t end, struct pt_batch *batch)
{
	int err = 0, count = 0;
	struct pt_iter it;
	struct pt_at at;

	for (unsigned level = 1; !err && (pt_root_leaf_levels(root) >> level & 1); level++) {
		pt_iter_init(&it, root, start, end);
		it.flags = PT_TABLES;
		while (pt_iter_next(&it, &at)) {
			ptv_t leaf = ptv_make_none(level);

			if (!ptv_is_table(at.v) || PT_HOST_SHARED(at.v))
				continue;
			if (at.v.level > level)
				pt_iter_enter(&it, &at);
			else if (pt_iter_covers(&it, &at))
				leaf = pt_merge_value(at.v);
			if (ptv_none(leaf))
				continue;
			ptp_exchange(at.p, leaf);
			pt_release(root->owner, ptv_to_table(at.v), batch);
			count++;
		}
		err = pt_iter_fini(&it);
	}
	return err ? err : count;
}

#include "pt_look.c"

/* ---- Roots. ---- */

PT_API int pt_root_init(struct pt_root *root, struct pt_owner *owner, unsigned top_level,
			va_t first, va_t last)
{
	PT_ASSERT(top_level + 1 > PT_TOP_MIN && top_level < PT_LEVEL_COUNT);
	PT_ASSERT(!((first ^ last) >> pt_shift(top_level + 1))); /* no two of the same index */
	*root = (struct pt_root){ .first = first,
				  .last = last,
				  .owner = owner,
				  .table_rights = PT_RWX,
				  .leaf_level_max = PT_LEVEL_COUNT - 1,
				  .keep_level = PT_LEVEL_COUNT };
	return pt_alloc(owner, top_level, &root->top);
}

PT_API void pt_free(struct pt_root *root, struct pt_drop *drop, struct pt_batch *batch)
{
	int err;

	root->keep_level = PT_LEVEL_COUNT;
	err = pt_unmap_range(root, root->first, root->last, drop, batch);
	PT_ASSERT(err == 0); /* nothing is covered in part, so nothing is split */
	pt_release(root->owner, root->top, batch);
}
