/*
 * Snapshots of a space, and the way back for dirty bits; see snapshot.h. No state.
 * Both are clients of the library's walker that neither split nor unshare anything.
 */
#include <lib/printk.h>
#include <mm/grace.h>
#include <mm/snapshot.h>
#include <mm/space.h>

#define SNAPSHOT_STOP (-EAGAIN) /* leaves the walk; never seen outside */

#define SNAPSHOT_RIGHTS (PT_RWX | PT_U)

struct snapshot {
	struct pt_walk walk;
	pt_attr_t need;
	pt_attr_t rights[PT_LEVEL_MAX]; /* left by the tables above, per level */
	va_t next;                      /* everything below has been dealt with */
	struct space_snapshot *out;
};

/* Attributes of a leaf as a span has them. */
PT_INLINE pt_attr_t snapshot_attr(ptv_t v, pt_attr_t rights)
{
	return ptv_attr(v) & (rights | (PT_ATTR_ALL & ~SNAPSHOT_RIGHTS & ~PT_YOUNG));
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

static int snapshot_entry(struct pt_walk *w, struct pt_at *at)
{
	struct snapshot *s = (struct snapshot *)w;
	const unsigned level = at->p.level;
	va_t last = at->va | pt_mask(level);
	pt_attr_t attr;

	if (!ptv_is_leaf(at->v))
		return s->need ? SNAPSHOT_STOP : PT_DONE;
	attr = snapshot_attr(at->v, s->rights[level]);
	if (s->need) {
		if (at->va != s->next || (attr & s->need) != s->need)
			return SNAPSHOT_STOP;
	} else if (!(attr & PT_R)) {
		return PT_DONE;
	}
	return snapshot_add(s, at->va, last < w->last ? last : w->last, at->v, attr)
		       ? PT_DONE
		       : SNAPSHOT_STOP;
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

/* What most snapshots are: leaves of a bottom table that all grant what is needed. */
PT_INLINE int snapshot_bottom(struct snapshot *s, struct pt_at *at)
{
	const va_t end = at->va | pt_mask(1), last = end < s->walk.last ? end : s->walk.last;
	pt_t table = { ptv_to_table(at->v).pa, 0 };
	unsigned i = pt_index(at->va, 0), count = pt_index(last, 0) + 1;

	while (i < count) {
		struct pt_at leaf = { .va = s->next, .p = pt_entry(table, i) };
		unsigned n;

		leaf.v = ptp_get(leaf.p);
		if (snapshot_entry(&s->walk, &leaf))
			return SNAPSHOT_STOP;
		n = snapshot_extend(s->out, ptp_next(leaf.p), count - i - 1, s->rights[0]);
		s->next += n * pt_size(0);
		i += 1 + n;
	}
	return PT_SKIP;
}

static int snapshot_enter(struct pt_walk *w, struct pt_at *at)
{
	struct snapshot *s = (struct snapshot *)w;

	s->rights[at->p.level - 1] = s->rights[at->p.level] & ptv_attr(at->v);
	if (at->p.level > 1 || !s->need)
		return PT_DONE;
	return at->va == s->next ? snapshot_bottom(s, at) : SNAPSHOT_STOP;
}

static const struct pt_client snapshot_client = {
	.entry = snapshot_entry,
	.enter = snapshot_enter,
	.sparse = true,
};

void space_snapshot(struct space *space, va_t *va, va_t last, pt_attr_t need,
		    struct space_snapshot *out)
{
	struct snapshot s = {
		.walk = { .root = &space->root, .va = *va, .last = last },
		.need = need,
		.next = *va,
		.out = out,
	};
	int r;

	out->count = out->page_count = 0;
	s.rights[space->root.top.level] = SNAPSHOT_RIGHTS;
	grace_enter();
	r = pt_walk_range(&snapshot_client, &s.walk);
	grace_exit();
	*va = need || r == SNAPSHOT_STOP ? s.next : last + 1;
}

/* ---- Dirty. ---- */

struct mark_dirty {
	struct pt_walk walk;
};

static int mark_dirty_entry(struct pt_walk *w, struct pt_at *at)
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

void space_mark_dirty(struct space *space, va_t start, va_t last)
{
	struct mark_dirty m = { { .root = &space->root, .va = start, .last = last } };
	int err;

	grace_enter();
	err = pt_walk_range(&mark_dirty_client, &m.walk);
	grace_exit();
	ASSERT_EQ(err, 0);
}
