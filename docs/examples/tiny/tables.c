/*
 * The library's host: page tables come from an array of pages. A page that is free holds the number
 * of the next free one. One CPU, so a table that was taken out is reused after one invalidation.
 */
#include "tiny.h"

#define TABLE_COUNT 64

static _Alignas(4096) union {
	uint64_t next;
	uint8_t bytes[4096];
} pages[TABLE_COUNT];
static struct pt_meta meta[TABLE_COUNT];
static unsigned used_count, taken_count, free_first = TABLE_COUNT;

unsigned tables_taken(void)
{
	return taken_count;
}

pa_t pt_host_alloc(struct pt_owner *owner, unsigned level)
{
	unsigned i = free_first;

	(void)owner, (void)level;
	if (i < TABLE_COUNT)
		free_first = pages[i].next;
	else if (used_count < TABLE_COUNT)
		i = used_count++;
	else
		return PA_NONE;
	taken_count++;
	memset(&pages[i], 0, sizeof(pages[i]));
	return PA((uintptr_t)&pages[i]);
}

/* With a batch the CPU may still have the way to this table in its caches: forget it first. */
void pt_host_free(struct pt_owner *owner, pt_t table, struct pt_batch *batch)
{
	unsigned i = (table.pa.value - (uintptr_t)pages) / sizeof(pages[0]);

	(void)owner;
	if (batch)
		flush_all();
	pages[i].next = free_first;
	free_first = i;
	taken_count--;
}

/* The tables that the CPU walks are where their addresses say, in our identity map. */
void *pt_host_ptr(pa_t table)
{
	return (void *)(uintptr_t)table.value;
}

struct pt_meta *pt_host_meta(const void *ptr)
{
	return &meta[((const uint8_t *)ptr - pages[0].bytes) / sizeof(pages[0])];
}
