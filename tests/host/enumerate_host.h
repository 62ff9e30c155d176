/*
 * The library's host for enumeration: a handful of tables whose state can be written down and put
 * back. Named in PT_HOST_HEADER; one for each file that includes it. Talks to: nobody.
 */
#pragma once

#include <mm/pt/pt_types.h>

#define HOST_TABLES 512
#define HOST_ENTRIES (1u << SMALL_TABLE_BITS)

struct pt_batch {
	unsigned count;
	unsigned table[HOST_TABLES];
};

static struct host {
	uint64_t word[HOST_TABLES][HOST_ENTRIES] __attribute__((aligned(64)));
	struct pt_meta meta[HOST_TABLES];
	bool used[HOST_TABLES];
	unsigned used_count, next;
	unsigned alloc_count, fail_at; /* the allocation that fails, from 1; 0: none */
} host;

struct pt_owner;

static inline pa_t pt_host_alloc(struct pt_owner *owner, unsigned level)
{
	(void)owner, (void)level;
	if (++host.alloc_count == host.fail_at)
		return PA_NONE;
	while (host.used[host.next])
		host.next++;
	host.used[host.next] = true;
	host.used_count++;
	for (unsigned i = 0; i < HOST_ENTRIES; i++)
		host.word[host.next][i] = 0;
	return PA((uint64_t)host.next << 12);
}

static inline void host_release(unsigned index)
{
	host.used[index] = false;
	host.used_count--;
	if (index < host.next)
		host.next = index;
	for (unsigned i = 0; i < HOST_ENTRIES; i++)
		host.word[index][i] = 0x5ab0f5ee5ab0f5eeull;
}

static inline void pt_host_free(struct pt_owner *owner, pt_t table, struct pt_batch *batch)
{
	(void)owner;
	if (batch)
		batch->table[batch->count++] = table.pa.value >> 12;
	else
		host_release(table.pa.value >> 12);
}

static inline void *pt_host_ptr(pa_t table)
{
	return host.word[table.value >> 12];
}

static inline struct pt_meta *pt_host_meta(const void *ptr)
{
	return &host.meta[((const uint64_t *)ptr - host.word[0]) / HOST_ENTRIES];
}
