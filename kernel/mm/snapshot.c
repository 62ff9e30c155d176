/*
 * Snapshots of a space, and the way back for dirty bits; see snapshot.h. No state.
 * Both are clients of the library's walker that neither split nor unshare anything.
 */
#include <lib/printk.h>
#include <mm/grace.h>
#include <mm/snapshot.h>
#include <mm/space.h>

#define SNAPSHOT_STOP (-EAGAIN) /* leaves the walk; never seen outside */

struct snapshot {
	struct pt_walk walk;
	pt_attr_t need;
	pt_attr_t rights[PT_LEVEL_MAX]; /* left by the tables above, per level */
	va_t next;                      /* everything below has been dealt with */
	struct space_span *span, *end;  /* where the next goes */
};

PT_INLINE int snapshot_entry(struct pt_walk *w, struct pt_at *at)
{
	struct snapshot *s = (struct snapshot *)w;
	const unsigned level = at->p.level;
	va_t last = at->va | pt_mask(level);
	pt_attr_t attr;

	if (!ptv_is_leaf(at->v))
		return s->need ? SNAPSHOT_STOP : PT_DONE;
	attr = ptv_attr(at->v);
	attr &= s->rights[level] | ~(PT_RWX | PT_U);
	if (s->need) {
		if (at->va != s->next || (attr & s->need) != s->need)
			return SNAPSHOT_STOP;
	} else if (!(attr & PT_R)) {
		return PT_DONE;
	}
	if (s->span == s->end)
		return SNAPSHOT_STOP;
	if (last > w->last)
		last = w->last;
	*s->span++ = (struct space_span){ at->va, last,
					  pa_add(ptv_pa(at->v), at->va & pt_mask(level)), attr,
					  level };
	s->next = last + 1;
	return PT_DONE;
}

PT_INLINE int snapshot_enter(struct pt_walk *w, struct pt_at *at)
{
	struct snapshot *s = (struct snapshot *)w;

	s->rights[at->p.level - 1] = s->rights[at->p.level] & ptv_attr(at->v);
	return PT_DONE;
}

static const struct pt_client snapshot_client = {
	.entry = snapshot_entry,
	.enter = snapshot_enter,
	.sparse = true,
};
PT_WALKER(snapshot_walk, struct snapshot, snapshot_client)

unsigned space_snapshot(struct space *space, va_t *va, va_t last, pt_attr_t need,
			struct space_span *span, unsigned max)
{
	struct snapshot s = {
		.walk = { .root = &space->root, .va = *va, .last = last },
		.need = need,
		.next = *va,
		.span = span,
		.end = span + max,
	};
	int r;

	s.rights[space->root.top.level] = PT_RWX | PT_U;
	grace_enter();
	r = snapshot_walk(&s);
	grace_exit();
	*va = need || r == SNAPSHOT_STOP ? s.next : last + 1;
	return (unsigned)(s.span - span);
}

/* ---- Dirty. ---- */

struct mark_dirty {
	struct pt_walk walk;
};

PT_INLINE int mark_dirty_entry(struct pt_walk *w, struct pt_at *at)
{
	ptv_t v = at->v;

	(void)w;
	while (ptv_is_leaf(v) && (ptv_attr(v) & (PT_W | PT_DIRTY)) == PT_W &&
	       !ptp_compare_exchange(at->p, &v,
				     ptv_make_leaf(ptv_pa(v), ptv_attr(v) | PT_DIRTY, v.level)))
		;
	return PT_DONE;
}

static const struct pt_client mark_dirty_client = {
	.entry = mark_dirty_entry,
	.sparse = true,
};
PT_WALKER(mark_dirty_walk, struct mark_dirty, mark_dirty_client)

void space_mark_dirty(struct space *space, va_t start, va_t last)
{
	struct mark_dirty m = { { .root = &space->root, .va = start, .last = last } };
	int err;

	grace_enter();
	err = mark_dirty_walk(&m);
	grace_exit();
	ASSERT_EQ(err, 0);
}
