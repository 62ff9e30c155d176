/*
 * The memory map: every change builds the new map beside the old one and is kept only if it fits.
 *
 * Invariant: map->range[0..count) is sorted, page aligned, disjoint, and no two neighbours of one
 * kind touch. Locking: the caller's; boot only. Talks to nobody.
 */
#include <lib/printk.h>
#include <mm/memmap.h>

#define MEMMAP_PAGE_BYTES 4096ull

/* The map being built, in map->scratch. */
struct memmap_builder {
	struct memmap_range *range;
	unsigned count;
	bool overflow;
};

static uint64_t lesser(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t greater(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* Append [start, end); ranges come in rising order. An empty one is nothing. */
static void builder_append(struct memmap_builder *b, uint64_t start, uint64_t end,
			   enum memmap_kind kind)
{
	struct memmap_range *last = b->count ? &b->range[b->count - 1] : NULL;

	if (start >= end)
		return;
	if (last && last->end == start && last->kind == kind) {
		last->end = end;
		return;
	}
	if (b->count == MEMMAP_MAX) {
		b->overflow = true;
		return;
	}
	b->range[b->count++] = (struct memmap_range){ start, end, kind };
}

/* Append range r of the old map, where [cut->start, cut->end) is now at least as careful as cut. */
static void builder_append_cut(struct memmap_builder *b, const struct memmap_range *r,
			       const struct memmap_range *cut)
{
	enum memmap_kind inside = r->kind > cut->kind ? r->kind : cut->kind;

	builder_append(b, r->start, lesser(r->end, cut->start), r->kind);
	builder_append(b, greater(r->start, cut->start), lesser(r->end, cut->end), inside);
	builder_append(b, greater(r->start, cut->end), r->end, r->kind);
}

/* Lay `new` over the map; its part in holes is added only if `fill`. */
static int map_overlay(struct memmap *map, const struct memmap_range *new, bool fill)
{
	struct memmap_builder b = { .range = map->scratch };
	uint64_t at = new->start; /* what of `new` is below has been appended */

	for (unsigned i = 0; i < map->count; i++) {
		const struct memmap_range *r = &map->range[i];

		if (fill)
			builder_append(&b, at, lesser(r->start, new->end), new->kind);
		builder_append_cut(&b, r, new);
		at = greater(at, lesser(r->end, new->end));
	}
	if (fill)
		builder_append(&b, at, new->end, new->kind);
	if (b.overflow)
		return -ENOSPC;
	__builtin_memcpy(map->range, map->scratch, b.count * sizeof(map->range[0]));
	map->count = b.count;
	return 0;
}

/* The whole pages below pa_limit that an input range stands for. False if there are none. */
static bool range_from_input(struct memmap_range *out, uint64_t start, uint64_t length,
			     enum memmap_kind kind, uint64_t pa_limit)
{
	uint64_t last = start + length - 1;

	if (!length || last < start || start >= pa_limit)
		return false;
	last = lesser(last, pa_limit - 1);
	if (kind == MEMMAP_USABLE) {
		out->start = ALIGN_UP(start, MEMMAP_PAGE_BYTES);
		out->end = ALIGN_DOWN(last + 1, MEMMAP_PAGE_BYTES);
	} else {
		out->start = ALIGN_DOWN(start, MEMMAP_PAGE_BYTES);
		out->end = ALIGN_UP(last + 1, MEMMAP_PAGE_BYTES);
	}
	out->kind = kind;
	return out->start < out->end;
}

static int map_change(struct memmap *map, uint64_t start, uint64_t length, enum memmap_kind kind,
		      uint64_t pa_limit, bool fill)
{
	struct memmap_range new;

	ASSERT_EQ(pa_limit % MEMMAP_PAGE_BYTES, 0u);
	if (!range_from_input(&new, start, length, kind, pa_limit)) {
		map->dropped_count++;
		return -ERANGE;
	}
	return map_overlay(map, &new, fill);
}

int memmap_add(struct memmap *map, uint64_t start, uint64_t length, enum memmap_kind kind,
	       uint64_t pa_limit)
{
	return map_change(map, start, length, kind, pa_limit, true);
}

int memmap_mark(struct memmap *map, uint64_t start, uint64_t length, enum memmap_kind kind,
		uint64_t pa_limit)
{
	return map_change(map, start, length, kind, pa_limit, false);
}

bool memmap_covers(const struct memmap *map, uint64_t start, uint64_t end, enum memmap_kind kind)
{
	for (unsigned i = 0; i < map->count; i++) {
		const struct memmap_range *r = &map->range[i];

		if (r->kind == kind && r->start <= start && end <= r->end)
			return true;
	}
	return false;
}

uint64_t memmap_bytes(const struct memmap *map, enum memmap_kind kind)
{
	uint64_t bytes = 0;

	for (unsigned i = 0; i < map->count; i++)
		if (map->range[i].kind == kind)
			bytes += map->range[i].end - map->range[i].start;
	return bytes;
}

pa_t memmap_find(const struct memmap *map, uint64_t bytes, uint64_t align, uint64_t low,
		 uint64_t high)
{
	for (unsigned i = 0; i < map->count; i++) {
		const struct memmap_range *r = &map->range[i];
		uint64_t from = greater(r->start, low);
		uint64_t end = lesser(r->end, high);
		uint64_t start = ALIGN_UP(from, align);

		if (r->kind != MEMMAP_USABLE || start < from || start >= end)
			continue;
		if (end - start >= bytes)
			return PA(start);
	}
	return PA_NONE;
}
