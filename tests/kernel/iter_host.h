/*
 * A host for the page-table library that counts what an iterator does: which tables it holds, and
 * how often a table is looked at. For test_pt_iter.c alone.
 */
#pragma once

#include <mm/pt_host.h>

#define HELD_MAX 16

/* Every table that is held, and how often; order does not matter. */
struct held {
	pa_t table;
	unsigned level, count;
};
static struct held held[HELD_MAX];
static uint64_t hold_count, drop_count, look_count;
static unsigned held_a_level_max; /* most tables of one level held at once */

static inline void iter_hold(pa_t table, unsigned level)
{
	unsigned same_level = 1, i;

	hold_count++;
	for (i = 0; i < HELD_MAX && held[i].count; i++)
		same_level += held[i].level == level;
	ASSERT(i < HELD_MAX);
	held[i] = (struct held){ table, level, 1 };
	if (same_level > held_a_level_max)
		held_a_level_max = same_level;
	frame_get(pa_to_frame(table));
}

/* Dropping what is not held is a bug: the wrong table would be freed. */
static inline void iter_drop(pa_t table)
{
	unsigned i = 0, last = 0;

	drop_count++;
	while (i < HELD_MAX && !(held[i].count && pa_equal(held[i].table, table)))
		i++;
	ASSERT(i < HELD_MAX);
	while (last + 1 < HELD_MAX && held[last + 1].count)
		last++;
	held[i] = held[last];
	held[last].count = 0;
	frame_put(pa_to_frame(table));
}

static inline void *iter_look(pa_t table)
{
	look_count++;
	return pt_host_ptr(table);
}

/* Tables that are taken out of a tree, as a mirror does it. */
static inline void iter_free(struct pt_owner *owner, pt_t table, struct pt_batch *batch)
{
	(void)owner, (void)batch;
	pa_to_frame(table.pa)->meta.flags = 1;
	frame_put(pa_to_frame(table.pa));
}

#undef PT_HOST_HOLD
#undef PT_HOST_DROP
#undef PT_HOST_DEAD
#define PT_HOST_HOLD(table) iter_hold((table).pa, (table).level)
#define PT_HOST_DROP(table) iter_drop((table).pa)
#define PT_HOST_DEAD(table) (pa_to_frame((table).pa)->meta.flags != 0)
#define pt_host_ptr(pa) iter_look(pa)
#define pt_host_free iter_free
#undef PT_HOST_SPLIT
#define PT_HOST_SPLIT(v) ((void)0)
