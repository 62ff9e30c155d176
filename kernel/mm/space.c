/*
 * Spaces: making, destroying, unmapping and protecting ranges.
 *
 * Every removal goes the same way: cut at the borders (all that can fail), open a section, clear
 * entries into a flush batch, flush, give frames back, close the section. When the space goes, no
 * CPU and no subscriber is left to be told, and all is dropped in place. Locking: the space's
 * operation. Talks to: area list, flush, notifier, swap, kspace (kernel entries of the top table).
 */
#include <lib/printk.h>
#include <mm/flush.h>
#include <mm/kspace.h>
#include <mm/pool.h>
#include <mm/share.h>
#include <mm/space.h>
#include <mm/swap.h>
#include <mm/tlb.h>

struct list space_list = LIST_INIT(space_list);
struct spinlock space_list_lock = SPINLOCK_INIT(LOCK_SPACES);
static struct pool family_pool = POOL_INIT(family_pool, struct family);
static struct pool space_pool = POOL_INIT(space_pool, struct space);

/* ---- Making and destroying. ---- */

static int space_init(struct space *s, struct family *family)
{
	unsigned top = arch_mmu.top_level;
	int err = pt_root_init(&s->root, &family->owner, top, 0, pt_mask(top + 1) >> 1);

	if (err)
		return err;
	s->root.table_rights |= PT_U;
	s->user = PT_U;
	s->family = family;
	__atomic_add_fetch(&family->users, 1, __ATOMIC_RELAXED);
	list_init(&s->areas);
	notifier_init(&s->notifier);
	rw_init(&s->layout, LOCK_LAYOUT);
	rw_init(&s->lock, LOCK_AREAS);
	spin_lock(&space_list_lock);
	list_add_before(&space_list, &s->link);
	kspace_attach(s);
	spin_unlock(&space_list_lock);
	return 0;
}

struct space *space_create_related(struct space *relative)
{
	struct space *s = pool_alloc(&space_pool);

	if (s && space_init(s, relative->family)) {
		pool_free(&space_pool, s);
		s = NULL;
	}
	return s;
}

struct space *space_create(void)
{
	struct family *family = pool_alloc(&family_pool);
	struct space *s = family ? pool_alloc(&space_pool) : NULL;

	if (s && !space_init(s, family))
		return s;
	pool_free(&space_pool, s);
	pool_free(&family_pool, family);
	return NULL;
}

static void family_put(struct family *family)
{
	if (__atomic_sub_fetch(&family->users, 1, __ATOMIC_ACQ_REL))
		return;
	for (unsigned level = 0; level < PT_LEVEL_MAX; level++)
		ASSERT_EQ(family->owner.table_count[level], 0ull);
	pool_free(&family_pool, family);
}

void space_destroy(struct space *s)
{
	struct area *area, *next;

	tlb_detach_all(s);
	ASSERT_EQ(cpu_set_count(&s->cpus), 0u);
	notifier_release(&s->notifier);
	spin_lock(&space_list_lock);
	list_remove(&s->link);
	kspace_detach(s);
	spin_unlock(&space_list_lock);
	share_drop_root(&s->root);
	list_for_each_safe(area, next, &s->areas, link)
		area_remove(s, area);
	family_put(s->family);
	pool_free(&space_pool, s);
}

int64_t space_mapped(const struct space *s, enum mapped_kind kind)
{
	struct area *area;
	int64_t sum = 0;

	list_for_each(area, &s->areas, link) {
		area_collect(area);
		sum += area->mapped[kind];
	}
	return sum;
}

uint64_t space_fault_count(const struct space *s, enum fault_result result)
{
	struct area *area;
	int64_t sum = s->faults[result];

	list_for_each(area, &s->areas, link) {
		area_collect(area);
		sum += area->faults[result];
	}
	return (uint64_t)sum;
}

/* ---- Adding. ---- */

static int area_spec_check(const struct space *s, const struct area_spec *a)
{
	if (((a->start | a->end | a->pa.value) & (PAGE_SIZE - 1)) || a->start >= a->end)
		return -EINVAL;
	if ((a->flags & ~AREA_FLAGS) || (a->rights & ~PT_RWX) || (a->rights && !(a->rights & PT_R)))
		return -EINVAL;
	if ((a->kind == AREA_OBJECT) != !!a->object)
		return -EINVAL;
	if (a->object &&
	    (a->offset_pages > a->object->page_count ||
	     (a->end - a->start) >> PAGE_SHIFT > a->object->page_count - a->offset_pages))
		return -EINVAL;
	return a->start >= USER_FIRST && pt_root_covers(&s->root, a->start, a->end - 1) ? 0
											: -ERANGE;
}

static int area_map_device(struct space *s, struct area *area)
{
	pt_attr_t attr = area->rights | s->user | PT_UC | PT_DEVMAP | PT_YOUNG | PT_DIRTY;
	uint64_t bytes = area->end - area->start;
	FLUSH_BATCH(batch);
	int err;

	flush_begin(&batch, s);
	err = pt_map(&s->root, area->start, area->pa, bytes, attr, &batch);
	flush_end(&batch);
	if (!err)
		area_account(area, MAPPED_DEVICE, bytes >> PAGE_SHIFT);
	return err;
}

static int space_do_add_area(struct space *s, const struct area_spec *spec)
{
	struct area model = {
		.start = spec->start,
		.end = spec->end,
		.kind = spec->kind,
		.flags = spec->flags,
		.rights = spec->rights,
		.object = spec->object,
		.offset_pages = spec->offset_pages,
		.pa = spec->pa,
	};
	struct object *anon = NULL;
	struct area *area;
	int err = area_spec_check(s, spec);

	if (err)
		return err;
	if (spec->kind == AREA_ANON && (spec->flags & AREA_SHARED)) {
		model.kind = AREA_OBJECT;
		model.object = anon = object_create((spec->end - spec->start) >> PAGE_SHIFT);
		if (!anon)
			return -ENOMEM;
	}
	err = area_insert(s, &model, &area);
	if (anon)
		object_put(anon);
	if (err || area->kind != AREA_DEVICE)
		return err;
	err = area_map_device(s, area);
	if (err)
		area_remove(s, area);
	return err;
}

int space_add_area(struct space *s, const struct area_spec *spec)
{
	int err;

	rw_write_lock(&s->layout);
	rw_write_lock(&s->lock);
	err = space_do_add_area(s, spec);
	rw_write_unlock(&s->lock);
	rw_write_unlock(&s->layout);
	return err;
}

/* ---- Removing. ---- */

static void zap_entry(struct pt_iter *it, const struct pt_at *at)
{
	const unsigned level = at->p.level;
	ptv_t old = ptp_change(at->p, ptv_make_none(level));

	if (ptv_is_soft(old)) {
		swap_put(ptv_soft_data(old));
		return;
	}
	flush_add_range(it->batch, at->va, at->va | pt_mask(level), level);
	if (!(ptv_attr(old) & PT_DEVMAP))
		flush_add_frame(it->batch, pa_to_frame(ptv_pa(old)), level * PT_TABLE_BITS);
}

/* Has any area with pages in [start, last] pages outside of the operation, on [from, to]? */
static bool space_keeps_any(const struct space *s, va_t start, va_t last, va_t from, va_t to)
{
	const struct area *area;

	list_for_each(area, &s->areas, link) {
		if (area->end > start && area->start <= last &&
		    (area->start < from || area->end - 1 > to))
			return true;
	}
	return false;
}

/* A shared table all of whose content goes is let go as a whole; all others are gone through. */
static int zap_table(struct space *s, struct pt_iter *it, struct pt_at *at, va_t from, va_t to)
{
	va_t start = at->va & ~pt_mask(at->p.level), last = at->va | pt_mask(at->p.level);
	int err;

	if (PT_HOST_SHARED(at->v)) {
		if (!space_keeps_any(s, start, last, from, to)) {
			flush_add_range(it->batch, start, last, 0);
			ptp_change(at->p, ptv_make_none(at->p.level));
			flush_add_shared_table(it->batch, ptv_to_table(at->v));
			return 0;
		}
		err = share_make_exclusive(&s->root, at->p);
		if (err)
			return err;
		at->v = ptp_get(at->p);
	}
	pt_iter_enter(it, at);
	return 0;
}

int space_zap(struct space *s, va_t start, va_t end, struct pt_batch *batch)
{
	struct pt_iter it;
	struct pt_at at;

	pt_iter_init(&it, &s->root, start, end);
	it.flags = PT_CHANGE | PT_TABLES;
	it.prune_level = s->root.keep_level;
	it.batch = batch;
	while (pt_iter_next(&it, &at)) {
		if (!ptv_is_table(at.v))
			zap_entry(&it, &at);
		else if ((it.err = zap_table(s, &it, &at, start, end - 1)))
			break;
	}
	return pt_iter_fini(&it);
}

static int space_check_range(const struct space *s, va_t start, va_t end)
{
	if (((start | end) & (PAGE_SIZE - 1)) || start >= end)
		return -EINVAL;
	return pt_root_covers(&s->root, start, end - 1) ? 0 : -ERANGE;
}

/* All that can fail: areas and leaves end at both borders afterwards. */
static int space_cut_range(struct space *s, va_t start, va_t end)
{
	int err = space_check_range(s, start, end);

	if (!err)
		err = space_cut_area(s, start);
	return err ? err : space_cut_area(s, end);
}

/* Have others forked from it, with whom it may share tables? */
static bool space_has_relatives(const struct space *s)
{
	return __atomic_load_n(&s->family->users, __ATOMIC_RELAXED) > 1;
}

/* The tables with pages on both sides of va, and with pages of areas that stay, become the space's
 * own. 0 or -ENOMEM. */
static int space_own_border(struct space *s, va_t va, va_t start, va_t last)
{
	struct pt_way way;
	int err = 0;

	while (!err) {
		uint64_t inside;

		pt_descend(&s->root, va, 0, &way); /* ends above a shared table */
		inside = pt_mask(way.v.level);
		if (!ptv_is_table(way.v) || !(va & inside) ||
		    !space_keeps_any(s, va & ~inside, va | inside, start, last))
			break;
		err = share_make_exclusive(&s->root, way.p[way.v.level]);
	}
	return err;
}

/* The rest that can fail before entries go: shared tables that cannot be let go as a whole. */
static int space_own_borders(struct space *s, va_t start, va_t end)
{
	int err;

	if (!space_has_relatives(s))
		return 0;
	err = space_own_border(s, start, start, end - 1);
	return err || end - 1 == s->root.last ? err : space_own_border(s, end, start, end - 1);
}

/* Before rights change: all tables of the range are. A change of nothing goes to each of them. */
static int space_own_range(struct space *s, va_t start, va_t end)
{
	return space_has_relatives(s) ? pt_protect(&s->root, start, end, 0, 0) : 0;
}

static int space_do_unmap(struct space *s, va_t start, va_t end)
{
	struct notifier_section section;
	struct area *area, *next;
	FLUSH_BATCH(batch);
	int err = space_cut_range(s, start, end);

	if (!err)
		err = space_own_borders(s, start, end);
	if (err)
		return err;
	notifier_start(&s->notifier, &section, start, end, NOTIFY_UNMAP, true);
	flush_begin(&batch, s);
	err = space_zap(s, start, end, &batch);
	ASSERT_EQ(err, 0);
	list_for_each_safe(area, next, &s->areas, link) {
		if (area->start >= start && area->end <= end)
			area_remove(s, area);
	}
	flush_end(&batch);
	notifier_end(&s->notifier, &section);
	return 0;
}

int space_unmap(struct space *s, va_t start, va_t end)
{
	int err;

	rw_write_lock(&s->layout);
	rw_write_lock(&s->lock);
	err = space_do_unmap(s, start, end);
	rw_write_unlock(&s->lock);
	rw_write_unlock(&s->layout);
	return err;
}

/* ---- Protecting. ---- */

static bool space_range_is_full(const struct space *s, va_t start, va_t end)
{
	const struct area *area;

	for (va_t va = start; va < end; va = area->end) {
		area = space_find_area(s, va);
		if (!area)
			return false;
	}
	return true;
}

static int space_do_protect(struct space *s, va_t start, va_t end, pt_attr_t rights)
{
	struct notifier_section section;
	FLUSH_BATCH(batch);
	struct area *area;
	int err = space_check_range(s, start, end);

	if (!err && ((rights & ~PT_RWX) || (rights && !(rights & PT_R))))
		err = -EINVAL;
	if (!err && !space_range_is_full(s, start, end))
		err = -ENOENT;
	if (!err)
		err = space_cut_range(s, start, end);
	if (!err)
		err = space_own_range(s, start, end);
	if (err)
		return err;
	notifier_start(&s->notifier, &section, start, end, NOTIFY_PROTECT, true);
	flush_begin(&batch, s);
	list_for_each(area, &s->areas, link) {
		if (area->end <= start || area->start >= end)
			continue;
		area->rights = rights;
		err = pt_protect(&s->root, area->start, area->end, PT_RWX & ~rights,
				 rights & ~PT_W);
		ASSERT_EQ(err, 0);
	}
	flush_add_range(&batch, start, end - 1, 0);
	flush_end(&batch);
	notifier_end(&s->notifier, &section);
	return 0;
}

int space_protect(struct space *s, va_t start, va_t end, pt_attr_t rights)
{
	int err;

	rw_write_lock(&s->layout);
	rw_write_lock(&s->lock);
	err = space_do_protect(s, start, end, rights);
	rw_write_unlock(&s->lock);
	rw_write_unlock(&s->layout);
	return err;
}
