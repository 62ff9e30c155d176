/*
 * The page-table library's host for mirrors: as for the CPU's tables, except that what was taken
 * out of a tree waits for the device's flush, and that iterators can hold tables.
 *
 * Named by PT_HOST_HEADER in a mirror format's own .c file. The library's batch is a mirror_stale
 * there. A hold is an edge of the table's frame. Locking: m->lock.
 */
#pragma once

#include <mm/mirror.h>
#include <mm/pt_host.h>

#undef PT_HOST_HOLD
#undef PT_HOST_DROP
#undef PT_HOST_DEAD
#define PT_HOST_HOLD(table) frame_get(pa_to_frame((table).pa))
#define PT_HOST_DROP(table) frame_put(pa_to_frame((table).pa))
#define PT_HOST_DEAD(table) ((pa_to_frame((table).pa)->meta.flags & MIRROR_TABLE_DEAD) != 0)

static inline struct pt_batch *mirror_batch(struct mirror_stale *stale)
{
	return (struct pt_batch *)stale;
}

static inline void mirror_host_free(struct pt_owner *owner, pt_t table, struct pt_batch *batch)
{
	struct frame *f = pa_to_frame(table.pa);

	(void)owner;
	if (batch)
		mirror_stale_table((struct mirror_stale *)batch, f);
	else
		frame_put(f);
}
#define pt_host_free mirror_host_free

/* Mirrors hold no reference on what they map, so a split has nothing to count. */
#undef PT_HOST_SPLIT
#define PT_HOST_SPLIT(v) ((void)0)
