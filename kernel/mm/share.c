/*
 * Shared tables; see share.h for what they are and why it is right.
 *
 * Order matters in one place: a space that leaves a table behind flushes its own CPUs first and
 * drops its edge after. A paging-structure cache may still lead through the old table, and as soon
 * as the other side owns it alone that side may write through it.
 *
 * Locking: the space's lock, for reading at least, and the lock of the table that holds the
 * entry. The table that others may see needs none. Nothing in it changes but W bits, which
 * anybody may clear (they have no effect there), until one side is its only owner; and that side
 * finds out only when all others have finished their copies and dropped their edges. Two sides
 * that leave it at the same time make a copy each, and the last to drop takes the old one along.
 * Talks to: frame, flush, swap.
 */
#include <lib/printk.h>
#include <lib/spinlock.h>
#include <lib/trace.h>
#include <mm/copy_table.h>
#include <mm/flush.h>
#include <mm/share.h>
#include <mm/swap.h>

bool fork_shares_tables;
struct share_stats share_stats;
#define SHARE_COUNT(what) ((void)__atomic_add_fetch(&share_stats.what, 1, __ATOMIC_RELAXED))

/* ---- Sharing. ---- */

struct share {
	const struct pt_root *dst;
	const struct space *src;
	struct share_rest *rest;
};

/* There is something in [start, last] that is not shared. */
static void share_leave_rest(struct share_rest *rest, va_t start, va_t last)
{
	if (rest->count < SHARE_REST_MAX) {
		rest->range[rest->count].start = start;
		rest->range[rest->count].last = last;
	}
	if (rest->count <= SHARE_REST_MAX)
		rest->count++;
}

/* Does nothing in the entry's range speak against sharing what is below? */
static bool share_fits(const struct share *s, va_t start, va_t last)
{
	const struct area *area;

	list_for_each(area, &s->src->areas, link) {
		if (area->start > last)
			break;
		if (area->end <= start)
			continue;
		if (!area_is_cow(area) || (area->flags & AREA_NOFORK))
			return false;
	}
	return true;
}

static int share_table(const struct share *s, pt_t from, pt_t to, va_t start, va_t last);

/* Entry i of `from` is not to be shared as a whole, or not known to be: look at [start, last]. */
static int share_below(const struct share *s, pt_t from, pt_t to, va_t start, va_t last)
{
	unsigned i = pt_index(start, from.level);
	ptp_t p = pt_entry(from, i), d = pt_entry(to, i);
	ptv_t v = ptp_get(p);
	int err = 0;

	if (from.level == 1 || !ptv_is_table(v)) {
		if (!ptv_none(v))
			share_leave_rest(s->rest, start, last);
		return 0;
	}
	if (ptv_none(ptp_get(d)))
		err = pt_populate(s->dst, d);
	return err ? err : share_table(s, ptv_to_table(v), ptv_to_table(ptp_get(d)), start, last);
}

/* Entries that [start, last] covers whole: all at once, or, if that must not be, one by one. */
static int share_whole(const struct share *s, pt_t from, pt_t to, va_t start, va_t last)
{
	unsigned first = pt_index(start, from.level), stop = pt_index(last, from.level);
	bool left = false;
	int err = 0;

	if (share_fits(s, start, last)) {
		unsigned n = copy_table_entries(from, to, first, stop, COPY_ALIKE, &left);

		__atomic_add_fetch(&share_stats.shared, n, __ATOMIC_RELAXED);
		trace(TRACE_SHARE, start, n);
		if (left)
			share_leave_rest(s->rest, start, last);
		return 0;
	}
	for (unsigned i = pt_next_live(from, first); i <= stop && !err;
	     i = pt_next_live(from, i + 1)) {
		va_t va = start + ((va_t)(i - first) << pt_shift(from.level));

		err = first == stop ? share_below(s, from, to, va, last)
				    : share_whole(s, from, to, va, va | pt_mask(from.level));
	}
	return err;
}

/*
 * Share what can be of the entries of `from` in [start, last], which lies in its range: whole
 * entries here, parts of entries at the two ends further down.
 */
static int share_table(const struct share *s, pt_t from, pt_t to, va_t start, va_t last)
{
	const uint64_t mask = pt_mask(from.level);
	va_t whole = (start + mask) & ~mask, whole_end = (last + 1) & ~mask;
	int err = 0;

	if ((start | mask) == (last | mask) && (start & mask || ~last & mask))
		return share_below(s, from, to, start, last); /* a part of one entry */
	if (whole != start)
		err = share_below(s, from, to, start, whole - 1);
	if (!err && whole < whole_end)
		err = share_whole(s, from, to, whole, whole_end - 1);
	if (!err && whole_end != last + 1)
		err = share_below(s, from, to, whole_end, last);
	return err;
}

int share_range(struct space *dst, struct space *src, va_t start, va_t last,
		struct share_rest *rest)
{
	struct share s = { .dst = &dst->root, .src = src, .rest = rest };

	return share_table(&s, src->root.top, dst->root.top, start, last);
}

/* ---- Making exclusive. ---- */

/* Give an entry of a shared table that copy_table_entries has left to its copy as well. */
static int share_copy_entry(ptp_t from, ptp_t to)
{
	ptv_t v = ptp_get(from);
	int err = 0;

	switch (ptv_kind(v)) {
	case PT_LEAF:
		v = ptp_write_protect(from);
		if (!(ptv_attr(v) & PT_DEVMAP))
			frame_get_span(pa_to_frame(ptv_pa(v)), v.level * PT_TABLE_BITS);
		break;
	case PT_SOFT:
		err = swap_get(ptv_soft_data(v));
		break;
	case PT_TABLE:
	case PT_NONE:
	case PT_BAD: /* stays where it was found, for the walker to report */
		return 0;
	}
	if (!err)
		ptp_change(to, v);
	return err;
}

/*
 * Fill `to`, which nobody sees, with a copy of `from`. On failure (-ENOSPC: a soft entry's count
 * has no room) *starved is the slot, and `to` holds what was copied so far.
 */
static int share_copy_table(pt_t from, pt_t to, swap_slot_t *starved)
{
	bool left = false;
	int err = 0;

	copy_table_entries(from, to, 0, PT_ENTRY_COUNT - 1, COPY_ALIKE, &left);
	for (unsigned i = left ? pt_next_live(from, 0) : PT_ENTRY_COUNT; i < PT_ENTRY_COUNT && !err;
	     i = pt_next_live(from, i + 1)) {
		if (!ptv_none(ptp_get(pt_entry(to, i))))
			continue;
		err = share_copy_entry(pt_entry(from, i), pt_entry(to, i));
		if (err)
			*starved = ptv_soft_data(ptp_get(pt_entry(from, i)));
	}
	return err;
}

/* A copy of the table, complete with edges, or -ENOMEM. */
static int share_clone_table(struct pt_owner *owner, pt_t from, pt_t *to)
{
	swap_slot_t starved = 0;
	int err;

	do {
		err = pt_alloc(owner, from.level, to);
		if (err)
			return err;
		err = share_copy_table(from, *to, &starved);
		if (err) {
			share_drop_table(owner, *to);
			err = swap_reserve(starved) ? -ENOMEM : -EAGAIN;
		}
	} while (err == -EAGAIN);
	return err;
}

/* Nobody else is left: the table is the root's own already, and W says so. */
static int share_reuse(ptp_t p)
{
	ptv_t v = ptp_get(p), want;

	do {
		want = ptv_make_table(ptv_pa(v), ptv_attr(v) | PT_W, v.level);
	} while (!ptp_compare_exchange(p, &v, want));
	SHARE_COUNT(reused);
	trace(TRACE_REUSE, ptv_pa(v).value, v.level - 1);
	return 0;
}

/* Under the lock of p's table. *old is the table that was left, if one was. */
static int share_leave(const struct pt_root *root, ptp_t p, pt_t *old)
{
	ptv_t v = ptp_get(p);
	pt_t own;
	int err;

	if (!PT_HOST_SHARED(v))
		return 0; /* another fault of this space was faster */
	if (frame_edges(pa_to_frame(ptv_pa(v))) == 1)
		return share_reuse(p);
	err = share_clone_table(root->owner, ptv_to_table(v), &own);
	if (err)
		return err;
	*old = ptv_to_table(v);
	ptp_exchange(p, ptv_make_table(own.pa, root->table_rights, p.level));
	SHARE_COUNT(copied);
	trace(TRACE_UNSHARE, old->pa.value, own.pa.value);
	return 0;
}

int share_make_exclusive(const struct pt_root *root, ptp_t p)
{
	uint32_t *lock = &ptp_meta(p)->lock;
	pt_t old = { PA_NONE, 0 };
	FLUSH_BATCH(batch);
	int err;

	spin_lock_word(lock, LOCK_TABLE);
	err = share_leave(root, p, &old);
	spin_unlock_word(lock, LOCK_TABLE);
	if (err || pa_equal(old.pa, PA_NONE))
		return err;
	flush_begin(&batch, CONTAINER_OF(root, struct space, root));
	flush_add_shared_table(&batch, old);
	flush_end(&batch);
	return 0;
}

/* ---- Dropping. ---- */

/* What most of a table is: pages, from p on, `count` at most. Nobody else knows the table, so
 * stores are enough. Returns how many they are. */
static unsigned share_drop_pages(ptp_t p, unsigned count)
{
	const uint64_t ordinary = ptv_ordinary(PT_DEVMAP, 0);
	unsigned n = 0;
	ptv_t v;

	if (p.level > 0)
		return 0;
	for (; n < count; n++, p = ptp_next(p)) {
		v = ptp_get(p);
		if (!ptv_is_ordinary(v, ordinary))
			break;
		ptp_set(p, ptv_make_none(0));
		frame_put_page(pa_to_frame(ptv_pa(v)));
	}
	return n;
}

static void share_drop_entry(struct pt_owner *owner, ptp_t p)
{
	ptv_t old = ptp_exchange(p, ptv_make_none(p.level));

	if (ptv_is_table(old))
		share_drop_table(owner, ptv_to_table(old));
	else if (ptv_is_soft(old))
		swap_put(ptv_soft_data(old));
	else if (ptv_is_leaf(old) && !(ptv_attr(old) & PT_DEVMAP))
		frame_put_span(pa_to_frame(ptv_pa(old)), p.level * PT_TABLE_BITS);
}

/* Let go of all that a table's entries [first, stop] lead to. */
static void share_drop_entries(struct pt_owner *owner, pt_t table, unsigned first, unsigned stop)
{
	unsigned i = first, n, count = 0;

	while ((i = pt_next_live(table, i)) <= stop) {
		n = share_drop_pages(pt_entry(table, i), stop + 1 - i);
		if (!n) {
			share_drop_entry(owner, pt_entry(table, i));
			n = 1;
		}
		i += n;
		count += n;
	}
	if (count)
		pt_meta_add(pt_meta(table), -(int)count, first, stop);
}

/* One edge less, unless it is the last: then the caller alone knows the table. */
static bool share_put_unless_last(struct frame *f)
{
	uint32_t edges = frame_edges(f);

	while (edges > 1) {
		if (__atomic_compare_exchange_n(&f->edges, &edges, edges - 1, false,
						__ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
			return true;
	}
	return false;
}

void share_drop_table(struct pt_owner *owner, pt_t table)
{
	if (share_put_unless_last(pa_to_frame(table.pa))) {
		SHARE_COUNT(dropped);
		return;
	}
	share_drop_entries(owner, table, 0, PT_ENTRY_COUNT - 1);
	pt_release(owner, table, NULL);
}

void share_drop_root(const struct pt_root *root)
{
	const pt_t top = root->top;

	share_drop_entries(root->owner, top, pt_index(root->first, top.level),
			   pt_index(root->last, top.level));
	pt_release(root->owner, top, NULL);
}
