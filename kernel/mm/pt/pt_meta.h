/*
 * What is known of a table besides its entries. The host keeps one pt_meta a table.
 *
 * live     entries that are not PT_NONE
 * summary  bit i covers the entries [i << s, (i + 1) << s): clear means none of them is live. So an
 *          empty table, and the next live entry of a sparse one, cost a load instead of a scan.
 * lock     the host's, if it has locks; the library never takes it.
 *
 * Invariant: live and summary equal the table's content whenever no operation is inside the table.
 * Locking: whoever may change the table's entries may change these.
 */
#ifndef PT_META_H
#define PT_META_H

#include <stdint.h>

struct pt_meta {
	uint64_t summary;
	uint16_t live;
	uint8_t level;
	uint8_t flags; /* for the host */
	uint32_t lock; /* for the host */
};

_Static_assert(sizeof(struct pt_meta) == 16, "two a cache line half: struct frame counts on it");

#endif
