/*
 * What the workloads of bench/ work on: a space with one anonymous area whose pages were written.
 *
 * Up to SCENE_FULL_BYTES every page of the area is there. Larger areas, past what there is RAM
 * for, are sparse: SCENE_SPARSE_4K (or _2M) pages of their own, spread evenly; every one counts.
 *
 * Locking: see bench.h. Talks to: space, fault, copy, share.
 */
#pragma once

#include <bench/bench.h>
#include <bench/sizes.h>
#include <mm/space.h>

#define SCENE_BASE 0x10000000000ull /* 1 TiB: every size begins and ends at an entry of its own */

struct scene {
	uint64_t bytes;      /* of the area */
	unsigned leaf_level; /* 0: 4K pages; 1: 2M pages */
	uint64_t page_count; /* pages that are there */
	uint64_t stride;     /* from one to the next, bytes */
};

/* The sizes that workloads go through, in order; 0 ends them, at the latest at bench_size_max. */
uint64_t scene_size(unsigned i);

struct scene scene_of(uint64_t bytes, unsigned leaf_level);

/* The address of page i. */
static inline va_t scene_page(const struct scene *s, uint64_t i)
{
	return SCENE_BASE + i * s->stride;
}

static inline uint64_t scene_page_bytes(const struct scene *s)
{
	return pt_size(s->leaf_level);
}

/* A space with the area, its pages written through the MMU. Panics without the memory for it. */
struct space *scene_create(const struct scene *s);
/* An anonymous, private area of [start, start + bytes). */
void scene_add_area(struct space *space, va_t start, uint64_t bytes, unsigned leaf_level);

/* Write a word of every page through the MMU, in `space`; `space` stays loaded. */
void scene_write_all(const struct scene *s, struct space *space);
/* One store through the MMU, which may fault; user access must be open. */
ALWAYS_INLINE void scene_write(va_t va)
{
	*(volatile uint64_t *)va = va;
}

/* Say what a workload took on all of a scene, or on `items` things of it. */
void scene_report(const char *name, const char *impl, const struct scene *s, uint64_t items,
		  const struct bench_best *best, uint64_t content);

/* Fork or die. The strategy is the switch of mm/share. */
struct space *scene_fork(struct space *parent);

/* Instructions that went into clearing the tables that the space's family has. */
uint64_t scene_table_content(const struct space *space);
/* The same, and those that cleared or copied the pages that this space's faults filled. */
uint64_t scene_content(const struct scene *s, const struct space *space);

/* Call run(impl) with the eager and then with the shared strategy; the switch is then as it was. */
void scene_both_strategies(void (*run)(const struct scene *s, struct space *parent,
				       const char *impl),
			   const struct scene *s, struct space *parent);
