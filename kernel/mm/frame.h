/*
 * Frames: 4 KiB pieces of physical memory, their allocator and their edges.
 *
 * A *block* is 2^order aligned neighbouring frames handed out together (order 9 for a 2 MiB leaf,
 * 18 for 1 GiB). Only its first frame, the head, keeps counts while the block is intact; exploding
 * a block makes its parts blocks of their own, each with the head's edges.
 *
 *   edges = entries (of any table, any format) that point at the block, plus explicit holds.
 *   A freshly allocated block has one edge: the caller's hold, which installing an entry takes over.
 *
 * Invariants: a free block has no edge; the last frame_put frees; in test builds a free block is
 * filled with FRAME_POISON and is checked when it is handed out again.
 * Locking: edges are atomic; the allocator has a lock of its own (a leaf in the lock order).
 * Talks to: arch (direct map), lib. Knows nothing of spaces and areas.
 */
#ifndef MM_FRAME_H
#define MM_FRAME_H

#include <arch/mmu.h>
#include <lib/compiler.h>
#include <mm/pt/pt_meta.h>

#define PAGE_SHIFT 12
#define PAGE_SIZE (1ull << PAGE_SHIFT)
#define FRAME_ORDER_MAX 18
#define FRAME_POISON 0x5ab0f5ee5ab0f5eeull /* every 8 bytes of a free frame, in test builds */

typedef uint64_t pfn_t;

enum frame_kind {
	FRAME_RESERVED, /* not RAM, firmware's, or the kernel image: never handed out */
	FRAME_FREE,     /* head of a free block */
	FRAME_TAIL,     /* inside a block, free or not: look at the head */
	FRAME_DATA,     /* page contents */
	FRAME_TABLE,    /* a table; meta is valid */
	FRAME_KERNEL,   /* kernel stacks, the frame array, ... */
	FRAME_KIND_COUNT,
};

struct frame {
	uint32_t edges; /* atomic */
	uint8_t kind;   /* enum frame_kind */
	uint8_t order;  /* of the block, in its head */
	uint16_t flags; /* for the room that owns the block */
	union {
		struct pt_meta meta; /* FRAME_TABLE */
		struct {
			uint32_t next, prev; /* FRAME_FREE: pfns in the free list of its order */
		} free;
		uint64_t owner[2]; /* FRAME_DATA, FRAME_KERNEL: for the room that owns the block */
	};
};

/* The array, indexed by page frame number; frame_limit is its length. */
extern struct frame *frame_array;
extern pfn_t frame_limit;

static inline void *pa_to_ptr(pa_t pa)
{
	return (void *)(pa.value + DIRECT_BASE);
}

/* Of an address inside the direct map. */
static inline pa_t ptr_to_pa(const void *ptr)
{
	return PA((uint64_t)ptr - DIRECT_BASE);
}

static inline struct frame *pa_to_frame(pa_t pa)
{
	return &frame_array[pa.value >> PAGE_SHIFT];
}

static inline pa_t frame_to_pa(const struct frame *f)
{
	return PA((uint64_t)(f - frame_array) << PAGE_SHIFT);
}

/* Is there a struct frame for this address at all? (Device windows have none.) */
static inline bool pa_has_frame(pa_t pa)
{
	return (pa.value >> PAGE_SHIFT) < frame_limit;
}

/*
 * Hand out a block of 2^order frames with one edge, the caller's hold.
 *
 * Contents are undefined unless zeroed by frame_alloc_zeroed.
 * Returns NULL when no such block is free (or an injected failure says so).
 */
#define frame_alloc(order, kind) frame_alloc_at(order, kind, __FILE__, __LINE__)
struct frame *frame_alloc_at(unsigned order, enum frame_kind kind, const char *file, int line);
#define frame_alloc_zeroed(order, kind) frame_alloc_zeroed_at(order, kind, __FILE__, __LINE__)
struct frame *frame_alloc_zeroed_at(unsigned order, enum frame_kind kind, const char *file,
				    int line);

/* One edge more. It is a bug if the block is free or reserved. `f` is the head of its block. */
#define frame_get(f) frame_get_at(f, __FILE__, __LINE__)
void frame_get_at(struct frame *f, const char *file, int line);

/*
 * One edge less; frees the block with the last one.
 *
 * Returns true if the block was freed. A double free is a bug reported with file:line.
 */
#define frame_put(f) frame_put_at(f, __FILE__, __LINE__)
bool frame_put_at(struct frame *f, const char *file, int line);

/*
 * Edges of a leaf that covers 2^order frames from `f` on, whether the block is intact (counted at
 * its head) or has been exploded (each part counted).
 */
void frame_get_span(struct frame *f, unsigned order);
void frame_put_span(struct frame *f, unsigned order);

/*
 * Turn the intact block at `f` into blocks of 2^order, each with the edges of the whole; a leaf
 * that covered it covers them all. No-op if the parts are that small or smaller already.
 */
void frame_explode(struct frame *f, unsigned order);

/*
 * May the one leaf that covers 2^order frames at `f` be written through as the only edge?
 * Returns true if every block in the span has exactly one edge.
 */
bool frame_span_exclusive(const struct frame *f, unsigned order);

/* Frames on free lists. Equal before and after whatever leaks nothing. */
uint64_t frame_free_count(void);
uint64_t frame_total_count(void);

/*
 * Failure injection for tests: after `skip` more successful allocations, the next `count`
 * allocations return NULL. count == 0 switches it off.
 */
void frame_fail_after(uint64_t skip, uint64_t count);
/* Allocations since boot, failed ones included. */
uint64_t frame_alloc_calls(void);

/*
 * Give the usable ranges of `map` below/above `limit` to the allocator. The frame array must exist:
 * frame_init places it in the map's memory below BOOT_MAP_BYTES and marks everything reserved.
 *
 * frame_init returns -ENOMEM if the map has no room for it.
 */
struct memmap;
int frame_init(struct memmap *map);
void frame_add_range(pa_t start, pa_t end);

/* Verify every free list against the array: orders, alignment, kinds, edges, poison, the count.
 * A bug on the first violation. Cost: linear in the number of frames. */
void frame_check(void);

#endif
