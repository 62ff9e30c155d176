/*
 * Areas: the sorted list of a space, and objects, the memory that shared areas and modules show.
 *
 * Invariant: areas are in the list by rising start and do not overlap. Locking: the space's
 * operation. Talks to: frame (objects' pages), pool.
 */
#include <lib/printk.h>
#include <lib/string.h>
#include <mm/pool.h>
#include <mm/space.h>

static struct pool area_pool = POOL_INIT(area_pool, struct area);
static struct pool object_pool = POOL_INIT(object_pool, struct object);

/* ---- The list. ---- */

struct area *space_find_area(const struct space *space, va_t va)
{
	struct area *area;

	list_for_each(area, &space->areas, link) {
		if (va < area->start)
			return NULL;
		if (va < area->end)
			return area;
	}
	return NULL;
}

/* The first area that ends behind va, or the list's head as an area. */
static struct list *area_first_behind(const struct space *space, va_t va)
{
	struct area *area;

	list_for_each(area, &space->areas, link) {
		if (area->end > va)
			return &area->link;
	}
	return (struct list *)&space->areas;
}

va_t space_find_gap(const struct space *space, uint64_t bytes, uint64_t align, va_t low, va_t high)
{
	va_t at = ALIGN_UP(low, align);
	struct area *area;

	list_for_each(area, &space->areas, link) {
		if (area->end <= at)
			continue;
		if (area->start >= at && area->start - at >= bytes)
			break;
		at = ALIGN_UP(area->end, align);
	}
	return at < high && high - at >= bytes ? at : 0;
}

int area_insert(struct space *space, const struct area *model, struct area **out)
{
	struct list *pos = area_first_behind(space, model->start);
	struct area *area;

	if (pos != &space->areas && LIST_ENTRY(pos, struct area, link)->start < model->end)
		return -EEXIST;
	area = pool_alloc(&area_pool);
	if (!area)
		return -ENOMEM;
	*area = *model;
	*out = area;
	if (area->object)
		object_get(area->object);
	list_add_before(pos, &area->link);
	return 0;
}

void area_remove(struct space *space, struct area *area)
{
	area_collect(area);
	for (unsigned i = 0; i < FAULT_RESULT_COUNT; i++)
		space->faults[i] += area->faults[i];
	list_remove(&area->link);
	if (area->object)
		object_put(area->object);
	pool_free(&area_pool, area);
}

int space_clone_area(struct space *dst, const struct area *src, struct area **out)
{
	struct area model = *src;

	memset(model.mapped, 0, sizeof(model.mapped));
	memset(model.faults, 0, sizeof(model.faults));
	return area_insert(dst, &model, out);
}

/* ---- Cutting. ---- */

enum mapped_kind area_leaf_kind(const struct area *area, ptv_t v)
{
	if (area->kind == AREA_DEVICE)
		return MAPPED_DEVICE;
	if (ptv_attr(v) & PT_DEVMAP)
		return MAPPED_ZERO;
	return pa_to_frame(ptv_pa(v))->flags & FRAME_FLAG_OBJECT ? MAPPED_OBJECT : MAPPED_ANON;
}

void area_recount(const struct space *space, const struct area *area, va_t start, va_t end,
		  int64_t mapped[MAPPED_KIND_COUNT])
{
	int64_t pages[MAPPED_KIND_COUNT] = { 0 };
	struct pt_iter it;
	struct pt_at at;
	int err;

	pt_iter_init(&it, &space->root, start, end);
	while (pt_iter_next(&it, &at))
		pages[ptv_is_soft(at.v) ? MAPPED_SWAP : area_leaf_kind(area, at.v)] +=
			pt_size(at.p.level) >> PAGE_SHIFT;
	err = pt_iter_fini(&it);
	ASSERT_EQ(err, 0);
	memcpy(mapped, pages, sizeof(pages));
}

/* Count the smaller of the two parts, and give the upper one what is its. */
static void area_divide_books(const struct space *space, struct area *area, va_t va,
			      int64_t upper[MAPPED_KIND_COUNT])
{
	bool count_lower = va - area->start < area->end - va;
	int64_t part[MAPPED_KIND_COUNT];

	area_collect(area);
	area_recount(space, area, count_lower ? area->start : va, count_lower ? va : area->end,
		     part);
	for (unsigned i = 0; i < MAPPED_KIND_COUNT; i++) {
		upper[i] = count_lower ? area->mapped[i] - part[i] : part[i];
		area->mapped[i] -= upper[i];
	}
}

int space_cut_area(struct space *space, va_t va)
{
	struct area *area = space_find_area(space, va), *upper;
	struct area model;
	int err;

	if (!area || area->start == va)
		return 0;
	err = pt_cut(&space->root, va);
	if (err)
		return err;
	upper = pool_alloc(&area_pool);
	if (!upper)
		return -ENOMEM;
	model = *area;
	memset(model.faults, 0, sizeof(model.faults));
	model.start = va;
	model.offset_pages += (va - area->start) >> PAGE_SHIFT;
	model.pa = pa_add(model.pa, va - area->start);
	area_divide_books(space, area, va, model.mapped);
	*upper = model;
	area->end = va;
	if (upper->object)
		object_get(upper->object);
	list_add_before(area->link.next, &upper->link);
	return 0;
}

/* ---- Objects. ---- */

static struct object *object_new(uint64_t page_count)
{
	struct object *o = pool_alloc(&object_pool);
	unsigned order = 0;

	while (o && (PAGE_SIZE << order) < page_count * sizeof(struct frame *))
		order++;
	if (!o || !page_count || order > FRAME_ORDER_MAX)
		goto fail;
	o->table = frame_alloc_zeroed(order, FRAME_KERNEL);
	if (!o->table)
		goto fail;
	o->frame = pa_to_ptr(frame_to_pa(o->table));
	o->table_order = order;
	o->page_count = page_count;
	o->users = 1;
	return o;
fail:
	pool_free(&object_pool, o);
	return NULL;
}

struct object *object_create(uint64_t page_count)
{
	return object_new(page_count);
}

struct object *object_create_at(pa_t start, uint64_t page_count)
{
	struct object *o = object_new(page_count);

	for (uint64_t i = 0; o && i < page_count; i++) {
		o->frame[i] = pa_to_frame(pa_add(start, i << PAGE_SHIFT));
		frame_get(o->frame[i]);
		o->frame[i]->flags |= FRAME_FLAG_OBJECT;
	}
	return o;
}

void object_get(struct object *o)
{
	__atomic_add_fetch(&o->users, 1, __ATOMIC_RELAXED);
}

void object_put(struct object *o)
{
	if (__atomic_sub_fetch(&o->users, 1, __ATOMIC_ACQ_REL))
		return;
	for (uint64_t i = 0; i < o->page_count; i++) {
		if (o->frame[i])
			frame_put(o->frame[i]);
	}
	frame_put(o->table);
	pool_free(&object_pool, o);
}

struct frame *object_frame(struct object *o, uint64_t page)
{
	struct frame *f = __atomic_load_n(&o->frame[page], __ATOMIC_ACQUIRE), *made;

	ASSERT_OP(page, <, o->page_count);
	if (f)
		return f;
	made = frame_alloc_zeroed(0, FRAME_DATA);
	if (!made)
		return NULL;
	made->flags = FRAME_FLAG_OBJECT;
	if (__atomic_compare_exchange_n(&o->frame[page], &f, made, false, __ATOMIC_ACQ_REL,
					__ATOMIC_ACQUIRE))
		return made;
	frame_put(made); /* somebody was faster */
	return f;
}
