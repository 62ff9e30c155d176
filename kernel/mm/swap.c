/*
 * Swap slots in memory; see swap.h for what holds.
 *
 *   map block:  slot[0] ... slot[n-1] | group[0] ... group[(n-1) / 1024]
 *                 |                       |
 *                 v frame of the page     v room: one frame, extra[1024], or none
 *
 * The count of a slot is slot.count + extra; extra is not zero only while slot.count is
 * SWAP_COUNT_SMALL. Free slots are a list through slot.next.
 */
#include <lib/printk.h>
#include <lib/spinlock.h>
#include <lib/string.h>
#include <mm/swap.h>

#define SLOT_NONE (~0u)

struct slot {
	struct frame *frame; /* constant from swap_init to swap_fini */
	uint32_t next;       /* while count is 0 */
	uint32_t count;      /* up to SWAP_COUNT_SMALL */
};

struct group {
	struct frame *room;  /* of uint32_t extra[SWAP_GROUP_SLOTS] */
	uint32_t extra_used; /* how many of them are not zero */
};

_Static_assert(SWAP_GROUP_SLOTS * sizeof(uint32_t) == PAGE_SIZE, "count room is one frame");

static struct {
	/* constant from swap_init to swap_fini */
	struct frame *map;
	struct slot *slot;
	struct group *group;
	uint64_t slot_count;

	struct spinlock lock;
	/* under lock, and all of slot and group but slot.frame, too */
	uint64_t used_count;
	uint32_t first_free;
} swap = { .lock = SPINLOCK_INIT(LOCK_SWAP), .first_free = SLOT_NONE };

static void *frame_ptr(const struct frame *f)
{
	return pa_to_ptr(frame_to_pa(f));
}

/* ---- Setting up. ---- */

void swap_fini(void)
{
	ASSERT_EQ(swap.used_count, 0u);
	for (uint64_t i = 0; i < swap.slot_count && swap.slot[i].frame; i++)
		frame_free(swap.slot[i].frame);
	if (swap.map)
		frame_free(swap.map);
	swap.map = NULL;
	swap.slot_count = 0;
	swap.first_free = SLOT_NONE;
}

static struct frame *swap_alloc_map(uint64_t slot_count, uint64_t group_count)
{
	uint64_t bytes = slot_count * sizeof(struct slot) + group_count * sizeof(struct group);
	unsigned order = 0;

	while (PAGE_SIZE << order < bytes)
		order++;
	return order > FRAME_ORDER_MAX ? NULL : frame_alloc_zeroed(order, FRAME_KERNEL);
}

/* A frame for every slot, linked so that low numbers are handed out first. */
static int swap_alloc_slots(void)
{
	for (uint64_t i = 0; i < swap.slot_count; i++) {
		struct slot *s = &swap.slot[i];

		s->frame = frame_alloc(0, FRAME_KERNEL);
		if (!s->frame)
			return -ENOMEM;
		s->next = i + 1 < swap.slot_count ? (uint32_t)(i + 1) : SLOT_NONE;
	}
	return 0;
}

int swap_init(uint64_t slot_count)
{
	uint64_t group_count = (slot_count - 1) / SWAP_GROUP_SLOTS + 1;
	int err;

	if (!slot_count || slot_count > SLOT_NONE)
		return -EINVAL;
	if (swap.map)
		return -EBUSY;
	swap.map = swap_alloc_map(slot_count, group_count);
	if (!swap.map)
		return -ENOMEM;
	swap.slot = frame_ptr(swap.map);
	swap.group = (struct group *)(swap.slot + slot_count);
	swap.slot_count = slot_count;
	err = swap_alloc_slots();
	if (err)
		swap_fini();
	else
		swap.first_free = 0;
	return err;
}

/* ---- Counting. ---- */

/* Found without the lock: the soft entry that the caller has keeps the count above zero. */
static struct slot *slot_in_use(swap_slot_t slot)
{
	ASSERT_OP(slot, <, swap.slot_count);
	ASSERT(READ_ONCE(swap.slot[slot].count));
	return &swap.slot[slot];
}

static struct group *slot_group(swap_slot_t slot)
{
	return &swap.group[slot / SWAP_GROUP_SLOTS];
}

/* The extra count of a slot. Only while its group has room. */
static uint32_t *slot_extra(swap_slot_t slot)
{
	uint32_t *extra = frame_ptr(slot_group(slot)->room);

	return &extra[slot % SWAP_GROUP_SLOTS];
}

int swap_alloc(swap_slot_t *slot)
{
	int err = -ENOSPC;

	spin_lock(&swap.lock);
	if (swap.first_free != SLOT_NONE) {
		struct slot *s = &swap.slot[swap.first_free];

		*slot = swap.first_free;
		swap.first_free = s->next;
		swap.used_count++;
		s->count = 1;
		err = 0;
	}
	spin_unlock(&swap.lock);
	return err;
}

int swap_get(swap_slot_t slot)
{
	struct slot *s = slot_in_use(slot);
	struct group *g = slot_group(slot);
	int err = 0;

	spin_lock(&swap.lock);
	if (s->count < SWAP_COUNT_SMALL)
		s->count++;
	else if (!g->room)
		err = -ENOSPC;
	else if ((*slot_extra(slot))++ == 0)
		g->extra_used++;
	spin_unlock(&swap.lock);
	return err;
}

/* Would swap_get ask for room? If so, and there is some in hand, it becomes the group's. */
static bool slot_is_starved(swap_slot_t slot, struct frame *room)
{
	struct slot *s = slot_in_use(slot);
	struct group *g = slot_group(slot);
	bool starved;

	spin_lock(&swap.lock);
	starved = s->count == SWAP_COUNT_SMALL && !g->room;
	if (starved)
		g->room = room;
	spin_unlock(&swap.lock);
	return starved;
}

int swap_reserve(swap_slot_t slot)
{
	struct frame *room;

	if (!slot_is_starved(slot, NULL))
		return 0;
	room = frame_alloc_zeroed(0, FRAME_KERNEL);
	if (!room)
		return -ENOMEM;
	if (!slot_is_starved(slot, room))
		frame_free(room); /* somebody was faster */
	return 0;
}

/* Take one off the count. */
static void slot_uncount(struct slot *s, struct group *g, swap_slot_t slot)
{
	if (g->room && *slot_extra(slot)) {
		if (--*slot_extra(slot) == 0)
			g->extra_used--;
	} else if (--s->count == 0) {
		s->next = swap.first_free;
		swap.first_free = (uint32_t)slot;
		swap.used_count--;
	}
}

void swap_put(swap_slot_t slot)
{
	struct slot *s = slot_in_use(slot);
	struct group *g = slot_group(slot);
	struct frame *room = NULL;

	spin_lock(&swap.lock);
	slot_uncount(s, g, slot);
	if (!g->extra_used) {
		room = g->room;
		g->room = NULL;
	}
	spin_unlock(&swap.lock);
	if (room)
		frame_free(room);
}

uint64_t swap_count(swap_slot_t slot)
{
	uint64_t count;

	ASSERT_OP(slot, <, swap.slot_count);
	spin_lock(&swap.lock);
	count = swap.slot[slot].count;
	if (slot_group(slot)->room)
		count += *slot_extra(slot);
	spin_unlock(&swap.lock);
	return count;
}

uint64_t swap_used(void)
{
	return READ_ONCE(swap.used_count);
}

/* ---- Contents. ---- */

void swap_write(swap_slot_t slot, const struct frame *f)
{
	memcpy(frame_ptr(slot_in_use(slot)->frame), frame_ptr(f), PAGE_SIZE);
}

void swap_read(swap_slot_t slot, struct frame *f)
{
	memcpy(frame_ptr(f), frame_ptr(slot_in_use(slot)->frame), PAGE_SIZE);
}
