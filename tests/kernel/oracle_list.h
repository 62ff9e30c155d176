/*
 * What live tables say, read without the library: the words of a table as the hardware finds them,
 * taken apart by a decoder of the oracle's own, into an ordered list of ranges.
 *
 * A format is a geometry and a decoder; the CPU's and VT-d's are here, a test may bring its own.
 * No state, no locking: nothing may change meanwhile. Talks to: frame (the direct map).
 */
#pragma once

#include <mm/pt/pt_types.h>

/* One entry, taken apart. */
struct oracle_entry {
	enum pt_kind kind;
	pt_attr_t attr; /* of a leaf; of a table the rights it leaves to what is below */
	uint64_t value; /* address of a leaf or table; data of a soft entry */
};

struct oracle_format {
	const char *name;
	unsigned page_shift, table_bits;
	const uint64_t *(*table)(uint64_t pa); /* the words of a table */
	struct oracle_entry (*decode)(uint64_t bits, unsigned level);
};
extern const struct oracle_format oracle_x86, oracle_vtd;

/* Where a walk begins, and the addresses it translates (both inclusive). */
struct oracle_root {
	const struct oracle_format *format;
	uint64_t top;
	unsigned level;
	va_t first, last;
};

/* Neighbours that say the same are one range, whatever tables and leaves they consist of. */
struct oracle_range {
	va_t va, last;
	enum pt_kind kind; /* leaf, soft or bad */
	pt_attr_t attr;    /* effective: ANDed along the path; without A and D */
	uint64_t value;    /* of va; counts up, by bytes for memory, by pages for soft entries */
};

#define ORACLE_RANGES 256
struct oracle_list {
	unsigned count;
	bool overflow; /* there are more */
	struct oracle_range range[ORACLE_RANGES];
};

static inline unsigned oracle_shift(const struct oracle_format *f, unsigned level)
{
	return f->page_shift + level * f->table_bits;
}

/* The inclusive end of the entry of a level that holds va. */
static inline va_t oracle_entry_last(const struct oracle_format *f, va_t va, unsigned level)
{
	return va | ((1ull << oracle_shift(f, level)) - 1);
}

/* All that the root translates. */
void oracle_list_read(struct oracle_list *list, const struct oracle_root *root);

/* What va translates to, until where the same entry goes on. kind is PT_NONE if nothing. */
struct oracle_range oracle_translate(const struct oracle_root *root, va_t va);

/* Two lists: the first address range on which they differ, as small as the ranges allow. False:
 * they say the same. */
bool oracle_list_differ(const struct oracle_list *a, const struct oracle_list *b, va_t *va,
			va_t *last);

/* Print the entries on the way to va, a line a level. */
void oracle_print_walk(const struct oracle_root *root, va_t va);

/* Print walks to entries that point to the address, at most `max`. Returns how many. */
unsigned oracle_print_paths(const struct oracle_root *root, uint64_t pa, unsigned max);
