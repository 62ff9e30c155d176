/*
 * Frames: 4 KiB pieces of physical memory, their allocator and their edges.
 *
 * A *block* is 2^order aligned neighbouring frames handed out together (order 9 for a 2 MiB leaf,
 * 18 for 1 GiB). Only its first frame, the head, keeps counts while the block is intact; exploding
 * a block makes its parts blocks of their own, each with the head's edges.
 *
 *   edges = entries (of any table, any format) that point at the block, plus explicit holds.
 *   A freshly allocated block has one edge, the caller's hold; installing an entry takes it over.
 *
 * Invariants: a free block has no edge; the last frame_put frees; in test builds a free block is
 * filled with FRAME_POISON and is checked when it is handed out again. Frame 0 is never handed out.
 * Locking: edges are atomic; the allocator has a lock of its own (a leaf in the lock order).
 * Breaking a rule here is a bug that names the caller's file:line, never an error.
 * Talks to: arch (direct map), lib. Knows nothing of spaces and areas.
 */
#pragma once

#include <arch/mmu.h>
#include <lib/compiler.h>
#include <mm/pt/pt_types.h>

#define PAGE_SHIFT 12
#define PAGE_SIZE (1ull << PAGE_SHIFT)
#define FRAME_ORDER_MAX 18
/* flags of a FRAME_DATA block */
#define FRAME_FLAG_OBJECT (1u << 0) /* a page of an object (space.h) */

#define FRAME_POISON 0x5ab0f5ee5ab0f5eeull /* every 8 bytes of a free frame, in test builds */

/* In edges: the order of the block at this head is being looked at or changed (frame_span.c). */
#define FRAME_LOCKED 0x80000000u

typedef uint64_t pfn_t;

enum frame_kind {
	FRAME_RESERVED, /* no RAM, firmware's, the image, the frame array: never handed out */
	FRAME_FREE,     /* head of a free block */
	FRAME_TAIL,     /* inside a block, free or not: look at the head */
	FRAME_DATA,     /* page contents */
	FRAME_TABLE,    /* a table; meta is valid */
	FRAME_KERNEL,   /* kernel stacks, per-CPU data, ... */
	FRAME_KIND_COUNT,
};

struct frame {
	uint32_t edges; /* atomic; read it with frame_edges */
	uint8_t kind;   /* enum frame_kind */
	uint8_t order;  /* of the block, in its head */
	uint16_t flags; /* for the room that owns the block; zero when it is handed out */
	union {
		struct pt_meta meta; /* FRAME_TABLE */
		struct {
			uint32_t next, prev; /* FRAME_FREE: pfns in the free list of its order */
		} free;
		uint64_t owner[2]; /* any other: for the room that owns the block; zero at first */
	};
	uint64_t site; /* who last allocated or freed the block: file << 16 | line */
};
_Static_assert(sizeof(struct frame) == 32, "a shift finds a frame, and two fill a cache line");
#define FRAME_SHIFT (PAGE_SHIFT - 5) /* from the address of a page to that of its frame */

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

/* Edges of the block that begins at `f`. Who finds that he has the last one also sees all that the
 * others did before they dropped theirs. */
static inline uint32_t frame_edges(const struct frame *f)
{
	return __atomic_load_n(&f->edges, __ATOMIC_ACQUIRE) & ~FRAME_LOCKED;
}

/*
 * One edge more or less for the block that begins at `f`. It is a bug if the block is free or
 * reserved, or if `f` is inside one. Where others may explode the block, use the span forms.
 *
 * frame_put frees the block with its last edge, and then returns true.
 */
#define frame_get(f) frame_get_at(f, __FILE__, __LINE__)
void frame_get_at(struct frame *f, const char *file, int line);
#define frame_put(f) frame_put_at(f, __FILE__, __LINE__)
bool frame_put_at(struct frame *f, const char *file, int line);

/*
 * One edge more for the single frame (order 0) of a page that is known to be in use, because an
 * entry that cannot change meanwhile points at it. For loops, which keep frame_array in a register.
 *
 * Returns whether there may be too many: the caller then has frame_check_edges find out. (The array
 * is not asked, but told, whether the page is in use; in test builds it looks.)
 */
static inline bool frame_get_single(struct frame *array, pa_t page)
{
	struct frame *f = (struct frame *)((char *)array + (page.value >> FRAME_SHIFT));

#if PTOLEMY_TEST
	frame_get(f);
	return false;
#else
	return (int32_t)__atomic_add_fetch(&f->edges, 1, __ATOMIC_RELAXED) < 0;
#endif
}

/* One edge less for a page, of a block of whatever size. */
#define frame_put_page(f) \
	((void)(LIKELY(READ_ONCE((f)->order) == 0) ? (void)frame_put(f) : frame_put_span(f, 0)))

/* A bug if the addition that came before was one too many. */
void frame_check_edges(struct frame *f);

/* Free a block of which the caller holds the only edge; another edge is a bug. */
#define frame_free(f) frame_free_at(f, __FILE__, __LINE__)
void frame_free_at(struct frame *f, const char *file, int line);

/*
 * Edges of a leaf that covers 2^order frames from `f` on, whether they are one intact block
 * (counted at its head) or have been exploded (each part counted).
 *
 * It is a bug if `f` is not the head of a block, or if that block is larger than the leaf: explode
 * it first. Safe against frame_explode by others who have an edge.
 */
#define frame_get_span(f, order) frame_get_span_at(f, order, __FILE__, __LINE__)
void frame_get_span_at(struct frame *f, unsigned order, const char *file, int line);
#define frame_put_span(f, order) frame_put_span_at(f, order, __FILE__, __LINE__)
void frame_put_span_at(struct frame *f, unsigned order, const char *file, int line);

/*
 * Turn the intact block at `f` into blocks of 2^order, each with the edges, kind, flags and owner
 * of the whole; a leaf that covered it covers them all. No-op if the block at `f` is that small or
 * smaller already. The caller has an edge.
 */
#define frame_explode(f, order) frame_explode_at(f, order, __FILE__, __LINE__)
void frame_explode_at(struct frame *f, unsigned order, const char *file, int line);

/*
 * May the one leaf that covers 2^order frames at `f` be written through as the only edge?
 * Returns true if every block in the span has exactly one edge. Stays true only while nobody but
 * the caller can add one.
 */
bool frame_span_exclusive(const struct frame *f, unsigned order);

/* Frames that are free, and frames in all. Equal before and after whatever leaks nothing. */
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
 * Make the frame array, with every frame reserved, in the map's usable memory below
 * BOOT_MAP_BYTES (its place becomes MEMMAP_RESERVED), and forget whatever was before.
 *
 * It reaches to the highest memory, unless it would take more than an eighth of the memory it
 * describes, or of what is below BOOT_MAP_BYTES half: then the highest memory stays unused,
 * and the console says so.
 * Returns 0, or -ENOMEM if the map has no room for it; then there is no array.
 */
struct memmap;
int frame_init(struct memmap *map);

/*
 * Give whole pages of RAM to the allocator. They are reserved frames so far; what the array does
 * not reach is ignored. The direct map must reach them. Reads and writes none of the memory.
 */
void frame_add_range(pa_t start, pa_t end);
/* The same for all usable memory of the map inside [low, high). */
void frame_add_usable(const struct memmap *map, uint64_t low, uint64_t high);

/* Verify every free list against the array: orders, alignment, kinds, edges, poison, the count.
 * A bug on the first violation. Cost: linear in the number of frames. Only while nobody else
 * allocates, frees or explodes. */
#define frame_check() frame_check_at(__FILE__, __LINE__)
void frame_check_at(const char *file, int line);
