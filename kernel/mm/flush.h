/*
 * The flush batch: what one operation has made stale, and the frames that may be reused only when
 * no TLB can lead to them any more.
 *
 *   FLUSH_BATCH(b);
 *   flush_begin(&b, space_or_NULL);
 *   ... change entries; flush_add_range, flush_add_frame, flush_add_table ...
 *   flush_end(&b);             // flushes, then gives the frames back
 *
 * Past FLUSH_PAGES_MAX pages the whole space is flushed instead of page by page. However many
 * frames there are, one flush will do: what does not fit in the batch goes to pages of its own. (If
 * there is no memory for those, the batch flushes, lets go what it has, and goes on.) A batch that
 * leaves its scope unflushed is a bug, which test builds see.
 *
 * Locking: a batch belongs to one operation on one CPU. Talks to: arch/mmu, frame, tlb.
 */
#pragma once

#include <mm/frame.h>
#include <mm/pt/pt_types.h>

#define FLUSH_PAGES_MAX 32
#define FLUSH_FRAMES_MAX 64

struct space;

struct pt_batch {
	uint32_t magic;
	bool pending;             /* something is stale */
	bool tables;              /* a table became unreachable: paging-structure caches too */
	va_t start, last;         /* the stale range, inclusive; only if pending */
	uint64_t step;            /* smallest leaf in it, bytes */
	struct space *space;      /* whose translations; NULL: the kernel's, in every space */
	uint64_t number;          /* of the flush, among the space's: tlb.h */
	struct flush_page *pages; /* full ones */
	unsigned frame_count;
	struct flush_frame {
		struct frame *frame;
		uint16_t order;
		bool shared_table; /* drop one edge of it, as share.h says */
	} frame[FLUSH_FRAMES_MAX];
};

/* How to declare one. */
#if PTOLEMY_TEST
#define FLUSH_BATCH(name) __attribute__((cleanup(flush_check_ended))) struct pt_batch name = { 0 }
void flush_check_ended(struct pt_batch *b);
#else
#define FLUSH_BATCH(name) struct pt_batch name
#endif

/* Counted since boot, for tests and statistics. */
struct flush_stats {
	uint64_t rounds;              /* batches that flushed */
	uint64_t ranges, pages, full; /* of them: page by page, how many, everything */
	uint64_t calls;               /* of them: that interrupted other CPUs */
};
extern struct flush_stats flush_stats;

void flush_begin(struct pt_batch *b, struct space *space);

/* Translations in [start, last], of leaves of `level` or larger, have been downgraded. */
void flush_add_range(struct pt_batch *b, va_t start, va_t last, unsigned level);

/* Give up the edge(s) of a leaf that covered 2^order frames at f, after the flush. */
void flush_add_frame(struct pt_batch *b, struct frame *f, unsigned order);

/* Give up a table that was taken out of the tree, after the flush. */
void flush_add_table(struct pt_batch *b, struct frame *f);

/* Give up one edge of a table that others may have edges to, after the flush (share_drop_table). */
void flush_add_shared_table(struct pt_batch *b, pt_t table);

/* What other CPUs interrupt this one for (VECTOR_FLUSH): drop its translations. */
void flush_ipi(void);

/* Flush what is pending and give the frames back; the batch can go on. */
void flush_now(struct pt_batch *b);

/* flush_now, and the batch is over. */
void flush_end(struct pt_batch *b);
