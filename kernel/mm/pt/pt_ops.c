/*
 * The operations of pt_ops.h as clients of the walker. Included by one .c file per format, after it
 * has named the format (pt.h). No state; locking as pt.h says.
 */
#include "pt_ops.h"
#include "pt_walk.h"

#define PT_RIGHTS (PT_RWX | PT_U)

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
	ptp_t p = pt_top(root, va);

	for (*v = ptp_get(p); ptv_is_table(*v); *v = ptp_get(p))
		p = pt_walk(*v, va);
	return p;
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
	struct pt_span s;
	ptp_t p;
	ptv_t v;

	if (!pt_root_covers(root, va, va))
		return (struct pt_span){ .va = va, .last = va, .kind = PT_NONE };
	for (p = pt_top(root, va), v = ptp_get(p); ptv_is_table(v); v = ptp_get(p)) {
		rights &= ptv_attr(v);
		p = pt_walk(v, va);
	}
	s = pt_span_of(v, va, rights);
	s.pa.value += va - s.va;
	s.va = va;
	return s;
}

/* ---- Taking empty tables out. ---- */

PT_INLINE int pt_pass_entry(struct pt_walk *w, struct pt_at *at)
{
	(void)w, (void)at;
	return PT_DONE;
}

struct pt_prune {
	struct pt_walk walk;
};
static const struct pt_client pt_prune_client = {
	.entry = pt_pass_entry,
	.leave = pt_leave_prune,
	.sparse = true,
};
PT_WALKER(pt_prune, struct pt_prune, pt_prune_client)

/* ---- Map: a pass that makes sure of room, then one that fills it. ---- */

struct pt_map {
	struct pt_walk walk;
	uint64_t delta;  /* pa - va, the same for the whole range */
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

/* An empty bottom table needs no look at its entries. */
PT_INLINE int pt_map_prepare_enter(struct pt_walk *w, struct pt_at *at)
{
	return at->p.level == 1 && pt_table_empty(at->v) && !pt_map_fits((struct pt_map *)w, at) ?
		       PT_SKIP :
		       PT_DONE;
}

/* A table that turned out empty makes room for a leaf, if one fits. */
PT_INLINE int pt_map_prepare_leave(struct pt_walk *w, struct pt_at *at)
{
	if (pt_map_fits((struct pt_map *)w, at) && pt_table_empty(at->v))
		pt_at_prune(w, at);
	return PT_DONE;
}

static const struct pt_client pt_map_prepare_client = {
	.entry = pt_map_prepare_entry,
	.enter = pt_map_prepare_enter,
	.leave = pt_map_prepare_leave,
	.change = true,
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
};
PT_WALKER(pt_map_commit, struct pt_map, pt_map_commit_client)

static int pt_map_check(const struct pt_root *root, va_t va, pa_t pa, uint64_t bytes, pt_attr_t attr)
{
	uint64_t limit = pt_pa_limit();

	if ((attr & ~PT_ATTR_KNOWN) || (pa.value & pt_mask(0)))
		return -EINVAL;
	if (bytes - 1 > limit - 1 || pa.value > limit - bytes)
		return -EINVAL;
	return pt_check_range(root, va, va + bytes);
}

int pt_map(const struct pt_root *root, va_t va, pa_t pa, uint64_t bytes, pt_attr_t attr,
	   struct pt_batch *batch)
{
	struct pt_map prepare = {
		.walk = pt_walk_of(root, va, va + bytes, batch),
		.delta = pa.value - va,
		.attr = attr,
		.levels = pt_root_leaf_levels(root),
		.run = ptv_make_leaf(pa, attr, 0),
	};
	struct pt_map commit = prepare;
	struct pt_prune prune = { prepare.walk };
	int err = pt_map_check(root, va, pa, bytes, attr);

	if (err)
		return err;
	err = pt_map_prepare(&prepare);
	if (err) {
		prune.walk.last = prepare.walk.va;
		pt_prune(&prune);
		return err;
	}
	return pt_map_commit(&commit);
}

/* ---- Reserve: the tables, without anything in them. ---- */

struct pt_reserve {
	struct pt_walk walk;
	unsigned level;
};

PT_INLINE int pt_reserve_entry(struct pt_walk *w, struct pt_at *at)
{
	int err;

	if (!ptv_none(at->v) || at->p.level <= ((struct pt_reserve *)w)->level)
		return PT_DONE;
	err = pt_populate(w->root, at->p);
	return err ? err : PT_AGAIN;
}

PT_INLINE int pt_reserve_enter(struct pt_walk *w, struct pt_at *at)
{
	return at->p.level <= ((struct pt_reserve *)w)->level + 1 ? PT_SKIP : PT_DONE;
}

static const struct pt_client pt_reserve_client = {
	.entry = pt_reserve_entry,
	.enter = pt_reserve_enter,
};
PT_WALKER(pt_reserve_walk, struct pt_reserve, pt_reserve_client)

int pt_reserve(const struct pt_root *root, va_t start, va_t end, unsigned level)
{
	struct pt_reserve r = { pt_walk_of(root, start, end, NULL), level };
	int err = pt_check_range(root, start, end);

	return err ? err : pt_reserve_walk(&r);
}

/* ---- Unmap and protect. ---- */

int pt_cut(const struct pt_root *root, va_t va)
{
	int err = 0;

	while (!err || err == -EAGAIN) {
		ptv_t v;
		ptp_t p = pt_find(root, va, &v);

		if (!ptv_is_huge(v) || !(va & pt_mask(v.level)))
			return 0;
		err = pt_make_exclusive(root, va);
		p = pt_find(root, va, &v);
		if (!err)
			err = pt_split(root, p);
	}
	return err;
}

/*
 * Cut at the end of a range before anything changes. The cut at its start comes by itself, first;
 * so only an end that may lie in another leaf than the start needs this.
 */
static int pt_cut_end(const struct pt_root *root, va_t start, va_t end)
{
	if (end > root->last || !((start ^ (end - 1)) >> (PT_PAGE_SHIFT + PT_TABLE_BITS)))
		return 0;
	return end ? pt_cut(root, end) : 0;
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

	if (!err)
		err = pt_cut_end(root, start, end);
	return err ? err : pt_unmap_walk(&u);
}

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
		want = ptv_make_leaf(ptv_pa(v), (ptv_attr(v) & ~c->clear) | c->set, v.level);
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
	return err ? err : pt_protect_walk(&c);
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
	ptv_t first = ptp_get(p);
	pt_attr_t attr;
	pa_t pa;

	if (!ptv_is_leaf(first) || (ptv_pa(first).value & pt_mask(table.level + 1)))
		return ptv_make_none(table.level + 1);
	pa = ptv_pa(first);
	attr = ptv_attr(first);
	for (unsigned i = 0; i < PT_ENTRY_COUNT; i++, p = ptp_next(p)) {
		ptv_t v = ptp_get(p);

		if (!ptv_is_leaf(v) || !pa_equal(ptv_pa(v), pa_add(pa, i * pt_size(table.level))) ||
		    ((ptv_attr(v) ^ attr) & ~ad))
			return ptv_make_none(table.level + 1);
		attr |= ptv_attr(v) & ad;
	}
	/* The walker may set D in the old table until the flush: what it may write counts as dirty. */
	if (attr & PT_W)
		attr |= ad & PT_ATTR_KNOWN;
	return ptv_make_leaf(pa, attr & (rights | ~PT_RIGHTS), table.level + 1);
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
};
PT_WALKER(pt_merge_walk, struct pt_merge, pt_merge_client)

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
	struct pt_count *count = &((struct pt_counting *)w)->count;

	switch (ptv_kind(at->v)) {
	case PT_LEAF:
		count->leaf[at->p.level]++;
		break;
	case PT_SOFT:
		count->soft[at->p.level]++;
		break;
	case PT_BAD:
		count->bad++;
		break;
	case PT_NONE:
	case PT_TABLE:
		break;
	}
	return PT_DONE;
}

PT_INLINE int pt_count_enter(struct pt_walk *w, struct pt_at *at)
{
	((struct pt_counting *)w)->count.table[at->p.level - 1]++;
	return PT_DONE;
}

static const struct pt_client pt_count_client = {
	.entry = pt_count_entry,
	.enter = pt_count_enter,
	.sparse = true,
};
PT_WALKER(pt_count_walk, struct pt_counting, pt_count_client)

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

struct pt_dumping {
	struct pt_walk walk;
	pt_attr_t rights[PT_LEVEL_MAX]; /* left by the tables above, per level */
	struct pt_span span;            /* being collected; PT_NONE: nothing yet */
	pt_dump_fn *fn;
	void *arg;
};

/* Does `b` go on where `a` ends, saying the same? */
static bool pt_span_continues(const struct pt_span *a, const struct pt_span *b)
{
	const pt_attr_t ad = PT_YOUNG | PT_DIRTY;

	return a->kind == PT_LEAF && b->kind == PT_LEAF && a->level == b->level &&
	       a->last + 1 == b->va && !((a->attr ^ b->attr) & ~ad) &&
	       a->pa.value + (b->va - a->va) == b->pa.value;
}

static void pt_dump_span(struct pt_dumping *d, const struct pt_span *next)
{
	if (pt_span_continues(&d->span, next)) {
		d->span.last = next->last;
		return;
	}
	if (d->span.kind != PT_NONE)
		d->fn(d->arg, &d->span);
	d->span = *next;
}

PT_INLINE int pt_dump_entry(struct pt_walk *w, struct pt_at *at)
{
	struct pt_dumping *d = (struct pt_dumping *)w;
	struct pt_span s = pt_span_of(at->v, at->va, d->rights[at->p.level]);

	pt_dump_span(d, &s);
	return PT_DONE;
}

PT_INLINE int pt_dump_enter(struct pt_walk *w, struct pt_at *at)
{
	struct pt_dumping *d = (struct pt_dumping *)w;

	d->rights[at->p.level - 1] = d->rights[at->p.level] & ptv_attr(at->v);
	return PT_DONE;
}

static const struct pt_client pt_dump_client = {
	.entry = pt_dump_entry,
	.enter = pt_dump_enter,
	.sparse = true,
};
PT_WALKER(pt_dump_walk, struct pt_dumping, pt_dump_client)

int pt_dump(const struct pt_root *root, va_t start, va_t end, pt_dump_fn *fn, void *arg)
{
	struct pt_dumping d = { .walk = pt_walk_of(root, start, end, NULL), .fn = fn, .arg = arg };
	struct pt_span nothing = { .kind = PT_NONE };
	int err = pt_check_range(root, start, end);

	if (err)
		return err;
	d.rights[root->top.level] = PT_RIGHTS;
	err = pt_dump_walk(&d);
	pt_dump_span(&d, &nothing);
	return err;
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
