/*
 * The operations of pt_ops.h as clients of the walker and loops over the iterator. Included by one
 * .c file per format, after it has named the format (pt.h). No state; locking as pt.h says.
 *
 * Map, unmap and protect begin at the lowest table that holds the whole range. If that is made of
 * entries there, and those are what they mostly are, the client's run is all.
 */
#include "pt_ops.h"
#include "pt_iter.h"
#include "pt_walk.h"

/* What map, unmap and protect know, each in its own part. */
struct pt_op {
	struct pt_walk walk;
	union {
		struct {
			uint64_t delta; /* map: pa - va, the same for the whole range */
			pt_attr_t attr;
		};
		struct pt_drop *drop;    /* unmap */
		struct pt_change change; /* protect */
	};
};

/* The levels at which this root may have leaves. */
PT_EXPR(unsigned, pt_root_leaf_levels, (const struct pt_root *root),
	pt_leaf_levels() & ((2u << root->leaf_level_max) - 1))

/* ---- Looking one address up. ---- */

PT_API ptp_t pt_find(const struct pt_root *root, va_t va, ptv_t *v)
{
	struct pt_at s = pt_descend(root, va, 0, false);

	*v = s.v;
	return s.p;
}

PT_SLOW struct pt_span pt_span_of(ptv_t v, va_t va, pt_attr_t rights)
{
	struct pt_span s = { .va = va & ~pt_mask(v.level),
			     .last = va | pt_mask(v.level),
			     .kind = ptv_kind(v),
			     .level = v.level };

	if (s.kind == PT_LEAF) {
		s.pa = ptv_pa(v);
		s.attr = ptv_attr(v) & (rights | ~PT_RIGHTS);
	} else if (s.kind == PT_SOFT) {
		s.soft = ptv_soft_data(v);
	}
	return s;
}

PT_API struct pt_span pt_translate(const struct pt_root *root, va_t va)
{
	struct pt_span span = { .va = va, .last = va, .kind = PT_NONE };
	pt_attr_t rights = PT_RIGHTS;
	ptv_t v;

	if (!pt_root_covers(root, va, va))
		return span;
	for (v = ptp_get(pt_top(root, va)); ptv_is_table(v); v = ptp_get(pt_walk(v, va)))
		rights &= ptv_attr(v);
	span = pt_span_of(v, va, rights);
	span.pa.value += va - span.va;
	span.va = va;
	return span;
}

/* ---- Unmap and protect. ---- */

PT_API int pt_cut(const struct pt_root *root, va_t va)
{
	int err = 0;

	while (!err) {
		struct pt_at s = pt_descend(root, va, 0, true);

		if (ptv_is_table(s.v))
			err = PT_HOST_EXCLUSIVE(root, s.p);
		else if (ptv_is_item(s.v) && (va & pt_mask(s.v.level)))
			err = pt_split(root, s.p, s.v);
		else
			break;
	}
	return err;
}

/*
 * Make sure that the rest of a range in `table` can be changed before anything changes: cut at its
 * end. The cut at its start comes by itself, first.
 */
PT_EXPR(int, pt_cut_end, (const struct pt_walk *w, pt_t table),
	(w->last + 1) & pt_mask(table.level) ? pt_cut(w->root, w->last + 1) : 0)

/* `table`, which is on the way to va, is empty: it goes, with those above that lead nowhere else.
 */
PT_SLOW void pt_climb(const struct pt_root *root, va_t va, pt_t table, struct pt_batch *batch)
{
	pt_t keep = root->top, t = root->top;
	ptv_t v;

	if (table.level >= root->keep_level || table.level == t.level)
		return;
	for (; t.level > table.level; t = ptv_to_table(ptp_get(pt_entry(t, pt_index(va, t.level)))))
		if (t.level >= root->keep_level || pt_meta(t)->live > 1)
			keep = t;
	v = ptp_change(pt_entry(keep, pt_index(va, keep.level)), ptv_make_none(keep.level));
	do {
		t = ptv_to_table(v);
		v = ptp_get(pt_entry(t, pt_index(va, t.level)));
		pt_release(root->owner, t, batch);
	} while (t.level > table.level);
}

PT_INLINE int pt_unmap_entry(struct pt_walk *w, struct pt_at *at)
{
	struct pt_drop *drop = ((struct pt_op *)w)->drop;
	ptv_t old = pt_at_clear(at);

	if (drop)
		drop->drop(drop, at->va, old);
	return PT_DONE;
}

/* Leaves of which nobody wants to hear. */
PT_INLINE unsigned pt_unmap_run(struct pt_walk *w, struct pt_at *at, unsigned count)
{
	ptp_t p = at->p;
	unsigned n = 0;

	if (((struct pt_op *)w)->drop)
		return 0;
	for (; n < count && ptv_is_leaf(ptp_get(p)); n++, p = ptp_next(p))
		ptp_exchange(p, ptv_make_none(p.level));
	at->delta -= (int)n;
	return n;
}

static const struct pt_client pt_unmap_client = { .entry = pt_unmap_entry,
						  .run = pt_unmap_run,
						  .leave = pt_leave_prune,
						  .sparse = true,
						  .change = true };
PT_WALKER(pt_unmap_walk, struct pt_op, pt_unmap_client)

PT_API int pt_unmap(const struct pt_root *root, va_t start, va_t end, struct pt_drop *drop,
		    struct pt_batch *batch)
{
	struct pt_op op = { { root, start, end - 1, batch }, { .drop = drop } };
	int err = pt_root_check(root, start, end);
	pt_t table;

	if (err)
		return err;
	table = pt_cover(root, start, end - 1);
	if (!pt_run(&pt_unmap_client, &op.walk, table)) {
		err = pt_cut_end(&op.walk, table);
		if (!err)
			err = pt_unmap_walk_from(&op, table);
	}
	if (!err && pt_is_empty(table))
		pt_climb(root, start, table, batch);
	return err;
}

PT_INLINE unsigned pt_protect_run(struct pt_walk *w, struct pt_at *at, unsigned count)
{
	const struct pt_change change = ((struct pt_op *)w)->change;
	ptp_t p = at->p;
	unsigned n = 0;

	for (; n < count && ptv_is_leaf(at->v = ptp_get(p)); n++, p = ptp_next(p))
		while (ptv_raw(ptv_change(at->v, change)) != ptv_raw(at->v) &&
		       !ptp_compare_exchange(p, &at->v, ptv_change(at->v, change)))
			; /* the walker was there in between */
	return n;
}

static const struct pt_client pt_protect_client = { .run = pt_protect_run,
						    .sparse = true,
						    .change = true };
PT_WALKER(pt_protect_walk, struct pt_op, pt_protect_client)

PT_API int pt_protect(const struct pt_root *root, va_t start, va_t end, pt_attr_t clear,
		      pt_attr_t set)
{
	struct pt_op op = { { root, start, end - 1, NULL },
			    { .change = pt_change_make(clear, set) } };
	int err = set & ~PT_ATTR_KNOWN ? -EINVAL : pt_root_check(root, start, end);
	pt_t table;

	if (err)
		return err;
	table = pt_cover(root, start, end - 1);
	if (pt_run(&pt_protect_client, &op.walk, table))
		return 0;
	err = pt_cut_end(&op.walk, table);
	return err ? err : pt_protect_walk_from(&op, table);
}

/* ---- Map: a pass that makes sure of room, then one that fills it. ---- */

/* Can leaves stand for whole entries from here on? */
PT_EXPR(bool, pt_map_fits, (const struct pt_op *op, const struct pt_at *at),
	at->p.level == 0 || ((pt_root_leaf_levels(op->walk.root) >> at->p.level & 1) &&
			     !((at->va + op->delta) & pt_mask(at->p.level))))

/* How many entries from p on are none, `count` at most: two a turn, as most are. */
PT_INLINE unsigned pt_none_run(ptp_t p, unsigned count)
{
	unsigned n = 0;

	while (n + 1 < count && ptv_none(ptp_get(p)) && ptv_none(ptp_get(ptp_next(p))))
		n += 2, p = ptp_step(p, 2);
	return n + (n < count && ptv_none(ptp_get(p)));
}

PT_EXPR(unsigned, pt_prepare_run, (struct pt_walk * w, struct pt_at *at, unsigned count),
	pt_map_fits((struct pt_op *)w, at) ? pt_none_run(at->p, count) : 0)

PT_INLINE int pt_prepare_entry(struct pt_walk *w, struct pt_at *at)
{
	int err = at->p.level > 0 && ptv_none(at->v) ? pt_populate(w->root, at->p) : -EEXIST;

	return err ? err : PT_AGAIN;
}

/* A bottom table without an entry needs no visit. */
PT_EXPR(int, pt_prepare_enter, (struct pt_walk * w, struct pt_at *at),
	at->p.level == 1 && pt_is_empty(ptv_to_table(at->v)) &&
			!(pt_covers(w, at) && pt_map_fits((struct pt_op *)w, at))
		? PT_SKIP
		: PT_DONE)

/* A table that turned out empty makes room for a leaf, if one fits. */
PT_EXPR(int, pt_prepare_leave, (struct pt_walk * w, struct pt_at *at),
	pt_covers(w, at) && pt_map_fits((struct pt_op *)w, at) ? pt_leave_prune(w, at) : PT_DONE)

PT_INLINE unsigned pt_fill_run(struct pt_walk *w, struct pt_at *at, unsigned count)
{
	const struct pt_op *op = (struct pt_op *)w;
	ptv_t v = ptv_make_leaf(PA(at->va + op->delta), op->attr, at->p.level);
	ptp_t p = at->p;

	if (p.level > 0)
		count = pt_none_run(p, count); /* up to a table */
	PT_UNROLL
	for (unsigned n = 0; n < count; n++, p = ptp_next(p), v = ptv_leaf_next(v))
		ptp_set(p, v);
	at->delta += (int)count;
	return count;
}

static const struct pt_client pt_prepare_client = { .entry = pt_prepare_entry,
						    .run = pt_prepare_run,
						    .enter = pt_prepare_enter,
						    .leave = pt_prepare_leave,
						    .change = true,
						    .whole = true };
static const struct pt_client pt_fill_client = { .run = pt_fill_run };
PT_WALKER(pt_prepare_walk, struct pt_op, pt_prepare_client)
PT_WALKER(pt_fill_walk, struct pt_op, pt_fill_client)

/*
 * Map where it takes more than a run. With `err`, or if it fails, what has been made is taken back:
 * nothing is mapped before the address where it failed, and on the way there may be tables without
 * an entry.
 */
PT_SLOW int pt_map_range(struct pt_op *op, pt_t table, int err)
{
	const struct pt_root *root = op->walk.root;
	struct pt_op undo = *op;

	if (!err)
		err = pt_prepare_walk_from(op, table);
	if (!err) {
		op->walk.va = undo.walk.va;
		return pt_fill_walk_from(op, table);
	}
	undo.walk.last = op->walk.va - 1;
	undo.drop = NULL;
	if (op->walk.va > undo.walk.va)
		pt_unmap_walk(&undo);
	table = pt_descend(root, op->walk.va, 0, true).table;
	if (pt_is_empty(table))
		pt_climb(root, op->walk.va, table, op->walk.batch);
	return err;
}

PT_API int pt_map(const struct pt_root *root, va_t va, pa_t pa, uint64_t bytes, pt_attr_t attr,
		  struct pt_batch *batch)
{
	struct pt_op op = { { root, va, va + bytes - 1, batch }, { { pa.value - va, attr } } };
	const uint64_t pa_last = pa.value + bytes - 1;
	pt_t table;
	int err = 0;

	if (((attr & ~PT_ATTR_KNOWN) | ((va | pa.value | bytes) & pt_mask(0))) ||
	    pa_last < pa.value || pa_last > pt_pa_limit() - 1)
		return -EINVAL;
	if (!pt_root_covers(root, va, op.walk.last))
		return bytes ? -ERANGE : -EINVAL;
	table = pt_cover(root, va, op.walk.last);
	if (table.level > 0)
		err = pt_cover_make(root, va, op.walk.last, &table);
	if (err || !pt_run(&pt_prepare_client, &op.walk, table))
		return pt_map_range(&op, table, err);
	pt_run(&pt_fill_client, &op.walk, table);
	return 0;
}

/* ---- Reserve: the tables, without anything in them. ---- */

PT_API int pt_reserve(const struct pt_root *root, va_t start, va_t end, unsigned level)
{
	struct pt_at at;
	struct pt_iter it;
	int err = pt_iter_init(&it, root, start, end);

	while (!err && level < root->top.level &&
	       (err = pt_iter_next_alloc(&it, level + 1, &at)) > 0)
		err = ptp_none_or_clear_bad(at.p, at.va) ? pt_populate(root, at.p) : 0;
	pt_iter_fini(&it);
	return err;
}

/* ---- Merge. ---- */

/* What all entries of the table under v say together: the one leaf, or none. */
static ptv_t pt_merge_value(ptv_t above)
{
	const pt_attr_t ad = PT_YOUNG | PT_DIRTY;
	ptp_t p = pt_entry(ptv_to_table(above), 0);
	ptv_t v = ptp_get(p);
	pa_t pa = ptv_pa(v);
	pt_attr_t attr = ptv_attr(v), seen = attr;
	bool same = !(pa.value & pt_mask(above.level));

	for (unsigned i = 0; i < PT_ENTRY_COUNT && same; i++, p = ptp_next(p)) {
		v = ptp_get(p);
		same = ptv_is_leaf(v) && pa_equal(ptv_pa(v), pa_add(pa, i * pt_size(p.level))) &&
		       !((ptv_attr(v) ^ attr) & ~ad);
		seen |= ptv_attr(v);
	}
	/* The walker may set A and D in the old table until the flush: what it may do counts as
	 * done. */
	if (attr & PT_R)
		seen |= attr & PT_W ? ad : PT_YOUNG;
	return same ? ptv_make_leaf(pa, seen & (ptv_attr(above) | ~PT_RIGHTS), above.level)
		    : ptv_make_none(above.level);
}

/* Put a leaf in the place of the table under `at`, if it says the same and nobody shares the table.
 * */
static bool pt_merge_table(const struct pt_root *root, const struct pt_at *at,
			   struct pt_batch *batch)
{
	pt_t table = ptv_to_table(at->v);
	ptv_t leaf = ptv_make_none(at->v.level);

	if ((pt_root_leaf_levels(root) >> at->v.level & 1) &&
	    pt_meta(table)->live == PT_ENTRY_COUNT &&
	    pt_descend(root, at->va, table.level, true).table.level == table.level)
		leaf = pt_merge_value(at->v);
	if (ptv_none(leaf))
		return false;
	ptp_exchange(at->p, leaf);
	pt_release(root->owner, table, batch);
	return true;
}

PT_API int pt_merge(const struct pt_root *root, va_t start, va_t end, struct pt_batch *batch)
{
	struct pt_at at;
	struct pt_iter it;
	int err = pt_iter_init(&it, root, start, end), merged_count = 0;

	it.tables = true;
	while (pt_iter_next(&it, &at))
		if (ptv_is_table(at.v) && at.va >= start &&
		    (at.va | pt_mask(at.v.level)) <= end - 1)
			merged_count += pt_merge_table(root, &at, batch);
	pt_iter_fini(&it);
	return err ? err : merged_count;
}

/* ---- Count and dump. ---- */

PT_API int pt_count(const struct pt_root *root, va_t start, va_t end, struct pt_count *out)
{
	struct pt_at at;
	struct pt_iter it;
	int err = pt_iter_init(&it, root, start, end);

	*out = (struct pt_count){ .entry = { { 0 } } };
	it.tables = true;
	while (pt_iter_next(&it, &at))
		out->entry[ptv_kind(at.v)][at.v.level]++;
	pt_iter_fini(&it);
	return err;
}

/* Does `b` go on where `a` ends, saying the same? */
PT_EXPR(bool, pt_span_continues, (const struct pt_span *a, const struct pt_span *b),
	a->kind == PT_LEAF && b->kind == PT_LEAF && a->level == b->level && a->last + 1 == b->va &&
		!((a->attr ^ b->attr) & ~(PT_YOUNG | PT_DIRTY)) &&
		a->pa.value + (b->va - a->va) == b->pa.value)

PT_API int pt_dump(const struct pt_root *root, va_t start, va_t end, pt_dump_fn *fn, void *arg)
{
	struct pt_span span = { .kind = PT_NONE };
	struct pt_at at;
	struct pt_iter it;
	int err = pt_iter_init(&it, root, start, end);

	while (pt_iter_next(&it, &at)) {
		struct pt_span next = pt_span_of(at.v, at.va, at.rights);

		if (pt_span_continues(&span, &next)) {
			span.last = next.last;
			continue;
		}
		if (span.kind != PT_NONE)
			fn(arg, &span);
		span = next;
	}
	if (span.kind != PT_NONE)
		fn(arg, &span);
	pt_iter_fini(&it);
	return err;
}

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
	struct pt_op op = { { root, root->first, root->last, batch }, .drop = drop };
	int err;

	root->keep_level = PT_LEVEL_COUNT;
	err = pt_unmap_walk(&op);
	PT_ASSERT(err == 0); /* nothing is covered in part, so nothing is split */
	pt_release(root->owner, root->top, batch);
}
