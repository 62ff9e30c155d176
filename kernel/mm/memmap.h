/*
 * The physical memory map: what firmware says, turned into something that can be relied on.
 *
 * Input may be unsorted, overlapping, zero-length, wrapping or above the address width. The result
 * is sorted, page aligned and disjoint, and neighbours of one kind are one range; where entries
 * disagree the more careful kind wins; usable ranges shrink to whole pages, all others grow. Pure
 * logic: no allocation, no globals.
 */
#pragma once

#include <lib/compiler.h>
#include <mm/pt/pt_types.h>

#define MEMMAP_MAX 256

/* In rising order of care. */
enum memmap_kind {
	MEMMAP_USABLE,
	MEMMAP_RECLAIM, /* usable once it has been read (ACPI, boot information, modules) */
	MEMMAP_RESERVED,
	MEMMAP_BAD,
};

struct memmap_range {
	uint64_t start, end; /* bytes, [start, end); end is never 0 */
	enum memmap_kind kind;
};

struct memmap {
	unsigned count;
	unsigned dropped_count; /* input ranges that were empty, wrapped or above the width */
	struct memmap_range range[MEMMAP_MAX];
	struct memmap_range scratch[MEMMAP_MAX]; /* where a change is made before it is kept */
};

/*
 * Add bytes [start, start + length) of a kind, keeping the map sorted and disjoint.
 *
 * Returns 0, -ERANGE (empty, no whole page of usable memory, wraps, or at or above `pa_limit`:
 * counted as dropped; a range that only reaches above is cut), or -ENOSPC when MEMMAP_MAX ranges
 * do not suffice; then the map is as before. `pa_limit` is page aligned.
 */
int memmap_add(struct memmap *map, uint64_t start, uint64_t length, enum memmap_kind kind,
	       uint64_t pa_limit);

/*
 * The same, but only for what is in the map already: raise the care of its memory in [start,
 * start + length) to at least `kind` and leave holes alone. For what somebody put into memory, as
 * opposed to what firmware says of it: a module in a hole does not make memory of the hole.
 */
int memmap_mark(struct memmap *map, uint64_t start, uint64_t length, enum memmap_kind kind,
		uint64_t pa_limit);

/* Is all of [start, end) of this kind? */
bool memmap_covers(const struct memmap *map, uint64_t start, uint64_t end, enum memmap_kind kind);

/* Bytes of a kind in the whole map. */
uint64_t memmap_bytes(const struct memmap *map, enum memmap_kind kind);

/*
 * Find `bytes` (whole pages) of usable memory inside [low, high), as low as possible, aligned.
 * Returns the address, or PA_NONE.
 */
pa_t memmap_find(const struct memmap *map, uint64_t bytes, uint64_t align, uint64_t low,
		 uint64_t high);
