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
 * Loops over the library's one walker. None of them fails half-way except for memory, and dropping
 * needs none: a leaf that lies in the range in part goes as a whole, which is harmless.
 * Locking: m->lock, held by the caller throughout.
 */
#include <mm/mirror.h>
#include <mm/pt/pt_iter.h>

#define MIRROR_RIGHTS (PT_R | PT_W)

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
	struct pt_iter it;
	struct mirror_stale *stale;
	const struct space_span *span; /* the one that holds the walk's va */
	pt_attr_t access;
	unsigned levels;   /* where leaves are legal, */
	va_t table_last;   /* but up to here a table is in the way */
	unsigned in_level; /* of leaves at this level and above */
	uint64_t filled_leaves, upgraded_leaves;
};

/* Can one leaf say what the span at hand has for the whole entry that holds va at this level? */
PT_INLINE bool mirror_fill_fits(const struct mirror_filling *f, va_t va, unsigned level)
{
	const struct space_span *s = f->span;

	return level == 0 || (level <= s->level && (f->levels >> level & 1) &&
			      (va > f->table_last || level < f->in_level) &&
			      !(va & pt_mask(level)) && f->it.last - va >= pt_mask(level) &&
			      !((s->pa.value + (va - s->va)) & pt_mask(level)));
}

/* The level of the largest leaf for where the walk is; with the span that holds it at hand. */
PT_INLINE unsigned mirror_fill_level(struct mirror_filling *f)
{
	unsigned level = 0;

	while (!f->it.done && f->it.va > f->span->last)
		f->span++;
	while (mirror_fill_fits(f, f->it.va, level + 1))
		level++;
	return level;
}

/* What the device may do: write only if it asked to, or if the page is dirty anyway. */
PT_INLINE pt_attr_t mirror_fill_attr(const struct mirror_filling *f)
{
	pt_attr_t attr = f->span->attr;
	bool write = (attr & PT_W) && ((f->access & PT_W) || (attr & PT_DIRTY));

	return PT_R | (write ? PT_W : 0);
}

/* There is nothing yet: fill this entry, and those behind that are pages of the same span. */
PT_INLINE void mirror_fill_none(struct mirror_filling *f, const struct pt_at *at)
{
	const struct space_span *span = f->span;
	const pa_t *page = &span->page[(at->va - span->va) >> PT_PAGE_SHIFT];
	const pt_attr_t attr = mirror_fill_attr(f);
	ptp_t p = at->p;
	unsigned n = 1, room = pt_iter_room(&f->it);
	uint64_t more = (span->last - at->va) >> PT_PAGE_SHIFT;

	ptp_set(p, ptv_make_leaf(space_span_pa(span, at->va), attr, p.level));
	if (p.level == 0 && span->level == 0)
		for (p = ptp_next(p); n <= room && n <= more && ptv_none(ptp_get(p));
		     n++, p = ptp_next(p))
			ptp_set(p, ptv_make_leaf(page[n], attr, 0));
	pt_meta_add(ptp_meta(at->p), (int)n, ptp_index(at->p), ptp_index(at->p) + n - 1);
	pt_iter_step(&f->it, n - 1);
	f->filled_leaves += n;
}

/* There is a leaf: it can only lack rights. The device may remember that it lacks them. */
static int mirror_fill_leaf(struct mirror_filling *f, const struct pt_at *at)
{
	const unsigned level = at->p.level;
	pa_t pa = space_span_pa(f->span, at->va);
	pt_attr_t attr = mirror_fill_attr(f);
	ptv_t v = at->v;

	PT_ASSERT(pa_equal(pa_add(ptv_pa(v), at->va & pt_mask(level)), pa));
	if ((ptv_attr(v) & attr) == attr)
		return 0;
	mirror_stale_range(f->stale, at->va & ~pt_mask(level), at->va | pt_mask(level));
	if (!mirror_fill_fits(f, at->va, level)) { /* a huge leaf, of which a part gets the right */
		pt_iter_seek(&f->it, at->va);
		return pt_split(f->it.root, at->p, v);
	}
	while (!ptp_compare_exchange(at->p, &v,
				     ptv_make_leaf(ptv_pa(v), ptv_attr(v) | attr, level)))
		;
	f->upgraded_leaves++;
	return 0;
}

/* There is a table where a leaf fits. One that is empty gives way. */
static int mirror_fill_table(struct mirror_filling *f, const struct pt_at *at)
{
	pt_iter_seek(&f->it, at->va);
	if (pt_is_empty(ptv_to_table(at->v))) {
		ptp_change(at->p, ptv_make_none(at->p.level));
		pt_release(f->it.root->owner, ptv_to_table(at->v), f->it.batch);
	} else {
		f->table_last = at->va | pt_mask(at->p.level);
		f->in_level = at->p.level;
	}
	return 0;
}

static int mirror_fill_entry(struct mirror_filling *f, const struct pt_at *at)
{
	switch (ptv_kind(at->v)) {
	case PT_NONE:
		mirror_fill_none(f, at);
		return 0;
	case PT_LEAF:
		return mirror_fill_leaf(f, at);
	case PT_TABLE:
		return mirror_fill_table(f, at);
	case PT_SOFT:
	case PT_BAD:
		break;
	}
	return -EIO;
}

/* One walk for each run of spans without a gap. */
static int mirror_table_fill(struct mirror *m, const struct space_span *span, unsigned count,
			     pt_attr_t access, struct mirror_stale *stale)
{
	const struct space_span *end = span + count, *stop;
	struct mirror_filling f = { .stale = stale, .access = access, .in_level = PT_LEVEL_COUNT };
	struct pt_at at;
	int err = 0;

	f.levels = pt_leaf_levels() & ((2u << m->root.leaf_level_max) - 1);
	for (; span < end && !err; span = stop) {
		for (stop = span + 1; stop < end && stop->va == stop[-1].last + 1; stop++)
			;
		pt_iter_init(&f.it, &m->root, span->va, stop[-1].last + 1);
		f.it.batch = mirror_batch(stale);
		f.span = span;
		while (pt_iter_next_alloc(&f.it, mirror_fill_level(&f), &at) > 0) {
			f.it.err = mirror_fill_entry(&f, &at);
			if (f.it.err)
				break;
		}
		err = pt_iter_fini(&f.it);
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

static void mirror_table_drop(struct mirror *m, va_t start, va_t last, bool prune,
			      struct mirror_stale *stale)
{
	struct mirror_dirty dirty = { .m = m };
	struct pt_iter it;
	struct pt_at at;
	int err;

	pt_iter_init(&it, &m->root, start, last + 1);
	it.batch = mirror_batch(stale);
	it.prune_level = prune ? m->root.keep_level : 0;
	while (pt_iter_next(&it, &at)) {
		const uint64_t mask = pt_mask(at.p.level);
		unsigned n = 1, room = at.p.level == 0 ? pt_iter_room(&it) : 0;
		ptp_t p = at.p;

		mirror_dirty_add(&dirty, at.va, ptp_change(at.p, ptv_make_none(at.p.level)));
		for (p = ptp_next(p); n <= room && !ptv_none(ptp_get(p)); n++, p = ptp_next(p))
			mirror_dirty_add(&dirty, at.va + n * pt_size(0),
					 ptp_exchange(p, ptv_make_none(0)));
		mirror_stale_range(stale, at.va & ~mask, (at.va | mask) + (n - 1) * pt_size(0));
		if (n > 1)
			pt_meta_add(ptp_meta(at.p), -(int)(n - 1), 0, 0);
		pt_iter_step(&it, n - 1);
		m->stats.dropped_leaves += n;
	}
	err = pt_iter_fini(&it);
	PT_ASSERT(err == 0);
	mirror_dirty_end(&dirty);
}

/* Only if all of the range is in one table can "no" be said at once; an empty table is something,
 * as it is due to be pruned. */
static bool mirror_table_touches(const struct pt_root *root, va_t start, va_t last)
{
	const unsigned stop = pt_cover_level(start, last);
	struct pt_way way;

	pt_descend(root, start, stop, &way);
	if (!ptv_none(way.v) || (way.table.level < root->top.level && pt_is_empty(way.table)))
		return true;
	return way.table.level == stop &&
	       pt_next_live(way.table, pt_index(start, stop)) <= pt_index(last, stop);
}

/* ---- Young and dirty bits. ---- */

/* What of A and D there is to collect from a leaf, and to clear. Is it young? */
static bool mirror_collect_leaf(struct mirror_dirty *dirty, const struct pt_at *at, pt_attr_t clear,
				struct mirror_stale *stale)
{
	const unsigned level = at->p.level;
	ptv_t v = at->v;

	if (clear & PT_DIRTY)
		mirror_dirty_add(dirty, at->va, v);
	if (ptv_attr(v) & clear) {
		mirror_stale_range(stale, at->va & ~pt_mask(level), at->va | pt_mask(level));
		while (!ptp_compare_exchange(at->p, &v,
					     ptv_make_leaf(ptv_pa(v), ptv_attr(v) & ~clear, level)))
			;
	}
	return !dirty->m->device->tracks || (ptv_attr(at->v) & PT_YOUNG);
}

static bool mirror_table_collect(struct mirror *m, va_t start, va_t last, pt_attr_t clear,
				 struct mirror_stale *stale)
{
	struct mirror_dirty dirty = { .m = m };
	bool young = false;
	struct pt_iter it;
	struct pt_at at;
	int err;

	pt_iter_init(&it, &m->root, start, last + 1);
	while (pt_iter_next(&it, &at))
		young |= mirror_collect_leaf(&dirty, &at, clear, stale);
	err = pt_iter_fini(&it);
	PT_ASSERT(err == 0);
	mirror_dirty_end(&dirty);
	return young;
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
