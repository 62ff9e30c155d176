/*
 * Snapshots of a space, and the way back for dirty bits; see snapshot.h. No state.
 * Both are loops over the library's walker that neither split nor unshare anything.
 */
#include <lib/printk.h>
#include <mm/grace.h>
#include <mm/snapshot.h>
#include <mm/space.h>

struct snapshot {
	pt_attr_t need;
	va_t next; /* everything below has been dealt with */
	struct space_snapshot *out;
};

/* Attributes of a leaf as a span has them. */
PT_INLINE pt_attr_t snapshot_attr(ptv_t v, pt_attr_t rights)
{
	return ptv_attr(v) & (rights | (PT_ATTR_ALL & ~PT_RIGHTS & ~PT_YOUNG));
}

/* Can one more page be part of the last span? */
static bool snapshot_continues(const struct space_snapshot *out, va_t va, pt_attr_t attr)
{
	const struct space_span *prev;

	if (!out->count)
		return false;
	prev = &out->span[out->count - 1];
	return prev->level == 0 && prev->last + 1 == va && prev->attr == attr;
}

/* Add [va, last] of a leaf. False: there is no room. */
static bool snapshot_add(struct snapshot *s, va_t va, va_t last, ptv_t v, pt_attr_t attr)
{
	struct space_snapshot *out = s->out;
	pa_t pa = pa_add(ptv_pa(v), va & pt_mask(v.level));
	bool more = v.level == 0 && snapshot_continues(out, va, attr);

	if ((v.level == 0 && out->page_count == SNAPSHOT_PAGES) ||
	    (!more && out->count == SNAPSHOT_SPANS))
		return false;
	if (!more)
		out->span[out->count++] = (struct space_span){ va,   last,
							       attr, v.level,
							       pa,   &out->page[out->page_count] };
	if (v.level == 0)
		out->page[out->page_count++] = pa;
	out->span[out->count - 1].last = last;
	s->next = last + 1;
	return true;
}

/* Add to the last span what is like it, at most `count` entries from p on. Returns how many. */
PT_INLINE unsigned snapshot_extend(struct space_snapshot *out, ptp_t p, unsigned count,
				   pt_attr_t rights)
{
	struct space_span *span = &out->span[out->count - 1];
	const pt_attr_t attr = span->attr;
	pa_t *page = &out->page[out->page_count];
	unsigned n = 0;

	if (count > SNAPSHOT_PAGES - out->page_count)
		count = SNAPSHOT_PAGES - out->page_count;
	for (; n < count; n++, p = ptp_next(p)) {
		ptv_t v = ptp_get(p);

		if (!ptv_is_leaf(v) || snapshot_attr(v, rights) != attr)
			break;
		page[n] = ptv_pa(v);
	}
	out->page_count += n;
	span->last += n * pt_size(0);
	return n;
}

/* An entry, and those behind it that are like it. False if the snapshot ends before it. */
PT_INLINE bool snapshot_entry(struct snapshot *s, struct pt_iter *it, const struct pt_at *at)
{
	va_t last = at->va | pt_mask(at->p.level);
	pt_attr_t attr;
	unsigned n;

	if (!ptv_is_leaf(at->v))
		return !s->need;
	attr = snapshot_attr(at->v, at->rights);
	if (s->need && (at->va != s->next || (attr & s->need) != s->need))
		return false;
	if (!s->need && !(attr & PT_R))
		return true;
	if (!snapshot_add(s, at->va, last < it->last ? last : it->last, at->v, attr))
		return false;
	if (at->p.level > 0)
		return true;
	n = snapshot_extend(s->out, ptp_next(at->p), pt_iter_room(it), at->rights);
	s->next += n * pt_size(0);
	pt_iter_step(it, n);
	return true;
}

void space_snapshot(struct space *space, va_t *va, va_t last, pt_attr_t need,
		    struct space_snapshot *out)
{
	struct snapshot s = { .need = need, .next = *va, .out = out };
	bool more = true;
	struct pt_iter it;
	struct pt_at at;

	out->count = out->page_count = 0;
	grace_enter();
	pt_iter_init(&it, &space->root, *va, last + 1);
	while (more && pt_iter_next(&it, &at))
		more = snapshot_entry(&s, &it, &at);
	pt_iter_fini(&it);
	grace_exit();
	*va = need || !more ? s.next : last + 1;
}

/* ---- Dirty. ---- */

void space_mark_dirty(struct space *space, va_t start, va_t last)
{
	struct pt_iter it;
	struct pt_at at;
	int err;

	grace_enter();
	pt_iter_init(&it, &space->root, start, last + 1);
	while (pt_iter_next(&it, &at))
		while (ptv_is_leaf(at.v) && (ptv_attr(at.v) & (PT_W | PT_DIRTY)) == PT_W &&
		       !ptp_compare_exchange(
			       at.p, &at.v,
			       ptv_make_leaf(ptv_pa(at.v), ptv_attr(at.v) | PT_DIRTY, at.v.level)))
			;
	err = pt_iter_fini(&it);
	grace_exit();
	ASSERT_EQ(err, 0);
}
