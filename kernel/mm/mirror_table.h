/*
 * A mirror's table in one format. The format's own .c file names the format and this room's host,
 * includes mm/pt/pt_ops.c, then this, which defines `const struct mirror_format` of the name
 * MIRROR_FORMAT:
 *
 *   #define PT_API static __attribute__((unused))
 *   #define MIRROR_FORMAT vtd_mirror_format
 *   #define PT_FORMAT_HEADER <dev/vtd_pt_format.h>
 *   #define PT_HOST_HEADER <mm/mirror_host.h>
 *   #include <mm/pt/pt_ops.c>
 *   #include <mm/mirror_table.h>
 *
 * Clients of the library's one walker. None of them fails half-way except for memory, and dropping
 * needs none: a leaf that lies in the range in part goes as a whole, which is harmless.
 * Locking: m->lock, held by the caller throughout.
 */
#include <mm/mirror.h>
#include <mm/pt/pt_iter.h>

#define MIRROR_RIGHTS (PT_R | PT_W)

static struct pt_walk mirror_walk_of(struct mirror *m, va_t start, va_t last,
				     struct mirror_stale *stale)
{
	return (struct pt_walk){
		.root = &m->root, .va = start, .last = last, .batch = mirror_batch(stale)
	};
}

/* ---- Opening and closing. ---- */

static int mirror_table_open(struct mirror *m, unsigned top_level)
{
	va_t last = pt_mask(top_level) + (pt_size(top_level) * (PT_ENTRY_COUNT - 1));
	int err = pt_root_init(&m->root, &m->owner, top_level, 0, last);

	m->root.table_rights = MIRROR_RIGHTS;
	return err;
}

/* Everything has been dropped, but tables that are empty may be left. */
static void mirror_table_close(struct mirror *m)
{
	pt_free(&m->root, NULL, NULL);
}

/* ---- Filling. ---- */

struct mirror_filling {
	struct pt_walk walk;
	struct mirror *m;
	struct mirror_stale *stale;
	const struct space_span *span; /* the one that holds the walk's va */
	pt_attr_t access;
	unsigned levels; /* where leaves are legal */
	uint64_t filled_leaves, upgraded_leaves;
};

/* Can one leaf say what the span at hand has for the whole entry under the walker? */
PT_INLINE bool mirror_fill_fits(const struct mirror_filling *f, const struct pt_at *at)
{
	const unsigned level = at->p.level;
	const struct space_span *s = f->span;

	return level == 0 ||
	       (level <= s->level && (f->levels >> level & 1) && pt_covers(&f->walk, at) &&
		!((s->pa.value + (at->va - s->va)) & pt_mask(level)));
}

/* The span that holds va, from one at or before it on. */
PT_INLINE const struct space_span *mirror_span_of(const struct space_span *s, va_t va)
{
	while (va > s->last)
		s++;
	return s;
}

/* What the device may do: write only if it asked to, or if the page is dirty anyway. */
PT_INLINE pt_attr_t mirror_fill_attr(const struct mirror_filling *f, const struct space_span *span)
{
	pt_attr_t attr = span->attr;
	bool write = (attr & PT_W) && ((f->access & PT_W) || (attr & PT_DIRTY));

	return PT_R | (write ? PT_W : 0);
}

/* There is a leaf: it can only lack rights. The device may remember that it lacks them. */
PT_INLINE int mirror_fill_leaf(struct mirror_filling *f, struct pt_at *at, pt_attr_t attr)
{
	const unsigned level = at->p.level;
	pa_t pa = space_span_pa(f->span, at->va);
	ptv_t v = at->v;

	PT_ASSERT(pa_equal(pa_add(ptv_pa(v), at->va & pt_mask(level)), pa));
	if ((ptv_attr(v) & attr) == attr)
		return PT_DONE;
	mirror_stale_range(f->stale, at->va & ~pt_mask(level), at->va | pt_mask(level));
	if (!mirror_fill_fits(f, at)) { /* a huge leaf, of which only a part gets the right */
		int err = pt_split(f->walk.root, at->p, v);

		return err ? err : PT_AGAIN;
	}
	while (!ptp_compare_exchange(at->p, &v,
				     ptv_make_leaf(ptv_pa(v), ptv_attr(v) | attr, level)))
		;
	f->upgraded_leaves++;
	return PT_DONE;
}

static int mirror_fill_entry(struct pt_walk *w, struct pt_at *at)
{
	struct mirror_filling *f = (struct mirror_filling *)w;
	const unsigned level = at->p.level;
	int err;

	f->span = mirror_span_of(f->span, at->va);
	if (!ptv_none(at->v))
		return ptv_is_leaf(at->v) ? mirror_fill_leaf(f, at, mirror_fill_attr(f, f->span))
					  : -EIO;
	if (mirror_fill_fits(f, at)) {
		pt_at_fill(at, ptv_make_leaf(space_span_pa(f->span, at->va),
					     mirror_fill_attr(f, f->span), level));
		f->filled_leaves++;
		return PT_DONE;
	}
	err = pt_populate(w->root, at->p);
	return err ? err : PT_AGAIN;
}

/* An entry of a bottom table that is not just filled. */
static NOINLINE int mirror_fill_odd(struct mirror_filling *f, va_t va, ptp_t p, int *delta)
{
	struct pt_at at = { .va = va, .p = p, .v = ptp_get(p) };
	int r = mirror_fill_entry(&f->walk, &at);

	*delta += at.delta;
	return r;
}

/* Fill `count` entries from p on with pages as long as they are none. Returns how many. */
PT_INLINE unsigned mirror_fill_run(ptp_t p, const pa_t *page, unsigned count, pt_attr_t attr)
{
	unsigned n = 0;

	for (; n < count && ptv_none(ptp_get(p)); n++, p = ptp_next(p))
		ptp_set(p, ptv_make_leaf(page[n], attr, 0));
	return n;
}

/* What most filling is: a bottom table, whose entries are none and get a run of pages. */
PT_INLINE int mirror_fill_bottom(struct mirror_filling *f, struct pt_at *at)
{
	pt_t table = { ptv_to_table(at->v).pa, 0 };
	const va_t end = at->va | pt_mask(1), last = end < f->walk.last ? end : f->walk.last;
	const unsigned first = pt_index(at->va, 0);
	int delta = 0, r = PT_DONE;

	for (va_t va = at->va; va - 1 != last && !r;) {
		const struct space_span *span = f->span = mirror_span_of(f->span, va);
		ptp_t p = pt_entry(table, pt_index(va, 0));
		va_t stop = span->last < last ? span->last : last;
		unsigned n = 0;

		if (span->level == 0)
			n = mirror_fill_run(p, &span->page[(va - span->va) >> PT_PAGE_SHIFT],
					    (unsigned)((stop - va) >> PT_PAGE_SHIFT) + 1,
					    mirror_fill_attr(f, span));
		f->filled_leaves += n;
		delta += (int)n;
		if (!n)
			r = mirror_fill_odd(f, va, p, &delta);
		va += (n ? n : 1) * pt_size(0);
	}
	if (delta)
		pt_meta_add(pt_meta(table), delta, first, pt_index(last, 0));
	return r ? r : PT_SKIP;
}

/* An empty table that was kept gives way to a huge leaf. */
static int mirror_fill_enter(struct pt_walk *w, struct pt_at *at)
{
	struct mirror_filling *f = (struct mirror_filling *)w;

	f->span = mirror_span_of(f->span, at->va);
	if (mirror_fill_fits(f, at) && pt_is_empty(ptv_to_table(at->v))) {
		pt_leave_prune(w, at);
		return PT_AGAIN;
	}
	return at->p.level == 1 ? mirror_fill_bottom(f, at) : PT_DONE;
}

static const struct pt_client mirror_fill_client = {
	.entry = mirror_fill_entry,
	.enter = mirror_fill_enter,
};

/* One walk for each run of spans without a gap. */
static int mirror_table_fill(struct mirror *m, const struct space_span *span, unsigned count,
			     pt_attr_t access, struct mirror_stale *stale)
{
	const struct space_span *end = span + count, *stop;
	struct mirror_filling f = {
		.m = m,
		.stale = stale,
		.access = access,
		.levels = pt_leaf_levels() & ((2u << m->root.leaf_level_max) - 1),
	};
	int err = 0;

	for (; span < end && !err; span = stop) {
		for (stop = span + 1; stop < end && stop->va == stop[-1].last + 1; stop++)
			;
		f.walk = mirror_walk_of(m, span->va, stop[-1].last, stale);
		f.span = span;
		err = pt_walk_range(&mirror_fill_client, &f.walk);
	}
	m->stats.filled_leaves += f.filled_leaves;
	m->stats.upgraded_leaves += f.upgraded_leaves;
	return err;
}

/* ---- Dirty runs on their way to the space. ---- */

struct mirror_dirty {
	struct mirror *m;
	bool any;
	va_t start, last;
};

static void mirror_dirty_end(struct mirror_dirty *d)
{
	if (d->any && d->m->space)
		space_mark_dirty(d->m->space, d->start, d->last);
	d->any = false;
}

/* The device may have written through this leaf. */
PT_INLINE void mirror_dirty_add(struct mirror_dirty *d, va_t va, ptv_t v)
{
	va_t start = va & ~pt_mask(v.level);

	if (!(ptv_attr(v) & (d->m->device->tracks ? PT_DIRTY : PT_W)))
		return;
	if (d->any && d->last + 1 != start)
		mirror_dirty_end(d);
	if (!d->any)
		d->start = start;
	d->last = va | pt_mask(v.level);
	d->any = true;
}

/* ---- Dropping. ---- */

struct mirror_dropping {
	struct pt_walk walk;
	struct mirror_stale *stale;
	struct mirror_dirty dirty;
	uint64_t leaves;
};

static int mirror_drop_entry(struct pt_walk *w, struct pt_at *at)
{
	struct mirror_dropping *d = (struct mirror_dropping *)w;
	ptv_t old = pt_at_clear(at);

	mirror_stale_range(d->stale, at->va & ~pt_mask(at->p.level), at->va | pt_mask(at->p.level));
	mirror_dirty_add(&d->dirty, at->va, old);
	d->leaves++;
	return PT_DONE;
}

/* The same for leaves of a bottom table. */
static unsigned mirror_drop_run(struct pt_walk *w, struct pt_at *at, unsigned count)
{
	struct mirror_dropping *d = (struct mirror_dropping *)w;
	ptp_t p = ptp_bottom(at->p);
	unsigned n = 0;

	if (at->p.level == 0)
		for (; n < count && !ptv_none(ptp_get(p)); n++, p = ptp_next(p))
			mirror_dirty_add(&d->dirty, at->va + n * pt_size(0),
					 ptp_exchange(p, ptv_make_none(0)));
	if (n)
		mirror_stale_range(d->stale, at->va, at->va + n * pt_size(0) - 1);
	at->delta -= (int)n;
	d->leaves += n;
	return n;
}

static const struct pt_client mirror_drop_client = {
	.entry = mirror_drop_entry,
	.run = mirror_drop_run,
	.sparse = true,
};

static const struct pt_client mirror_prune_client = {
	.entry = mirror_drop_entry,
	.run = mirror_drop_run,
	.leave = pt_leave_prune,
	.sparse = true,
};

/* Only if all of the range is in one table can "no" be said at once; an empty table is something,
 * as it is due to be pruned. */
static bool mirror_table_touches(const struct pt_root *root, va_t start, va_t last)
{
	unsigned stop = 0;
	struct pt_way way;

	while (stop < root->top.level && (start ^ last) >> pt_shift(stop + 1))
		stop++;
	pt_descend(root, start, stop, &way);
	if (!ptv_none(way.v) || (way.table.level < root->top.level && pt_is_empty(way.table)))
		return true;
	return way.table.level == stop &&
	       pt_next_live(way.table, pt_index(start, stop)) <= pt_index(last, stop);
}

static void mirror_table_drop(struct mirror *m, va_t start, va_t last, bool prune,
			      struct mirror_stale *stale)
{
	struct mirror_dropping d = {
		.walk = mirror_walk_of(m, start, last, stale),
		.stale = stale,
		.dirty = { .m = m },
	};
	int err = pt_walk_range(prune ? &mirror_prune_client : &mirror_drop_client, &d.walk);

	PT_ASSERT(err == 0);
	mirror_dirty_end(&d.dirty);
	m->stats.dropped_leaves += d.leaves;
}

/* ---- Young and dirty bits. ---- */

struct mirror_harvesting {
	struct pt_walk walk;
	struct mirror_stale *stale;
	struct mirror_dirty dirty;
	pt_attr_t clear;
	bool found;
};

static int mirror_harvest_entry(struct pt_walk *w, struct pt_at *at)
{
	struct mirror_harvesting *h = (struct mirror_harvesting *)w;
	const unsigned level = at->p.level;
	ptv_t v = at->v;

	if (h->clear & PT_DIRTY)
		mirror_dirty_add(&h->dirty, at->va, v);
	else
		h->found |= !h->dirty.m->device->tracks || (ptv_attr(v) & PT_YOUNG);
	if (!(ptv_attr(v) & h->clear))
		return PT_DONE;
	mirror_stale_range(h->stale, at->va & ~pt_mask(level), at->va | pt_mask(level));
	while (!ptp_compare_exchange(at->p, &v,
				     ptv_make_leaf(ptv_pa(v), ptv_attr(v) & ~h->clear, level)))
		;
	return PT_DONE;
}

static const struct pt_client mirror_harvest_client = {
	.entry = mirror_harvest_entry,
	.sparse = true,
};

static bool mirror_table_collect(struct mirror *m, va_t start, va_t last, pt_attr_t clear,
				 struct mirror_stale *stale)
{
	struct mirror_harvesting h = {
		.walk = mirror_walk_of(m, start, last, stale),
		.stale = stale,
		.dirty = { .m = m },
		.clear = clear,
	};
	int err = pt_walk_range(&mirror_harvest_client, &h.walk);

	PT_ASSERT(err == 0);
	mirror_dirty_end(&h.dirty);
	return h.found;
}

static void mirror_table_harvest(struct mirror *m, va_t start, va_t last,
				 struct mirror_stale *stale)
{
	mirror_table_collect(m, start, last, PT_DIRTY, stale);
}

/* A walker that sets no young bits is asked by taking the entry away: it is young as long as it
 * is there. */
static bool mirror_table_test_young(struct mirror *m, va_t start, va_t last, bool clear,
				    struct mirror_stale *stale)
{
	bool young = mirror_table_collect(m, start, last, clear && m->device->tracks ? PT_YOUNG : 0,
					  stale);

	if (clear && young && !m->device->tracks)
		mirror_table_drop(m, start, last, false, stale);
	return young;
}

/* ---- Looking. ---- */

static void mirror_table_count(const struct pt_root *root, uint64_t leaf[PT_LEVEL_MAX])
{
	struct pt_count count;
	int err = pt_count(root, root->first, root->last + 1, &count);

	PT_ASSERT(err == 0);
	for (unsigned level = 0; level < PT_LEVEL_MAX; level++)
		leaf[level] = count.entry[PT_LEAF][level];
}

static bool mirror_table_iter_next(struct pt_iter *it, struct pt_span *span)
{
	struct pt_at at;

	if (!pt_iter_next(it, &at))
		return false;
	*span = (struct pt_span){
		.va = at.va,
		.last = at.va | pt_mask(at.v.level),
		.kind = ptv_kind(at.v),
		.level = at.v.level,
		.pa = pa_add(ptv_pa(at.v), at.va & pt_mask(at.v.level)),
		.attr = ptv_attr(at.v),
	};
	return true;
}

const struct mirror_format MIRROR_FORMAT = {
	.level_count = PT_LEVEL_COUNT,
	.open = mirror_table_open,
	.close = mirror_table_close,
	.fill = mirror_table_fill,
	.touches = mirror_table_touches,
	.drop = mirror_table_drop,
	.harvest = mirror_table_harvest,
	.test_young = mirror_table_test_young,
	.translate = pt_translate,
	.count = mirror_table_count,
	.dump = pt_dump,
	.iter_init = pt_iter_init,
	.iter_next = mirror_table_iter_next,
	.iter_fini = pt_iter_fini,
};
