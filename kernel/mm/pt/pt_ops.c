/*
 * The operations of pt_ops.h as clients of the walker and loops over the iterator. Included by one
 * .c file per format, after it has named the format (pt.h). No state; locking as pt.h says.
 *
 * Map, unmap and protect begin at the lowest table that holds the whole range. If that is made of
 * entries there, and those are what they mostly are, the client's run is all.
 */
#include "pt_ops.h"
#include "pt_walk.c"

/* What the operations know, each in its own part. */
struct pt_op {
	struct pt_walk walk;
	union {
		struct {
			uint64_t delta; /* map: pa - va, the same for the whole range */
			pt_attr_t attr;
		};
		struct pt_drop *drop;    /* unmap */
		struct pt_change change; /* protect */
		struct pt_count *count;
		int merged_count;
	};
};

/* The levels at which this root may have leaves. */
PT_EXPR(unsigned, pt_root_leaf_levels, (const struct pt_root *root),
	pt_leaf_levels() & ((2u << root->leaf_level_max) - 1))

/* ---- Unmap and protect. ---- */

PT_API int pt_cut(const struct pt_root *root, va_t va)
{
	struct pt_way way;
	int err = 0;

	while (!err) {
		pt_descend(root, va, 0, &way);
		if (ptv_is_table(way.v))
			err = PT_HOST_EXCLUSIVE(root, way.p[way.v.level]);
		else if (!ptv_none(way.v) && !ptv_is_bad(way.v) && (va & pt_mask(way.v.level)))
			err = pt_split(root, way.p[way.v.level], way.v);
		else
			break;
	}
	return err;
}

/* The lowest table of the way is empty: it goes, with those above that lead nowhere else. */
PT_SLOW void pt_climb(const struct pt_root *root, const struct pt_way *way, struct pt_batch *batch)
{
	const unsigned top = root->top.level, keep = root->keep_level;
	unsigned level = way->table.level;

	while (level < keep && level < top) {
		ptp_t p = way->p[++level];
		ptv_t v = ptp_exchange(p, ptv_make_none(level));
		struct pt_meta *above = ptp_meta(p);

		pt_meta_add(above, -1, 0, 0);
		pt_release(root->owner, (pt_t){ ptv_pa(v), level - 1 }, batch);
		if (above->live)
			break;
	}
}

/* Change what is in the range of a walk, which the lowest table of the way holds, with a cut at its
 * end before anything changes. (The cut at its start comes by itself, first.) */
static int pt_alter(const struct pt_client *c, struct pt_walk *w, const struct pt_way *way)
{
	int err = (w->last + 1) & pt_mask(way->table.level) ? pt_cut(w->root, w->last + 1) : 0;

	return err ? err : pt_walk_table(c, w, way->table);
}

static int pt_unmap_entry(struct pt_walk *w, struct pt_at *at)
{
	struct pt_drop *drop = ((struct pt_op *)w)->drop;
	ptv_t old = pt_at_clear(at);

	if (drop)
		drop->drop(drop, at->va, old);
	return PT_DONE;
}

/* Clear leaves from p on, `count` at most. Returns how many. */
PT_INLINE unsigned pt_clear_run(ptp_t p, unsigned count)
{
	unsigned left = count;

	for (; left && ptv_is_leaf(ptp_get(p)); left--, p = ptp_next(p))
		ptp_exchange(p, ptv_make_none(p.level));
	return count - left;
}

/* Leaves of which nobody wants to hear; at level 0 that is a constant. */
PT_INLINE unsigned pt_unmap_run(struct pt_walk *w, struct pt_at *at, unsigned count)
{
	unsigned n;

	if (((struct pt_op *)w)->drop)
		return 0;
	n = at->p.level > 0 ? pt_clear_run(at->p, count) : pt_clear_run(ptp_bottom(at->p), count);
	at->delta -= (int)n;
	return n;
}

static const struct pt_client pt_unmap_client = { .entry = pt_unmap_entry,
						  .run = pt_unmap_run,
						  .leave = pt_leave_prune,
						  .sparse = true,
						  .change = true };

/* Unmap where it takes more than a run. (Makes its own struct, so that pt_unmap's can be in
 * registers.) */
PT_SLOW int pt_unmap_range(const struct pt_root *root, va_t start, va_t last, struct pt_drop *drop,
			   struct pt_batch *batch, const struct pt_way *way)
{
	struct pt_op op = { { root, start, last, batch }, { .drop = drop } };

	return pt_alter(&pt_unmap_client, &op.walk, way);
}

PT_API int pt_unmap(const struct pt_root *root, va_t start, va_t end, struct pt_drop *drop,
		    struct pt_batch *batch)
{
	struct pt_op op = { { root, start, end - 1, batch }, { .drop = drop } };
	int err = pt_root_check(root, start, end);
	struct pt_way way;
	pt_t table;

	if (err)
		return err;
	table = pt_descend(root, start, pt_cover_level(start, end - 1), &way);
	if (!pt_run(&pt_unmap_client, &op.walk, table))
		err = pt_unmap_range(root, start, end - 1, drop, batch, &way);
	if (!err && pt_is_empty(table))
		pt_climb(root, &way, batch);
	return err;
}

static unsigned pt_protect_run(struct pt_walk *w, struct pt_at *at, unsigned count)
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

PT_API int pt_protect(const struct pt_root *root, va_t start, va_t end, pt_attr_t clear,
		      pt_attr_t set)
{
	struct pt_op op = { { root, start, end - 1, NULL },
			    { .change = pt_change_make(clear, set) } };
	int err = set & ~PT_ATTR_KNOWN ? -EINVAL : pt_root_check(root, start, end);
	struct pt_way way;

	if (err)
		return err;
	pt_descend(root, start, pt_cover_level(start, end - 1), &way);
	return pt_alter(&pt_protect_client, &op.walk, &way);
}

/* ---- Map: a pass that makes sure of room, then one that fills it. ---- */

/* Can leaves stand for whole entries from va on? */
PT_EXPR(bool, pt_map_fits, (const struct pt_op *op, va_t va, unsigned level),
	level == 0 || ((pt_root_leaf_levels(op->walk.root) >> level & 1) &&
		       !((va | (va + op->delta)) & pt_mask(level))))

/* From the lowest level that holds all: that of the one leaf that will do, if one does. */
PT_EXPR(unsigned, pt_map_level, (const struct pt_op *op, unsigned level),
	level + (op->walk.last - op->walk.va == pt_mask(level + 1) &&
		 pt_map_fits(op, op->walk.va, level + 1)))

/* How many entries from p on are none, `count` at most: two a turn, as most are. */
PT_INLINE unsigned pt_none_run(ptp_t p, unsigned count)
{
	unsigned left = count;

	for (; left >= 2 && ptv_none(ptp_get(p)) && ptv_none(ptp_get(ptp_next(p))); left -= 2)
		p = ptp_step(p, 2);
	return count - left + (left && ptv_none(ptp_get(p)));
}

PT_EXPR(unsigned, pt_prepare_run, (struct pt_walk * w, struct pt_at *at, unsigned count),
	pt_map_fits((struct pt_op *)w, at->va, at->p.level) ? pt_none_run(at->p, count) : 0)

static int pt_prepare_entry(struct pt_walk *w, struct pt_at *at)
{
	int err = at->p.level > 0 && ptv_none(at->v) ? pt_populate(w->root, at->p) : -EEXIST;

	return err ? err : PT_AGAIN;
}

/* Does a leaf fit in the place of the table under the walker, if that is empty? */
PT_EXPR(bool, pt_map_replaces, (const struct pt_walk *w, const struct pt_at *at),
	pt_covers(w, at) && pt_map_fits((const struct pt_op *)w, at->va, at->p.level))

/* A bottom table without an entry needs no visit. */
PT_EXPR(int, pt_prepare_enter, (struct pt_walk * w, struct pt_at *at),
	at->p.level == 1 && pt_is_empty(ptv_to_table(at->v)) && !pt_map_replaces(w, at) ? PT_SKIP
											: PT_DONE)

/* A table that turned out empty makes room for a leaf, if one fits. */
PT_EXPR(int, pt_prepare_leave, (struct pt_walk * w, struct pt_at *at),
	pt_map_replaces(w, at) ? pt_leave_prune(w, at) : PT_DONE)

/* Fill `count` entries, which are none: eight a turn. */
PT_INLINE unsigned pt_fill(const struct pt_op *op, struct pt_at *at, unsigned count)
{
	ptv_t v = ptv_make_leaf(PA(at->va + op->delta), op->attr, at->p.level);
	ptp_t p = at->p;
	unsigned left = count;

	for (; left >= 8; left -= 8, p = ptp_step(p, 8))
		PT_UNROLL
	for (int i = 0; i < 8; i++, v = ptv_leaf_next(v))
		ptp_set(ptp_step(p, i), v);
	for (; left; left--, p = ptp_next(p), v = ptv_leaf_next(v))
		ptp_set(p, v);
	at->delta += (int)count;
	return count;
}

/* Up to a table: all else is none. */
PT_EXPR(unsigned, pt_fill_run, (struct pt_walk * w, struct pt_at *at, unsigned count),
	pt_fill((struct pt_op *)w, at, at->p.level > 0 ? pt_none_run(at->p, count) : count))

/* Both passes in one, if that is all there is to it, and leaves fit. */
PT_EXPR(unsigned, pt_map_run, (struct pt_walk * w, struct pt_at *at, unsigned count),
	pt_none_run(at->p, count) == count ? pt_fill((struct pt_op *)w, at, count) : 0)

static const struct pt_client pt_prepare_client = { .entry = pt_prepare_entry,
						    .run = pt_prepare_run,
						    .enter = pt_prepare_enter,
						    .leave = pt_prepare_leave,
						    .change = true,
						    .whole = true };
static const struct pt_client pt_fill_client = { .run = pt_fill_run };
static const struct pt_client pt_map_client = { .run = pt_map_run };

/*
 * Map where it takes more than a run. With `err`, or if it fails, what has been made is taken back:
 * nothing is mapped before the address where it failed, and on the way there may be tables without
 * an entry.
 */
PT_SLOW int pt_map_range(const struct pt_root *root, va_t va, va_t last, uint64_t delta,
			 pt_attr_t attr, struct pt_batch *batch, int err)
{
	struct pt_op op = { { root, va, last, batch }, { { delta, attr } } }, undo = op;
	struct pt_way way;
	pt_t table = pt_descend(root, va, pt_map_level(&op, pt_cover_level(va, last)), &way);

	if (!err)
		err = pt_walk_table(&pt_prepare_client, &op.walk, table);
	if (!err) {
		op.walk.va = va;
		return pt_walk_table(&pt_fill_client, &op.walk, table);
	}
	undo.walk.last = op.walk.va - 1;
	undo.drop = NULL;
	if (op.walk.va > va)
		pt_walk_range(&pt_unmap_client, &undo.walk);
	if (pt_is_empty(pt_descend(root, op.walk.va, 0, &way)))
		pt_climb(root, &way, batch);
	return err;
}

PT_API int pt_map(const struct pt_root *root, va_t va, pa_t pa, uint64_t bytes, pt_attr_t attr,
		  struct pt_batch *batch)
{
	const va_t last = va + bytes - 1;
	const uint64_t pa_last = pa.value + bytes - 1, delta = pa.value - va;
	struct pt_op op = { { root, va, last, batch }, { { delta, attr } } };
	struct pt_way way;
	unsigned level;
	int err = 0;
	pt_t table;

	if (((attr & ~PT_ATTR_KNOWN) | ((va | pa.value | bytes) & pt_mask(0))) ||
	    pa_last < pa.value || pa_last > pt_pa_limit() - 1)
		return -EINVAL;
	if (!pt_root_covers(root, va, last))
		return bytes ? -ERANGE : -EINVAL;
	level = pt_map_level(&op, pt_cover_level(va, last));
	if (level > 0 && !pt_map_fits(&op, va, level))
		return pt_map_range(root, va, last, delta, attr, batch, 0);
	table = pt_descend(root, va, level, &way);
	if (table.level > level) {
		err = pt_descend_make(root, va, level, &way);
		table = way.table;
	}
	if (!err && pt_run(&pt_map_client, &op.walk, table))
		return 0;
	return pt_map_range(root, va, last, delta, attr, batch, err);
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

/* After its table has been visited: a leaf takes its place, if it says the same. */
static int pt_merge_leave(struct pt_walk *w, struct pt_at *at)
{
	pt_t table = ptv_to_table(at->v);
	ptv_t leaf = ptv_make_none(at->v.level);

	if (pt_covers(w, at) && (pt_root_leaf_levels(w->root) >> at->v.level & 1) &&
	    pt_meta(table)->live == PT_ENTRY_COUNT)
		leaf = pt_merge_value(at->v);
	if (ptv_none(leaf))
		return PT_DONE;
	ptp_exchange(at->p, leaf);
	pt_release(w->root->owner, table, w->batch);
	((struct pt_op *)w)->merged_count++;
	return PT_DONE;
}

/* What others see, too, stays. */
PT_EXPR(int, pt_merge_shared, (struct pt_walk * w, struct pt_at *at), (void)w, (void)at, PT_SKIP)

static const struct pt_client pt_merge_client = { .shared = pt_merge_shared,
						  .leave = pt_merge_leave,
						  .sparse = true,
						  .change = true,
						  .whole = true };

PT_API int pt_merge(const struct pt_root *root, va_t start, va_t end, struct pt_batch *batch)
{
	struct pt_op op = { { root, start, end - 1, batch }, { .merged_count = 0 } };
	int err = pt_root_check(root, start, end);

	if (!err)
		err = pt_walk_range(&pt_merge_client, &op.walk);
	return err ? err : op.merged_count;
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
	struct pt_op op = { { root, root->first, root->last, batch }, .drop = drop };
	int err;

	root->keep_level = PT_LEVEL_COUNT;
	err = pt_walk_range(&pt_unmap_client, &op.walk);
	PT_ASSERT(err == 0); /* nothing is covered in part, so nothing is split */
	pt_release(root->owner, root->top, batch);
}
