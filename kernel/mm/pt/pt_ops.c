/*
 * The operations of pt_ops.h as clients of the walker. Included by one .c file per format, after it
 * has named the format (pt.h). No state; locking as pt.h says.
 */
#include "pt_ops.h"
#include "pt_iter.h"
#include "pt_walk.h"

/* ---- Roots and arguments. ---- */

int pt_root_init(struct pt_root *root, struct pt_owner *owner, unsigned top_level, va_t first,
		 va_t last)
{
	*root = (struct pt_root){
		.first = first,
		.last = last,
		.owner = owner,
		.table_rights = PT_RWX,
		.leaf_level_max = PT_LEVEL_COUNT - 1,
		.keep_level = PT_LEVEL_COUNT,
	};
	return pt_alloc(owner, top_level, &root->top);
}

static int pt_check_range(const struct pt_root *root, va_t start, va_t end)
{
	if (((start | end) & pt_mask(0)) || start == end)
		return -EINVAL;
	return pt_root_covers(root, start, end - 1) ? 0 : -ERANGE;
}

static struct pt_walk pt_walk_of(const struct pt_root *root, va_t start, va_t end,
				 struct pt_batch *batch)
{
	return (struct pt_walk){ .root = root, .va = start, .last = end - 1, .batch = batch };
}

/* The levels at which this root may have leaves. */
static unsigned pt_root_leaf_levels(const struct pt_root *root)
{
	return pt_leaf_levels() & ((2u << root->leaf_level_max) - 1);
}

/* ---- Looking one address up. ---- */

ptp_t pt_find(const struct pt_root *root, va_t va, ptv_t *v)
{
	return pt_descend(root, va, 0, false, v, NULL);
}

static struct pt_span pt_span_of(ptv_t v, va_t va, pt_attr_t rights)
{
	struct pt_span s = {
		.va = va & ~pt_mask(v.level),
		.last = va | pt_mask(v.level),
		.kind = ptv_kind(v),
		.level = v.level,
	};

	if (s.kind == PT_LEAF) {
		s.pa = ptv_pa(v);
		s.attr = ptv_attr(v) & (rights | ~PT_RIGHTS);
	} else if (s.kind == PT_SOFT) {
		s.soft = ptv_soft_data(v);
	}
	return s;
}

struct pt_span pt_translate(const struct pt_root *root, va_t va)
{
	pt_attr_t rights = PT_RIGHTS;
	struct pt_span s = { .va = va, .last = va, .kind = PT_NONE };
	ptv_t v;

	if (!pt_root_covers(root, va, va))
		return s;
	pt_descend(root, va, 0, false, &v, &rights);
	s = pt_span_of(v, va, rights);
	s.pa.value += va - s.va;
	s.va = va;
	return s;
}

/* ---- Unmap. ---- */

int pt_cut(const struct pt_root *root, va_t va)
{
	int err;

	do {
		ptv_t v;
		ptp_t p;

		err = pt_reach(root, va, &p, &v);
		if (err || !(ptv_is_leaf(v) || ptv_is_soft(v)) || !(va & pt_mask(v.level)))
			return err;
		err = pt_split(root, p);
	} while (!err || err == -EAGAIN);
	return err;
}

/*
 * Cut at the end of a range before anything changes. The cut at its start comes by itself, first;
 * so only an end that may lie in another leaf than the start needs this.
 */
static int pt_cut_end(const struct pt_root *root, va_t start, va_t end)
{
	if (!((start ^ (end - 1)) >> pt_shift(1)) || end - 1 == root->last)
		return 0;
	return pt_cut(root, end);
}

struct pt_unmap {
	struct pt_walk walk;
	struct pt_drop *drop;
};

PT_INLINE int pt_unmap_entry(struct pt_walk *w, struct pt_at *at)
{
	struct pt_drop *drop = ((struct pt_unmap *)w)->drop;
	ptv_t old = pt_at_clear(at);

	if (drop)
		drop->drop(drop, at->va, old);
	return PT_DONE;
}

static const struct pt_client pt_unmap_client = {
	.entry = pt_unmap_entry,
	.leave = pt_leave_prune,
	.sparse = true,
	.change = true,
};
PT_WALKER(pt_unmap_walk, struct pt_unmap, pt_unmap_client)

int pt_unmap(const struct pt_root *root, va_t start, va_t end, struct pt_drop *drop,
	     struct pt_batch *batch)
{
	struct pt_unmap u = { pt_walk_of(root, start, end, batch), drop };
	int err = pt_check_range(root, start, end);
	ptp_t p;

	if (!err)
		err = pt_cut_end(root, start, end);
	if (err)
		return err;
	p = pt_cover(root, start, end - 1, true);
	err = pt_unmap_walk_from(&u, p);
	if (!err && p.level < root->top.level && !ptp_meta(p)->live) {
		u.walk.va = start; /* once more, for the empty tables above */
		err = pt_unmap_walk(&u);
	}
	return err;
}

/* ---- Map: a pass that makes sure of room, then one that fills it. ---- */

struct pt_map {
	struct pt_walk walk;
	uint64_t delta; /* pa - va, the same for the whole range */
	pt_attr_t attr;
	unsigned levels; /* where leaves are legal */
	ptv_t run;       /* the next level-0 leaf to write */
};

/* Can one leaf stand for the whole entry under the walker? */
PT_INLINE bool pt_map_fits(const struct pt_map *m, const struct pt_at *at)
{
	const unsigned level = at->p.level;

	return level == 0 || ((m->levels >> level & 1) && pt_covers(&m->walk, at) &&
			      !((at->va + m->delta) & pt_mask(level)));
}

PT_INLINE int pt_map_prepare_entry(struct pt_walk *w, struct pt_at *at)
{
	int err;

	if (!ptv_none(at->v))
		return -EEXIST;
	if (pt_map_fits((struct pt_map *)w, at))
		return PT_DONE;
	err = pt_populate(w->root, at->p);
	return err ? err : PT_AGAIN;
}

/* A table that turned out empty makes room for a leaf, if one fits. */
PT_INLINE int pt_map_prepare_leave(struct pt_walk *w, struct pt_at *at)
{
	return pt_map_fits((struct pt_map *)w, at) ? pt_leave_prune(w, at) : PT_DONE;
}

static const struct pt_client pt_map_prepare_client = {
	.entry = pt_map_prepare_entry,
	.leave = pt_map_prepare_leave,
	.makes = true,
	.change = true,
	.whole = true,
};
PT_WALKER(pt_map_prepare, struct pt_map, pt_map_prepare_client)

PT_INLINE int pt_map_commit_entry(struct pt_walk *w, struct pt_at *at)
{
	struct pt_map *m = (struct pt_map *)w;

	if (at->p.level == 0) {
		pt_at_fill(at, m->run);
		m->run = ptv_leaf_next(m->run);
	} else {
		pt_at_fill(at, ptv_make_leaf(PA(at->va + m->delta), m->attr, at->p.level));
	}
	return PT_DONE;
}

PT_INLINE int pt_map_commit_enter(struct pt_walk *w, struct pt_at *at)
{
	struct pt_map *m = (struct pt_map *)w;

	if (at->p.level == 1)
		m->run = ptv_make_leaf(PA(at->va + m->delta), m->attr, 0);
	return PT_DONE;
}

static const struct pt_client pt_map_commit_client = {
	.entry = pt_map_commit_entry,
	.enter = pt_map_commit_enter,
	.blind = true,
};
PT_WALKER(pt_map_commit, struct pt_map, pt_map_commit_client)

static int pt_map_check(const struct pt_root *root, va_t va, pa_t pa, uint64_t bytes,
			pt_attr_t attr)
{
	uint64_t pa_last = pa.value + bytes - 1;

	if ((attr & ~PT_ATTR_KNOWN) || ((va | pa.value | bytes) & pt_mask(0)) || !bytes ||
	    pa_last < pa.value || pa_last > pt_pa_limit() - 1)
		return -EINVAL;
	return pt_root_covers(root, va, va + bytes - 1) ? 0 : -ERANGE;
}

/* Take back what a map that failed at `end` has made: nothing is mapped before it, or behind start.
 * */
static void pt_map_undo(struct pt_walk w, va_t end, int err)
{
	struct pt_unmap u = { w, NULL };

	u.walk.last = err == -EEXIST ? end - 1 : end;
	if (u.walk.last >= u.walk.va)
		pt_unmap_walk(&u);
}

int pt_map(const struct pt_root *root, va_t va, pa_t pa, uint64_t bytes, pt_attr_t attr,
	   struct pt_batch *batch)
{
	struct pt_map commit = {
		.walk = pt_walk_of(root, va, va + bytes, batch),
		.delta = pa.value - va,
		.attr = attr,
		.levels = pt_root_leaf_levels(root),
		.run = ptv_make_leaf(pa, attr, 0),
	};
	struct pt_map prepare = commit;
	int err = pt_map_check(root, va, pa, bytes, attr);
	ptp_t p;

	if (err)
		return err;
	p = pt_cover(root, va, va + bytes - 1, true);
	err = pt_map_prepare_from(&prepare, p);
	if (!err)
		return pt_map_commit_from(&commit, p);
	if (p.level > 0)
		pt_map_undo(commit.walk, prepare.walk.va, err);
	return err;
}

/* ---- Reserve: the tables, without anything in them. ---- */

int pt_reserve(const struct pt_root *root, va_t start, va_t end, unsigned level)
{
	int err = pt_check_range(root, start, end);
	struct pt_iter_at at;
	struct pt_iter it;

	if (err || level >= root->top.level)
		return err;
	pt_iter_init(&it, root, start, end);
	while (!err && (err = pt_iter_next_alloc(&it, level + 1, &at)) > 0)
		err = ptp_none_or_clear_bad(at.p, at.va) ? pt_populate(root, at.p) : 0;
	pt_iter_fini(&it);
	return err;
}

/* ---- Protect. ---- */

struct pt_protect {
	struct pt_walk walk;
	pt_attr_t clear, set;
};

PT_INLINE int pt_protect_entry(struct pt_walk *w, struct pt_at *at)
{
	const struct pt_protect *c = (struct pt_protect *)w;
	ptv_t v = at->v, want;

	do {
		if (!ptv_is_leaf(v))
			return PT_DONE;
		want = ptv_leaf_change(v, c->clear, c->set);
		if (ptv_raw(want) == ptv_raw(v))
			return PT_DONE;
	} while (!ptp_compare_exchange(at->p, &v, want));
	return PT_DONE;
}

static const struct pt_client pt_protect_client = {
	.entry = pt_protect_entry,
	.sparse = true,
	.change = true,
};
PT_WALKER(pt_protect_walk, struct pt_protect, pt_protect_client)

int pt_protect(const struct pt_root *root, va_t start, va_t end, pt_attr_t clear, pt_attr_t set)
{
	struct pt_protect c = { pt_walk_of(root, start, end, NULL), clear, set };
	int err = pt_check_range(root, start, end);

	if (!err && (set & ~PT_ATTR_KNOWN))
		err = -EINVAL;
	if (!err)
		err = pt_cut_end(root, start, end);
	return err ? err : pt_protect_walk_from(&c, pt_cover(root, start, end - 1, true));
}

/* ---- Merge. ---- */

struct pt_merge {
	struct pt_walk walk;
	unsigned levels;
	int merged_count;
};

/* What all entries of the table say together: the one leaf, or none. */
static ptv_t pt_merge_value(pt_t table, pt_attr_t rights)
{
	const pt_attr_t ad = PT_YOUNG | PT_DIRTY;
	ptp_t p = pt_entry(table, 0);
	ptv_t v = ptp_get(p);
	pa_t pa = ptv_pa(v), next = pa;
	pt_attr_t attr = ptv_attr(v);

	for (unsigned i = 0; i < PT_ENTRY_COUNT;
	     i++, p = ptp_next(p), next = pa_add(next, pt_size(table.level))) {
		v = ptp_get(p);
		if (!ptv_is_leaf(v) || !pa_equal(ptv_pa(v), next) || ((ptv_attr(v) ^ attr) & ~ad))
			return ptv_make_none(table.level + 1);
		attr |= ptv_attr(v) & ad;
	}
	if (pa.value & pt_mask(table.level + 1))
		return ptv_make_none(table.level + 1);
	/* The walker may set A and D in the old table until the flush: what it may do counts as
	 * done. */
	if (attr & PT_R)
		attr |= attr & PT_W ? ad : PT_YOUNG;
	return ptv_make_leaf(pa, attr & (rights | ~PT_RIGHTS), table.level + 1);
}

PT_INLINE int pt_pass_entry(struct pt_walk *w, struct pt_at *at)
{
	(void)w, (void)at;
	return PT_DONE;
}

PT_INLINE int pt_merge_leave(struct pt_walk *w, struct pt_at *at)
{
	struct pt_merge *m = (struct pt_merge *)w;
	pt_t table = ptv_to_table(at->v);
	ptv_t leaf;

	if (!(m->levels >> at->p.level & 1) || !pt_covers(w, at) ||
	    pt_meta(table)->live != PT_ENTRY_COUNT)
		return PT_DONE;
	leaf = pt_merge_value(table, ptv_attr(at->v));
	if (ptv_none(leaf))
		return PT_DONE;
	ptp_exchange(at->p, leaf);
	pt_release(w->root->owner, table, w->batch);
	m->merged_count++;
	return PT_DONE;
}

static const struct pt_client pt_merge_client = {
	.entry = pt_pass_entry,
	.leave = pt_merge_leave,
	.sparse = true,
	.change = true,
	.whole = true,
};
PT_WALKER_SMALL(pt_merge_walk, struct pt_merge, pt_merge_client)

int pt_merge(const struct pt_root *root, va_t start, va_t end, struct pt_batch *batch)
{
	struct pt_merge m = { pt_walk_of(root, start, end, batch), pt_root_leaf_levels(root), 0 };
	int err = pt_check_range(root, start, end);

	if (!err)
		err = pt_merge_walk(&m);
	return err ? err : m.merged_count;
}

/* ---- Count and dump. ---- */

struct pt_counting {
	struct pt_walk walk;
	struct pt_count count;
};

PT_INLINE int pt_count_entry(struct pt_walk *w, struct pt_at *at)
{
	((struct pt_counting *)w)->count.entry[ptv_kind(at->v)][at->p.level]++;
	return PT_DONE;
}

static const struct pt_client pt_count_client = {
	.entry = pt_count_entry,
	.enter = pt_count_entry,
	.sparse = true,
};
PT_WALKER_SMALL(pt_count_walk, struct pt_counting, pt_count_client)

int pt_count(const struct pt_root *root, va_t start, va_t end, struct pt_count *out)
{
	struct pt_counting c = { .walk = pt_walk_of(root, start, end, NULL) };
	int err = pt_check_range(root, start, end);

	if (err)
		return err;
	err = pt_count_walk(&c);
	*out = c.count;
	return err;
}

/* Does `b` go on where `a` ends, saying the same? */
static bool pt_span_continues(const struct pt_span *a, const struct pt_span *b)
{
	const pt_attr_t ad = PT_YOUNG | PT_DIRTY;

	return a->kind == PT_LEAF && b->kind == PT_LEAF && a->level == b->level &&
	       a->last + 1 == b->va && !((a->attr ^ b->attr) & ~ad) &&
	       a->pa.value + (b->va - a->va) == b->pa.value;
}

int pt_dump(const struct pt_root *root, va_t start, va_t end, pt_dump_fn *fn, void *arg)
{
	struct pt_span span = { .kind = PT_NONE };
	int err = pt_check_range(root, start, end);
	struct pt_iter_at at;
	struct pt_iter it;
	bool more;

	if (err)
		return err;
	pt_iter_init(&it, root, start, end);
	do {
		struct pt_span next = { .kind = PT_NONE };

		more = pt_iter_next(&it, &at);
		if (more)
			next = pt_span_of(at.v, at.va, at.rights);
		if (pt_span_continues(&span, &next)) {
			span.last = next.last;
			continue;
		}
		if (span.kind != PT_NONE)
			fn(arg, &span);
		span = next;
	} while (more);
	pt_iter_fini(&it);
	return 0;
}

/* ---- Teardown. ---- */

void pt_free(struct pt_root *root, struct pt_drop *drop, struct pt_batch *batch)
{
	struct pt_unmap u = { pt_walk_of(root, root->first, root->last + 1, batch), drop };
	int err;

	root->keep_level = PT_LEVEL_COUNT;
	err = pt_unmap_walk(&u);
	PT_ASSERT(err == 0); /* nothing is covered in part, so nothing is split */
	pt_release(root->owner, root->top, batch);
}
