/*
 * The frame array: how long it is, where it lies.
 *
 * Locking: none; boot only. Talks to: mm/memmap.
 */
#include <lib/printk.h>
#include <lib/string.h>
#include <mm/frame_internal.h>
#include <mm/memmap.h>

struct frame *frame_array;
pfn_t frame_limit;

#define ARRAY_SHARE 8              /* the array takes at most one such part of memory */
#define ARRAY_LOW 0x100000ull      /* the first MiB is kept for what can only be there */
#define PFN_LIMIT_MAX (1ull << 32) /* list links are 32 bits */

static bool range_is_memory(const struct memmap_range *r)
{
	return r->kind == MEMMAP_USABLE || r->kind == MEMMAP_RECLAIM;
}

static uint64_t array_bytes(pfn_t limit)
{
	return ALIGN_UP(limit * sizeof(struct frame), PAGE_SIZE);
}

/* The highest end of memory up to which the array takes at most its share of what it covers. */
static pfn_t limit_by_share(const struct memmap *map)
{
	uint64_t bytes = 0;
	pfn_t limit = 0;

	for (unsigned i = 0; i < map->count; i++) {
		const struct memmap_range *r = &map->range[i];

		if (!range_is_memory(r))
			continue;
		bytes += r->end - r->start;
		if (array_bytes(r->end >> PAGE_SHIFT) <= bytes / ARRAY_SHARE)
			limit = r->end >> PAGE_SHIFT;
	}
	return limit < PFN_LIMIT_MAX ? limit : PFN_LIMIT_MAX;
}

/* The longest array that fits into half of some usable range the boot tables reach. */
static pfn_t limit_by_room(const struct memmap *map)
{
	uint64_t room = 0;

	for (unsigned i = 0; i < map->count; i++) {
		const struct memmap_range *r = &map->range[i];
		uint64_t start = r->start > ARRAY_LOW ? r->start : ARRAY_LOW;
		uint64_t end = r->end < BOOT_MAP_BYTES ? r->end : BOOT_MAP_BYTES;

		if (r->kind == MEMMAP_USABLE && start < end && end - start > room)
			room = end - start;
	}
	return ALIGN_DOWN(room / 2, PAGE_SIZE) / sizeof(struct frame);
}

static void report_unused(const struct memmap *map)
{
	for (unsigned i = 0; i < map->count; i++) {
		const struct memmap_range *r = &map->range[i];

		if (range_is_memory(r) && r->end > frame_limit << PAGE_SHIFT)
			printk("frames: memory %#lx-%#lx lies above %#lx and stays unused\n",
			       r->start, r->end, frame_limit << PAGE_SHIFT);
	}
}

int frame_init(struct memmap *map)
{
	pfn_t limit = limit_by_share(map), room = limit_by_room(map);
	pa_t pa;

	memset(&buddy, 0, sizeof(buddy));
	spin_init(&buddy.lock, LOCK_FRAMES);
	frame_cache_reset();
	frame_limit = 0;
	if (limit > room)
		limit = room;
	pa = memmap_find(map, array_bytes(limit), PAGE_SIZE, ARRAY_LOW, BOOT_MAP_BYTES);
	if (!limit || pa_equal(pa, PA_NONE))
		return -ENOMEM;
	if (memmap_add(map, pa.value, array_bytes(limit), MEMMAP_RESERVED, BOOT_MAP_BYTES))
		return -ENOMEM;
	frame_array = pa_to_ptr(pa);
	frame_limit = limit;
	_Static_assert(FRAME_RESERVED == 0, "so a cleared array is all reserved");
	memset(frame_array, 0, array_bytes(limit));
	report_unused(map);
	return 0;
}

void frame_add_usable(const struct memmap *map, uint64_t low, uint64_t high)
{
	for (unsigned i = 0; i < map->count; i++) {
		const struct memmap_range *r = &map->range[i];
		uint64_t start = r->start > low ? r->start : low;
		uint64_t end = r->end < high ? r->end : high;

		if (r->kind == MEMMAP_USABLE && start < end)
			frame_add_range(PA(start), PA(end));
	}
}
