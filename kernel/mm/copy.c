/*
 * copy_page_range: every leaf is copied that the strategy has not shared already (share.c).
 *
 * The walk goes over the source; the destination's tables follow it level by level, so an entry and
 * its copy have the same index. The walk can be broken off at any bottom table (to give others the
 * CPU) or at a soft entry (to get count room without locks) and goes on from its va: nothing is
 * kept across a break but that address.
 *
 * Locking: the destination is nobody else's yet. The source's layout lock keeps its areas as
 * they are; its lock is held for writing, so there is no lock to take per table or page, and is
 * let go at a break, so that faults that wait come in. The source is flushed once at the end,
 * and before every break: as long as the lock is held a CPU of the parent may still write to a
 * page that has been copied, which the child, not running yet, cannot tell from a write before
 * the fork; but a fault that copied such a page would lose that write. Talks to: space, share,
 * flush, notifier, swap.
 */
#include <lib/printk.h>
#include <lib/string.h>
#include <mm/copy.h>
#include <mm/copy_table.h>
#include <mm/flush.h>
#include <mm/share.h>
#include <mm/swap.h>

unsigned copy_break_interval;
uint64_t copy_break_count;

struct copy {
	const struct pt_root *root, *dst;
	va_t va, last;           /* still to do, both inclusive */
	pt_t *table;             /* the destination's, by level, where the walk is */
	struct pt_change change; /* from a leaf to its copy */
	bool cow;
	va_t bottom;          /* the last address of the bottom table whose leaves are copied */
	unsigned since_break; /* bottom tables */
	swap_slot_t starved;  /* -ENOSPC: the slot that needs count room */
	struct space *src;
	struct pt_batch *batch; /* of the source: what is write-protected and not flushed */
	bool broken;            /* there was a break: the books of both sides may differ */
};

/* The destination's entry that corresponds to the one under the walker. */
PT_INLINE ptp_t copy_dst(const struct copy *c, const struct pt_at *at)
{
	return pt_entry(c->table[at->p.level], ptp_index(at->p));
}

static int copy_soft(struct copy *c, const struct pt_at *at)
{
	int err = swap_get(ptv_soft_data(at->v));

	if (err) {
		c->starved = ptv_soft_data(at->v);
		return err;
	}
	ptp_change(copy_dst(c, at), at->v);
	return 0;
}

/* Leaves from here on, `count` at most, of which there is no copy yet. Returns how many. */
PT_INLINE unsigned copy_leaves(const struct copy *c, const struct pt_at *at, unsigned count)
{
	const struct pt_change change = c->change;
	const bool cow = c->cow;
	const unsigned order = at->p.level * PT_TABLE_BITS, first = ptp_index(at->p);
	ptp_t p = at->p, d = copy_dst(c, at);
	unsigned n = 0;
	ptv_t v;

	for (; n < count && ptv_is_leaf(v = ptp_get(p)) && ptv_none(ptp_get(d)); n++) {
		if (cow)
			v = ptp_write_protect(p);
		if (!(ptv_attr(v) & PT_DEVMAP))
			frame_get_span(pa_to_frame(ptv_pa(v)), order);
		ptp_set(d, ptv_change(v, change));
		p = ptp_next(p);
		d = ptp_next(d);
	}
	if (n)
		pt_meta_add(pt_meta(c->table[at->p.level]), (int)n, first, first + n - 1);
	return n;
}

/* Leaves, or whatever else copy_table_entries has left over. */
static int copy_entry(struct copy *c, struct pt_iter *it, const struct pt_at *at)
{
	unsigned n;

	switch (ptv_kind(at->v)) {
	case PT_LEAF:
		n = copy_leaves(c, at, 1 + pt_iter_room(it));
		if (n)
			pt_iter_step(it, n - 1);
		return 0;
	case PT_SOFT:
		return ptv_none(ptp_get(copy_dst(c, at))) ? copy_soft(c, at) : 0;
	case PT_BAD:
		ptp_clear_bad(at->p, at->va);
		return 0;
	case PT_NONE:
	case PT_TABLE:
		break;
	}
	return 0;
}

/* Is it time to let others run? Asked once a bottom table, which is at most 512 entries of work. */
static bool copy_must_break(struct copy *c)
{
	bool forced = copy_break_interval && c->since_break >= copy_break_interval;

	if (!forced && (!c->since_break || !rw_needbreak(&c->src->lock)))
		return false;
	c->since_break = 0;
	return true;
}

/* The leaves of a bottom table at once, before the walk looks for anything else in it: is there
 * anything? When a break has led back into the table, the walk does what is left. */
static bool copy_bottom(struct copy *c, const struct pt_at *at)
{
	unsigned first = pt_index(at->va, 0);
	va_t last = at->va | pt_mask(1);
	bool left = false;

	if (c->bottom == last)
		return true;
	c->bottom = last;
	c->since_break++;
	last = last < c->last ? last : c->last;
	copy_table_entries(ptv_to_table(at->v), c->table[0], first, pt_index(last, 0),
			   c->cow ? COPY_COW : COPY_SHARED, &left);
	return left;
}

/* A table of the source: the destination gets one, too. */
static int copy_enter(struct copy *c, struct pt_iter *it, const struct pt_at *at)
{
	ptp_t d = copy_dst(c, at);
	pt_t table;
	int err;

	if (at->p.level == 1 && copy_must_break(c))
		return -EAGAIN;
	if (ptv_none(ptp_get(d)) && (err = pt_populate(c->dst, d)))
		return err;
	table = ptv_to_table(ptp_get(d));
	c->table[table.level] = table;
	/* If it is the same table, that is shared, with all that is in it. */
	if (!pa_equal(table.pa, ptv_pa(at->v)) && (table.level > 0 || copy_bottom(c, at)))
		pt_iter_enter(it, at);
	return 0;
}

/* Let go of the source for a moment: for others, or to get count room for the starved slot. */
static int copy_break(struct copy *c, bool starved)
{
	int err = 0;

	flush_now(c->batch);
	rw_write_unlock(&c->src->lock);
	if (starved)
		err = swap_reserve(c->starved);
	else
		__atomic_add_fetch(&copy_break_count, 1, __ATOMIC_RELAXED);
	rw_write_lock(&c->src->lock);
	flush_add_range(c->batch, c->va, c->last, 0);
	c->broken = true;
	return err;
}

/* A range that consists of huge leaves in one table needs no walk. Returns 1 if that was it, or 0,
 * or -ENOMEM. */
PT_INLINE int copy_at_once(struct copy *c)
{
	pt_t from = c->root->top, to = c->dst->top;
	struct pt_at at = { .va = c->va };
	unsigned whole;

	while (from.level > 1 && !((c->va ^ c->last) >> pt_shift(from.level))) {
		unsigned i = pt_index(c->va, from.level);
		ptv_t v = ptp_get(pt_entry(from, i));
		ptp_t d = pt_entry(to, i);

		if (!ptv_is_table(v))
			return 0;
		if (ptv_none(ptp_get(d)) && pt_populate(c->dst, d))
			return -ENOMEM;
		from = ptv_to_table(v);
		to = ptv_to_table(ptp_get(d));
		if (pa_equal(from.pa, to.pa))
			return 1; /* shared, as in copy_enter */
		c->table[to.level] = to;
	}
	whole = pt_whole_entries(from, c->va, c->last);
	at.p = pt_entry(from, pt_index(c->va, from.level));
	return whole && copy_leaves(c, &at, whole) == whole;
}

/* Walk from where it is on. */
static int copy_walk(struct copy *c)
{
	struct pt_iter it;
	struct pt_at at;
	int done;

	c->table[c->dst->top.level] = c->dst->top;
	done = copy_at_once(c);
	if (done)
		return done < 0 ? done : 0;
	pt_iter_init(&it, c->root, c->va, c->last + 1);
	it.flags = PT_TABLES;
	while (!it.err && pt_iter_next(&it, &at)) {
		it.err = ptv_is_table(at.v) ? copy_enter(c, &it, &at) : copy_entry(c, &it, &at);
		if (it.err)
			c->va = at.va;
	}
	return pt_iter_fini(&it);
}

/* Walk to the end, through all the breaks. 0 or -ENOMEM. */
static int copy_run(struct copy *c)
{
	int err, again;

	do {
		err = copy_walk(c);
		again = err == -EAGAIN || err == -ENOSPC;
		if (again)
			err = copy_break(c, err == -ENOSPC);
	} while (again && !err);
	return err;
}

/* The copy has as many pages as the source, unless that was used in a break. */
static void copy_books(struct copy *c, struct space *dst, struct area *clone, struct area *area)
{
	if (c->broken) {
		area_recount(dst, clone, clone->start, clone->end, clone->mapped);
		return;
	}
	area_collect(area);
	memcpy(clone->mapped, area->mapped, sizeof(clone->mapped));
}

/* A failed copy leaves nothing in the destination. Shared with the source is only what lies in the
 * area as a whole; it goes as a whole, so this needs no memory. */
static void copy_undo(struct space *dst, const struct area *area)
{
	FLUSH_BATCH(batch);
	int err;

	flush_begin(&batch, dst);
	err = space_zap(dst, area->start, area->end, &batch);
	ASSERT_EQ(err, 0);
	flush_end(&batch);
}

/* Copy the range as far as it lies in the area. */
static int copy_part(struct copy *c, const struct area *area, va_t start, va_t last)
{
	c->va = start > area->start ? start : area->start;
	c->last = last < area->end - 1 ? last : area->end - 1;
	if (c->va > c->last)
		return 0;
	if (c->cow)
		flush_add_range(c->batch, c->va, c->last, 0);
	return copy_run(c);
}

/* Copy what is not shared of one area. src is flushed by the caller. */
static int copy_area(struct space *dst, struct space *src, struct area *area,
		     struct pt_batch *batch, const struct share_rest *rest)
{
	bool cow = area_is_cow(area);
	struct area *clone = space_find_area(dst, area->start);
	pt_t table[PT_LEVEL_MAX];
	struct copy c = {
		.root = &src->root,
		.dst = &dst->root,
		.table = table,
		.src = src,
		.batch = batch,
		.change = pt_change_make(PT_YOUNG | (cow ? PT_W : PT_DIRTY), 0),
		.cow = cow,
	};
	int err = 0;

	ASSERT(clone && clone->start == area->start && clone->end == area->end);
	if (rest->count > SHARE_REST_MAX)
		err = copy_part(&c, area, area->start, area->end - 1);
	else
		for (unsigned i = 0; i < rest->count && !err; i++)
			err = copy_part(&c, area, rest->range[i].start, rest->range[i].last);
	if (!err)
		copy_books(&c, dst, clone, area);
	return err;
}

/* If it fails, part of it may be there: for copy_page_range to take out, or to go with dst. */
static int copy_range(struct space *dst, struct space *src, struct area *area)
{
	struct share_rest rest = { .count = SHARE_REST_MAX + 1 };
	struct notifier_section section;
	bool cow = area_is_cow(area);
	FLUSH_BATCH(batch);
	int err = 0;

	if (cow)
		notifier_start(&src->notifier, &section, area->start, area->end, NOTIFY_COW, true);
	flush_begin(&batch, src);
	if (cow && fork_shares_tables && dst->family == src->family) {
		rest.count = 0;
		flush_add_range(&batch, area->start, area->end - 1, 0);
		err = share_range(dst, src, area->start, area->end - 1, &rest);
	}
	if (!err)
		err = copy_area(dst, src, area, &batch, &rest);
	flush_end(&batch);
	if (cow)
		notifier_end(&src->notifier, &section);
	return err;
}

int copy_page_range(struct space *dst, struct space *src, const struct area *area)
{
	int err;

	rw_write_lock(&src->layout);
	rw_write_lock(&src->lock);
	err = copy_range(dst, src, space_find_area(src, area->start));
	if (err)
		copy_undo(dst, area);
	rw_write_unlock(&src->lock);
	rw_write_unlock(&src->layout);
	return err;
}

/* ---- Fork. ---- */

/* All areas that a fork inherits, without pages. */
static int fork_areas(struct space *dst, struct space *src)
{
	const struct area *area;
	struct area *clone;
	int err = 0;

	list_for_each(area, &src->areas, link) {
		if (!(area->flags & AREA_NOFORK))
			err = space_clone_area(dst, area, &clone);
		if (err)
			break;
	}
	return err;
}

static int fork_eager(struct space *dst, struct space *src)
{
	struct area *area;
	int err = 0;

	list_for_each(area, &src->areas, link) {
		if (!(area->flags & AREA_NOFORK))
			err = copy_range(dst, src, area);
		if (err)
			break;
	}
	return err;
}

/* Share from the top, copy the rest; one section and one flush around it all. */
static int fork_shared(struct space *dst, struct space *src)
{
	const struct pt_root *root = &src->root;
	struct share_rest rest = { .count = 0 };
	struct notifier_section section;
	struct area *area;
	FLUSH_BATCH(batch);
	int err;

	notifier_start(&src->notifier, &section, root->first, root->last + 1, NOTIFY_COW, true);
	flush_begin(&batch, src);
	flush_add_range(&batch, root->first, root->last, 0);
	err = share_range(dst, src, root->first, root->last, &rest);
	list_for_each(area, &src->areas, link) {
		if (!err && !(area->flags & AREA_NOFORK))
			err = copy_area(dst, src, area, &batch, &rest);
	}
	flush_end(&batch);
	notifier_end(&src->notifier, &section);
	return err;
}

struct space *space_fork(struct space *src)
{
	struct space *dst = space_create_related(src);
	int err;

	if (!dst)
		return NULL;
	rw_write_lock(&src->layout);
	rw_write_lock(&src->lock);
	err = fork_areas(dst, src);
	if (!err)
		err = fork_shares_tables ? fork_shared(dst, src) : fork_eager(dst, src);
	if (err) {
		space_destroy(dst); /* before anybody can see the half of it */
		dst = NULL;
	}
	rw_write_unlock(&src->lock);
	rw_write_unlock(&src->layout);
	return dst;
}
