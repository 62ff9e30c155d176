/*
 * Faults: demand-zero, copy-on-write, swap-in. See fault.h.
 *
 * Order of every case: get memory first, then one exchange of the entry, then the flush, then tell
 * subscribers, then let go of what was there.
 *
 * Locking: the space's lock for reading, so areas and tables stay; the walk down takes no lock
 * and makes tables as pt_populate does; then the lock of the one table that holds the entry,
 * under which the entry is looked at again. Flushing comes after that lock. Talks to: space,
 * share, flush, swap.
 */
#include <lib/broken.h>
#include <lib/spinlock.h>
#include <lib/string.h>
#include <lib/trace.h>
#include <mm/fault.h>
#include <mm/flush.h>
#include <mm/swap.h>

struct fault {
	struct space *space;
	struct area *area;
	va_t va;
	pt_attr_t access;
	ptp_t p;
	ptv_t v;
	enum fault_result result;
	bool small;     /* no huge block was to be had */
	ptv_t replaced; /* leaf whose memory is to be let go after a flush; or none */
};

static void *frame_ptr(const struct frame *f)
{
	return pa_to_ptr(frame_to_pa(f));
}

/* Attributes of a fresh leaf for this access: W only if it writes. */
static pt_attr_t fault_attr(const struct fault *f)
{
	pt_attr_t attr = (f->area->rights & ~PT_W) | f->space->user | PT_YOUNG;

	return f->access & PT_W ? attr | PT_W | PT_DIRTY : attr;
}

static uint64_t fault_pages(const struct fault *f)
{
	return pt_size(f->p.level) >> PAGE_SHIFT;
}

/* May the entry under f, at this level, become one huge leaf of fresh memory? */
static bool fault_huge_fits(const struct fault *f, unsigned level)
{
	va_t start = f->va & ~pt_mask(level);

	return level == 1 && !f->small && (f->area->flags & AREA_HUGE) &&
	       f->area->kind == AREA_ANON && (f->access & PT_W) && start >= f->area->start &&
	       f->area->end - start >= pt_size(level);
}

/* Walk to the lowest entry for the address, making tables on the way; stops early where a huge leaf
 * will go. 0 or -ENOMEM. */
static int fault_reach(struct fault *f)
{
	const struct pt_root *root = &f->space->root;
	int err = 0;

	f->p = pt_top(root, f->va);
	while (!err) {
		f->v = ptp_get(f->p);
		if (ptv_is_bad(f->v)) {
			ptp_clear_bad(f->p, f->va);
		} else if (ptv_is_table(f->v)) {
			if (PT_HOST_SHARED(f->v))
				err = PT_HOST_EXCLUSIVE(root, f->p);
			f->p = pt_walk(ptp_get(f->p), f->va);
		} else if (ptv_none(f->v) && f->p.level && !fault_huge_fits(f, f->p.level)) {
			err = pt_populate(root, f->p);
		} else {
			break;
		}
	}
	return err;
}

/* The entry gets its leaf; what was there (none, zero page, soft, old page) is booked out by the
 * caller. */
static ptv_t fault_install(struct fault *f, pa_t pa, pt_attr_t attr, enum mapped_kind kind)
{
	area_account(f->area, kind, fault_pages(f));
	return ptp_change(f->p, ptv_make_leaf(pa, attr, f->p.level));
}

/* Fill an entry that is none with anonymous memory. */
static int fault_fill_anon(struct fault *f)
{
	struct frame *frame;

	f->result = FAULT_FILLED;
	if (!(f->access & PT_W)) {
		fault_install(f, zero_page, fault_attr(f) | PT_DEVMAP, MAPPED_ZERO);
		return 0;
	}
	frame = frame_alloc_zeroed(f->p.level * PT_TABLE_BITS, FRAME_DATA);
	if (!frame && f->p.level) { /* no block that large: a small page will do */
		f->small = true;
		return -EAGAIN;
	}
	if (!frame)
		return -ENOMEM;
	fault_install(f, frame_to_pa(frame), fault_attr(f), MAPPED_ANON);
	return 0;
}

static int fault_fill_object(struct fault *f)
{
	uint64_t page = f->area->offset_pages + ((f->va - f->area->start) >> PAGE_SHIFT);
	bool private_write = area_is_cow(f->area) && (f->access & PT_W);
	struct frame *frame = object_frame(f->area->object, page), *copy;

	f->result = FAULT_FILLED;
	if (!frame)
		return -ENOMEM;
	if (!private_write) {
		frame_get(frame);
		fault_install(f, frame_to_pa(frame), fault_attr(f), MAPPED_OBJECT);
		return 0;
	}
	copy = frame_alloc(0, FRAME_DATA);
	if (!copy)
		return -ENOMEM;
	memcpy(frame_ptr(copy), frame_ptr(frame), PAGE_SIZE);
	fault_install(f, frame_to_pa(copy), fault_attr(f), MAPPED_ANON);
	return 0;
}

static int fault_fill(struct fault *f)
{
	va_t start = f->va & ~pt_mask(0);

	switch (f->area->kind) {
	case AREA_ANON:
		return fault_fill_anon(f);
	case AREA_OBJECT:
		return fault_fill_object(f);
	case AREA_DEVICE:
		break;
	}
	fault_install(f, pa_add(f->area->pa, start - f->area->start),
		      fault_attr(f) | PT_UC | PT_DEVMAP, MAPPED_DEVICE);
	f->result = FAULT_FILLED;
	return 0;
}

static int fault_swap_in(struct fault *f)
{
	swap_slot_t slot = ptv_soft_data(f->v);
	struct frame *frame = frame_alloc(0, FRAME_DATA);

	if (!frame)
		return -ENOMEM;
	swap_read(slot, frame);
	fault_install(f, frame_to_pa(frame), fault_attr(f) | PT_DIRTY, MAPPED_ANON);
	area_account(f->area, MAPPED_SWAP, -1);
	swap_put(slot);
	f->result = FAULT_FILLED;
	return 0;
}

/* The entry has changed from a leaf to one elsewhere: flush, tell, let go. Without the table's
 * lock. */
static void fault_let_go(struct fault *f)
{
	ptv_t old = f->replaced;
	va_t start = f->va & ~pt_mask(old.level);
	FLUSH_BATCH(batch);

	flush_begin(&batch, f->space);
	flush_add_range(&batch, start, start | pt_mask(old.level), old.level);
	flush_now(&batch);
	notifier_page(&f->space->notifier, start, start + pt_size(old.level), NOTIFY_COW);
	if (!(ptv_attr(old) & PT_DEVMAP))
		flush_add_frame(&batch, pa_to_frame(ptv_pa(old)), old.level * PT_TABLE_BITS);
	flush_end(&batch);
}

/* Give W back to a leaf whose memory is nobody else's. An upgrade needs no flush. */
static int fault_reuse(struct fault *f)
{
	ptv_t v = f->v;

	while (ptv_is_leaf(v) &&
	       !ptp_compare_exchange(
		       f->p, &v, ptv_make_leaf(ptv_pa(v), ptv_attr(v) | fault_attr(f), v.level)))
		;
	f->result = FAULT_REUSED;
	return 0;
}

/* Replace the leaf by a copy of what it shows. */
static int fault_copy(struct fault *f)
{
	unsigned order = f->p.level * PT_TABLE_BITS;
	bool zero = ptv_attr(f->v) & PT_DEVMAP;
	struct frame *copy = zero ? frame_alloc_zeroed(0, FRAME_DATA)
				  : frame_alloc(order, FRAME_DATA);

	if (!copy && order) { /* no block that large: copy one small page of it */
		int err = pt_split(&f->space->root, f->p, f->v);

		return err ? err : -EAGAIN;
	}
	if (!copy)
		return -ENOMEM;
	if (!zero)
		memcpy(frame_ptr(copy), pa_to_ptr(ptv_pa(f->v)), PAGE_SIZE << order);
	area_account(f->area, area_leaf_kind(f->area, f->v), -(int64_t)fault_pages(f));
	f->replaced = fault_install(f, frame_to_pa(copy), fault_attr(f), MAPPED_ANON);
	f->result = FAULT_COPIED;
	return 0;
}

/* A leaf is there, and yet it faulted. */
static int fault_leaf(struct fault *f)
{
	pt_attr_t attr = ptv_attr(f->v);
	struct frame *frame;

	if ((attr & f->access) == f->access) {
		arch_tlb_flush_page(f->va);
		f->result = FAULT_STALE;
		return 0;
	}
	if (!(f->access & PT_W) || !area_is_cow(f->area))
		return fault_reuse(f); /* the area grants it, and nobody has to be kept apart */
	if (attr & PT_DEVMAP)
		return fault_copy(f); /* the zero page */
	frame = pa_to_frame(ptv_pa(f->v));
	return frame_span_exclusive(frame, f->p.level * PT_TABLE_BITS) ? fault_reuse(f)
								       : fault_copy(f);
}

/* Under the lock of the entry's table, with its value in f->v. */
static int fault_change(struct fault *f)
{
	switch (ptv_kind(f->v)) {
	case PT_NONE:
		return f->p.level && !fault_huge_fits(f, f->p.level) ? -EAGAIN : fault_fill(f);
	case PT_SOFT:
		return fault_swap_in(f);
	case PT_LEAF:
		return fault_leaf(f);
	case PT_TABLE:
	case PT_BAD:
		break;
	}
	return -EAGAIN; /* it changed while we came here */
}

static int fault_resolve(struct fault *f)
{
	int err = fault_reach(f);
	uint32_t *lock;

	if (err)
		return err;
	lock = &ptp_meta(f->p)->lock;
	spin_lock_word(lock, LOCK_TABLE);
	f->v = ptp_get(f->p);
	if (BROKEN(early_unlock))
		spin_unlock_word(lock, LOCK_TABLE);
	err = fault_change(f);
	if (!BROKEN(early_unlock))
		spin_unlock_word(lock, LOCK_TABLE);
	if (!err && !ptv_none(f->replaced))
		fault_let_go(f);
	return err;
}

/* With the space's lock. */
static int fault_locked(struct fault *f)
{
	int err;

	f->area = space_find_area(f->space, f->va);
	if (!f->area || (f->area->rights & f->access) != f->access)
		return -EFAULT;
	do {
		err = fault_resolve(f);
	} while (err == -EAGAIN);
	if (!err) {
		area_account_fault(f->area, f->result);
		trace(TRACE_FAULT, f->va, f->result);
	}
	return err;
}

int space_fault(struct space *space, va_t va, pt_attr_t access)
{
	struct fault f = { .space = space, .va = va, .access = access };
	int err;

	rw_read_lock(&space->lock);
	err = fault_locked(&f);
	rw_read_unlock(&space->lock);
	return err;
}
