/*
 * The page-table library's host: tables are frames, their meta lives in struct frame.
 *
 * Named by PT_HOST_HEADER wherever the library is compiled into the kernel. Locking: frames'.
 * Talks to: frame (tables), flush (tables that hardware may still reach).
 */
#pragma once

#include <lib/broken.h>
#include <lib/printk.h>
#include <mm/frame.h>
#include <mm/pt/pt_types.h>

struct pt_owner;
struct pt_batch;

#define PT_HOST_HOOKS
#define PT_ASSERT(cond) ASSERT(cond)
#define PT_HOST_REPORT_BAD(p, va, v) pt_report_bad((p).level, va, ptv_raw(v))
#define PT_HOST_SPLIT(v) pt_host_split(ptv_attr(v), ptv_pa(v), (v).level)
#define PT_HOST_HOLD(table) ((void)(table))
#define PT_HOST_DROP(table) ((void)(table))
#define PT_HOST_DEAD(table) ((void)(table), false)

/*
 * A table entry of a user space grants W exactly as long as its table has no other edge, so the
 * test costs no look at the table (share.c).
 */
#define PT_HOST_SHARED(v) (!(ptv_attr(v) & PT_W))
#define PT_HOST_EXCLUSIVE(root, p) share_make_exclusive(root, p)
struct pt_root;
int share_make_exclusive(const struct pt_root *root, ptp_t p);

#if !PTOLEMY_TEST
#define PT_HOST_LINK ptp_compare_exchange
#else
#define PT_HOST_LINK pt_host_link /* or what lib/broken.h wants in its place */

/* As ptp_compare_exchange, but nothing that was stored before need be seen before it. (Defined in
 * tests/kernel/pt_link.c.) */
bool pt_link_unordered(ptp_t p, ptv_t *expected, ptv_t v);

/* Stores that should come before the link come after it: whoever follows it finds what was there,
 * and loses what it puts there. */
static inline bool pt_host_link_late(ptp_t p, ptv_t *expected, ptv_t v)
{
	uint64_t *word = pa_to_ptr(ptv_pa(v));
	bool linked;

	for (unsigned i = 0; i < PAGE_SIZE / sizeof(*word); i++)
		WRITE_ONCE(word[i], FRAME_POISON);
	linked = ptp_compare_exchange(p, expected, v);
	for (unsigned i = 0; i < PAGE_SIZE / sizeof(*word); i++)
		WRITE_ONCE(word[i], 0);
	return linked;
}

static inline bool pt_host_link(ptp_t p, ptv_t *expected, ptv_t v)
{
	if (BROKEN(late_init) && ptv_none(*expected))
		return pt_host_link_late(p, expected, v);
	if (BROKEN(unordered_link))
		return pt_link_unordered(p, expected, v);
	return ptp_compare_exchange(p, expected, v);
}
#endif

/* Say that a bad entry was found and dropped, and count it. */
void pt_report_bad(unsigned level, va_t va, uint64_t bits);
extern uint64_t pt_bad_count;

/* A table's frame that the walkers may still reach waits in the batch for its flush. */
void pt_host_free(struct pt_owner *owner, pt_t table, struct pt_batch *batch);

static inline pa_t pt_host_alloc(struct pt_owner *owner, unsigned level)
{
	struct frame *f = frame_alloc_zeroed(0, FRAME_TABLE);

	(void)owner, (void)level;
	return f ? frame_to_pa(f) : PA_NONE;
}

static inline void *pt_host_ptr(pa_t table)
{
	return pa_to_ptr(table);
}

static inline struct pt_meta *pt_host_meta(const void *ptr)
{
	return &pa_to_frame(ptr_to_pa(ptr))->meta;
}

/* A counted huge leaf becomes smaller ones: so do the blocks it covers. */
static inline void pt_host_split(pt_attr_t attr, pa_t pa, unsigned level)
{
	if (!(attr & PT_DEVMAP))
		frame_explode(pa_to_frame(pa), (level - 1) * 9);
}
