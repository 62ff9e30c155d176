/*
 * Making pages go out. See reclaim.h.
 *
 * The order: everything that can fail; then write-protect and flush, so that the contents stand
 * still; copy them; then the soft entry, so that whoever finds one finds its page complete;
 * flush again, and only then let go of the frame.
 *
 * The clock: a page that is young when the hand comes by is made old and stays; one that is still
 * old the next time goes. One call comes by every page at least twice, if it needs that many.
 * Locking: the space's lock, written.
 */
#include <mm/flush.h>
#include <mm/reclaim.h>
#include <mm/swap.h>

_Static_assert(PT_SOFT_BITS >= SWAP_SLOT_BITS, "a soft entry holds a slot number");

/* ---- One page. ---- */

struct swap_out {
	struct area *area;
	swap_slot_t slot;
	ptp_t p;
};

/* Can the page at va go out? 0, -EFAULT or -EBUSY. */
static int swap_out_check(const struct space *space, const struct area *area, va_t va)
{
	ptv_t v;

	if (!area)
		return -EFAULT;
	pt_find(&space->root, va, &v);
	if (!ptv_is_leaf(v))
		return -EFAULT;
	if (!space->user || !area_is_cow(area) || area_leaf_kind(area, v) != MAPPED_ANON)
		return -EBUSY;
	/* Writable and yet not ours alone: held by somebody who may write behind the tables'
	 * back. */
	if ((ptv_attr(v) & PT_W) &&
	    !frame_span_exclusive(pa_to_frame(ptv_pa(v)), v.level * PT_TABLE_BITS))
		return -EBUSY;
	return 0;
}

/* All that can fail: a slot, and an entry for the page alone. (The walk splits what covers more
 * than the page, and makes tables on the way exclusive.) */
static int swap_out_prepare(struct swap_out *o, const struct space *space, va_t va)
{
	int err = swap_alloc(&o->slot);
	struct pt_iter it;
	struct pt_at at;

	if (err)
		return err;
	pt_iter_init(&it, &space->root, va, va + PAGE_SIZE);
	it.flags = PT_CHANGE;
	if (pt_iter_next(&it, &at))
		o->p = at.p;
	err = pt_iter_fini(&it);
	if (err)
		swap_put(o->slot);
	return err;
}

/* Nobody writes to the page afterwards. */
static ptv_t swap_out_freeze(const struct swap_out *o, va_t va, struct pt_batch *batch)
{
	ptv_t v = ptp_get(o->p);

	if (!(ptv_attr(v) & PT_W))
		return v;
	while (!ptp_compare_exchange(o->p, &v, ptv_write_protect(v)))
		;
	flush_add_range(batch, va, va | pt_mask(0), 0);
	flush_now(batch);
	return v;
}

static void swap_out_commit(struct swap_out *o, struct space *space, va_t va)
{
	struct frame *frame;
	FLUSH_BATCH(batch);

	flush_begin(&batch, space);
	frame = pa_to_frame(ptv_pa(swap_out_freeze(o, va, &batch)));
	swap_write(o->slot, frame);
	ptp_change(o->p, ptv_make_soft(o->slot, 0));
	area_account(o->area, MAPPED_ANON, -1);
	area_account(o->area, MAPPED_SWAP, 1);
	flush_add_range(&batch, va, va | pt_mask(0), 0);
	flush_add_frame(&batch, frame, 0);
	flush_end(&batch);
}

static int swap_out(struct space *space, va_t va)
{
	const va_t start = va & ~pt_mask(0);
	struct swap_out o = { .area = space_find_area(space, va) };
	struct notifier_section section;
	int err = swap_out_check(space, o.area, va);

	if (!err)
		err = swap_out_prepare(&o, space, start);
	if (err)
		return err;
	notifier_start(&space->notifier, &section, start, start + PAGE_SIZE, NOTIFY_MIGRATE, true);
	swap_out_commit(&o, space, start);
	notifier_end(&space->notifier, &section);
	return 0;
}

int space_swap_out(struct space *space, va_t va)
{
	int err;

	rw_write_lock(&space->lock);
	err = swap_out(space, va);
	rw_write_unlock(&space->lock);
	return err;
}

/* ---- The clock. ---- */

struct reclaim {
	struct pt_batch *batch; /* pages that were made old */
	struct space *space;
	unsigned count, wanted;
};

/* Was the leaf used since the last time? It is old afterwards. */
static bool reclaim_test_clear_young(struct reclaim *r, const struct pt_at *at)
{
	const uint64_t mask = pt_mask(at->p.level);
	va_t start = at->va & ~mask;
	bool young = notifier_test_young(&r->space->notifier, start, start + mask + 1, true);
	ptv_t v = at->v;

	if (!(ptv_attr(v) & PT_YOUNG))
		return young;
	while (!ptp_compare_exchange(at->p, &v,
				     ptv_make_leaf(ptv_pa(v), ptv_attr(v) & ~PT_YOUNG, v.level)))
		;
	flush_add_range(r->batch, start, start | mask, at->p.level);
	return true;
}

/* Move the hand on to a page that may go. False if there is none in the area. */
static bool reclaim_find(struct reclaim *r, const struct area *area)
{
	struct pt_iter it;
	struct pt_at at;
	bool found = false;

	pt_iter_init(&it, &r->space->root, r->space->reclaim_hand, area->end);
	while (!found && pt_iter_next(&it, &at))
		found = ptv_is_leaf(at.v) && area_leaf_kind(area, at.v) == MAPPED_ANON &&
			!reclaim_test_clear_young(r, &at);
	pt_iter_fini(&it);
	if (found)
		r->space->reclaim_hand = at.va;
	return found;
}

/* From the hand to the end of the area. False: enough went, or no more can. */
static bool reclaim_area(struct reclaim *r, const struct area *area)
{
	va_t *hand = &r->space->reclaim_hand;

	if (*hand < area->start)
		*hand = area->start;
	while (*hand < area->end) {
		int err;

		if (r->count == r->wanted)
			return false;
		if (!reclaim_find(r, area))
			return true;
		err = swap_out(r->space, *hand);
		if (err && err != -EBUSY)
			return false;
		*hand += PAGE_SIZE;
		r->count += !err;
	}
	return true;
}

/* From the hand to the end of the space, and back to its beginning. */
static bool reclaim_turn(struct reclaim *r)
{
	const struct area *area;
	FLUSH_BATCH(batch);
	bool more = true;

	r->batch = &batch;
	flush_begin(&batch, r->space);
	list_for_each(area, &r->space->areas, link) {
		if (area->end <= r->space->reclaim_hand || !area_is_cow(area))
			continue;
		more = reclaim_area(r, area);
		if (!more)
			break;
	}
	if (more)
		r->space->reclaim_hand = 0;
	flush_end(&batch);
	return more;
}

unsigned space_reclaim(struct space *space, unsigned page_count)
{
	struct reclaim r = { .space = space, .wanted = page_count };

	if (!space->user)
		return 0;
	/* The rest of a turn, and two whole ones, so that every page was come by twice. */
	rw_write_lock(&space->lock);
	for (unsigned turn = 0; turn < 3 && reclaim_turn(&r); turn++)
		;
	rw_write_unlock(&space->lock);
	return r.count;
}
