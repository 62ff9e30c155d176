/*
 * The allocator checks itself: one pass over the array, one over the lists, and they must agree.
 *
 * Every frame is reserved, or in exactly one block; a block is aligned, its tails say so and have
 * no edges; a free block has none either, is on the list of its order or hot, and has no free buddy
 * that it should have merged with; a block in use has at least one. The sums agree with the counts.
 * Locking: holds buddy.lock while it looks, and reports without it.
 */
#include <lib/printk.h>
#include <lib/string.h>
#include <mm/frame_internal.h>

struct check {
	const char *what; /* the first violation, or NULL */
	pfn_t pfn;        /* and where */
	uint64_t free_count, used_count;
	uint64_t blocks[FRAME_ORDER_MAX + 1]; /* free blocks found in the array */
	uint64_t hot_count;
};

static bool check_fails(struct check *c, pfn_t pfn, const char *what)
{
	c->what = what;
	c->pfn = pfn;
	return false;
}

static bool check_tails(struct check *c, pfn_t pfn, unsigned order)
{
	if (pfn & (block_frames(order) - 1) || pfn + block_frames(order) > frame_limit)
		return check_fails(c, pfn, "a block is not aligned");
	for (pfn_t i = pfn + 1; i < pfn + block_frames(order); i++)
		if (frame_array[i].kind != FRAME_TAIL || frame_array[i].edges)
			return check_fails(c, i, "a frame inside a block is not a tail");
	return true;
}

static bool check_merged(struct check *c, pfn_t pfn, unsigned order)
{
	pfn_t other = pfn ^ block_frames(order);

	if (order < FRAME_ORDER_MAX && other < frame_limit &&
	    frame_array[other].kind == FRAME_FREE && frame_array[other].order == order)
		return check_fails(c, pfn, "two free buddies were not merged");
	return true;
}

/* A free block; *order becomes its true one. */
static bool check_free(struct check *c, pfn_t pfn, unsigned *order)
{
	struct frame *f = &frame_array[pfn];

	if (f->edges)
		return check_fails(c, pfn, "a free block has edges");
	if (*order == FRAME_ORDER_HOT) {
		c->hot_count++;
		*order = 0;
	} else {
		if (*order > FRAME_ORDER_MAX)
			return check_fails(c, pfn, "a free block has no legal order");
		if (!check_merged(c, pfn, *order))
			return false;
		c->blocks[*order]++;
	}
	c->free_count += block_frames(*order);
	if (!poison_intact(f, *order, false))
		return check_fails(c, pfn, "a free block was written to");
	return true;
}

static bool check_used(struct check *c, pfn_t pfn, unsigned order)
{
	const struct frame *f = &frame_array[pfn];

	if (f->kind >= FRAME_KIND_COUNT || order > FRAME_ORDER_MAX)
		return check_fails(c, pfn, "a frame has no legal kind or order");
	if (!f->edges || f->edges & FRAME_LOCKED)
		return check_fails(c, pfn, "a block in use has no edge, or is locked");
	c->used_count += block_frames(order);
	return true;
}

/* One block, or one reserved frame. Returns how many frames that is, or 0 after a violation. */
static pfn_t check_block(struct check *c, pfn_t pfn)
{
	const struct frame *f = &frame_array[pfn];
	unsigned order = f->order;
	bool good;

	if (f->kind == FRAME_RESERVED) {
		good = !f->edges || check_fails(c, pfn, "a reserved frame has edges");
		return good ? 1 : 0;
	}
	if (f->kind == FRAME_TAIL)
		good = check_fails(c, pfn, "a tail belongs to no block");
	else if (f->kind == FRAME_FREE)
		good = check_free(c, pfn, &order);
	else
		good = check_used(c, pfn, order);
	good = good && check_tails(c, pfn, order);
	return good ? block_frames(order) : 0;
}

static bool check_array(struct check *c)
{
	pfn_t step;

	for (pfn_t pfn = 0; pfn < frame_limit; pfn += step) {
		step = check_block(c, pfn);
		if (!step)
			return false;
	}
	if (c->free_count != buddy.free_count + frame_cache_count())
		return check_fails(c, 0, "the count of free frames is wrong");
	if (c->free_count + c->used_count != buddy.total_count)
		return check_fails(c, 0, "frames were lost or invented");
	return true;
}

/* Every entry of the list is a free block of that order, and none the array has is missing. */
static bool check_list(struct check *c, unsigned order)
{
	uint64_t left = c->blocks[order];
	uint32_t prev = 0;

	if (!(buddy.nonempty & 1u << order) != !buddy.first[order])
		return check_fails(c, buddy.first[order], "the mask of orders is wrong");
	for (uint32_t pfn = buddy.first[order]; pfn; pfn = frame_array[pfn].free.next) {
		const struct frame *f = &frame_array[pfn];

		if (pfn >= frame_limit)
			return check_fails(c, prev, "a list leads out of memory");
		if (f->kind != FRAME_FREE || f->order != order || !left--)
			return check_fails(c, pfn, "a list holds what is not free, or loops");
		if (f->free.prev != prev)
			return check_fails(c, pfn, "a list's links disagree");
		prev = pfn;
	}
	return !left || check_fails(c, 0, "a free block is on no list");
}

static bool check_cache(struct check *c, const struct frame_cache *cache)
{
	for (unsigned i = 0; i < cache->count; i++) {
		const struct frame *f = &frame_array[cache->pfn[i]];

		if (f->kind != FRAME_FREE || f->order != FRAME_ORDER_HOT)
			return check_fails(c, cache->pfn[i], "a hot frame is not free");
	}
	return true;
}

static bool check_caches(struct check *c)
{
	for (unsigned cpu = 0; cpu < CPU_MAX; cpu++)
		if (!check_cache(c, &frame_cache[cpu]))
			return false;
	return c->hot_count == frame_cache_count() ||
	       check_fails(c, 0, "hot frames were lost or doubled");
}

static void check_all(struct check *c)
{
	if (!check_array(c) || !check_caches(c))
		return;
	for (unsigned order = 0; order <= FRAME_ORDER_MAX; order++)
		if (!check_list(c, order))
			return;
}

void frame_check_at(const char *file, int line)
{
	struct check c;
	uint64_t flags;

	memset(&c, 0, sizeof(c));
	flags = spin_lock_irq(&buddy.lock);
	check_all(&c);
	spin_unlock_irq(&buddy.lock, flags);
	if (c.what)
		frame_bug(&frame_array[c.pfn], c.what, file, line);
}
