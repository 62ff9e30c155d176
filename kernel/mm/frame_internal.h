/*
 * What the files of the frame allocator share and nobody else may use.
 *
 *   frame.c         handing out, edges, giving back
 *   frame_buddy.c   the free lists
 *   frame_cache.c   each CPU's own free frames in front of them
 *   frame_span.c    leaves over several frames, exploding
 *   frame_init.c    the frame array
 *   frame_poison.c  finding writes to free memory (test builds)
 *   frame_check.c   the allocator checks itself
 */
#pragma once

#include <lib/spinlock.h>
#include <mm/frame.h>

/* The order of a free frame that waits in a CPU's cache to be handed out again. */
#define FRAME_ORDER_HOT 0xff
#define FRAME_CACHE_MAX 32
#define FRAME_BATCH_ORDER \
	4 /* what a cache takes from the lists at once, if there is such a block */

/* In flags of any frame of a free block: it is filled with FRAME_POISON. */
#define FRAME_POISONED 0x8000

struct buddy {
	struct spinlock lock; /* of all below, and of kind, order and free of free blocks */

	uint32_t first[FRAME_ORDER_MAX + 1]; /* pfn of the first free block of an order, or 0 */
	uint32_t nonempty;                   /* bit n: first[n] != 0 */
	uint64_t free_count;                 /* frames on the lists */
	uint64_t total_count;

	uint64_t alloc_calls;           /* of blocks larger than a frame */
	uint64_t fail_skip, fail_count; /* frame_fail_after */
};
extern struct buddy buddy;

/* Take a block off the lists and make it of `kind`, without an edge yet. NULL if there is none. */
struct frame *buddy_take(unsigned order, enum frame_kind kind);
/* Put a block that has no edge on the lists. */
void buddy_give(struct frame *f, unsigned order);
/* Single frames, for caches: an aligned block of at most 2^*order, and these frames back. */
struct frame *buddy_take_batch(unsigned *order);
void buddy_give_singles(const uint32_t *pfn, unsigned count);
/* Does frame_fail_after want this call to fail? */
bool buddy_must_fail(void);

/* A CPU's own frames; frame_cache.c. */
struct frame_cache {
	uint32_t lock; /* word */
	/* under lock */
	uint32_t count;
	uint32_t pfn[FRAME_CACHE_MAX]; /* the hottest last */
	uint64_t alloc_calls;
} ALIGNED(64);
extern struct frame_cache frame_cache[CPU_MAX];

/* As buddy_take and buddy_give, of single frames; *fails: frame_fail_after wants no frame. */
struct frame *frame_cache_take(enum frame_kind kind, bool *fails);
void frame_cache_give(struct frame *f);
/* All CPUs' frames go to the lists. Returns how many there were. No allocator's lock is held. */
uint64_t frame_cache_drain_all(void);
/* What all of them hold, and how often they were asked. Exact while nobody allocates or frees. */
uint64_t frame_cache_count(void);
uint64_t frame_cache_alloc_calls(void);
/* Forget everything: there is a new frame array. */
void frame_cache_reset(void);

static inline uint32_t frame_pfn(const struct frame *f)
{
	return (uint32_t)(f - frame_array);
}

static inline pfn_t block_frames(unsigned order)
{
	return 1ull << order;
}

static inline void frame_set_site(struct frame *f, const char *file, int line)
{
	f->site = (uint64_t)file << 16 | (uint16_t)line;
}

static inline const char *frame_site_file(const struct frame *f)
{
	const char *file = (const char *)((int64_t)f->site >> 16);

	return file ? file : "boot";
}

static inline int frame_site_line(const struct frame *f)
{
	return (uint16_t)f->site;
}

/* Report a broken rule: what is known of the frame, then the caller's place. */
void frame_bug(const struct frame *f, const char *what, const char *file, int line) NORETURN;

/* The block lost its last edge: poison it and put it on the lists. */
void block_release(struct frame *f);
/* Undo frame_get_at when it found the block not in use; the same for one edge less. */
void frame_edge_bug(struct frame *f, uint32_t undo, const char *what, const char *file,
		    int line) NORETURN;

#if PTOLEMY_TEST
/* Fill a block that is about to be free. */
void poison_fill(struct frame *f, unsigned order);
/*
 * Was anything written to this free or just allocated block since it was filled? Prints the first
 * place. With `clear` the block counts as in use afterwards.
 */
bool poison_intact(struct frame *f, unsigned order, bool clear);
#else
static inline void poison_fill(struct frame *f, unsigned order)
{
	(void)f;
	(void)order;
}

static inline bool poison_intact(struct frame *f, unsigned order, bool clear)
{
	(void)f;
	(void)order;
	(void)clear;
	return true;
}
#endif
