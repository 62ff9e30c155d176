/*
 * The TLB of the calling CPU, for those who play its walker. Interrupts are disabled.
 */
#pragma once

#include <mm/pt/pt_types.h>

/* Of the small page that holds va, in a leaf of `level`. */
struct host_translation {
	bool valid;
	va_t va;
	pa_t pa; /* of va */
	pt_attr_t attr;
	unsigned level;
};

/* What is remembered of va's page, or NULL. */
const struct host_translation *host_tlb_find(va_t va);
void host_tlb_fill(const struct host_translation *t);

/* What CPU 0 was told to forget, for tests; `lowest` and `highest` are theirs to set back. */
extern struct host_flushes {
	uint64_t pages, all;
	va_t lowest, highest;
} host_flushes;
