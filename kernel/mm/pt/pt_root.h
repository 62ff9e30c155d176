/*
 * The structs that the user of a tree keeps: roots, what a lookup answers, counts, positions. The
 * same for all formats, so that one file can hold trees of several; what they mean is said where
 * they are used: pt.h, pt_ops.h, pt_iter.h.
 */
#ifndef PT_ROOT_H
#define PT_ROOT_H

#include "pt_types.h"

/* Counted by the library: tables by level, of all roots with this owner. Starts zeroed. */
struct pt_owner {
	uint64_t table_count[PT_LEVEL_MAX];
};

/*
 * Where a walk starts, and what it translates. A space has one for each half; several may share
 * a top table. There is no entry above the top table, so nobody can write through a root.
 */
struct pt_root {
	pt_t top;
	va_t first, last;        /* addresses this root translates, both inclusive */
	struct pt_owner *owner;  /* who pays for its tables */
	pt_attr_t table_rights;  /* rights given to new tables: U on the user side, or not */
	unsigned leaf_level_max; /* no leaf above this level, whatever the format offers */
	unsigned keep_level;     /* tables at this level and above stay even when empty */
};

/* What an address, or a range in pt_dump, translates to. */
struct pt_span {
	va_t va, last;     /* of the whole entry; pt_dump: of the merged range */
	enum pt_kind kind; /* never PT_TABLE */
	unsigned level;    /* of the entry */
	pa_t pa;           /* PT_LEAF: where `va` goes */
	pt_attr_t attr;    /* PT_LEAF: effective, that is with the rights of all tables above */
	uint64_t soft;     /* PT_SOFT */
};

/* An iterator's position (pt_iter.h). */
struct pt_iter {
	const struct pt_root *root;
	va_t va, last;                  /* still to visit, inclusive */
	bool done;                      /* va has passed last */
	bool tables;                    /* give tables, too */
	va_t at;                        /* an address below the lowest table of the path */
	unsigned level;                 /* of the lowest table on the path */
	pt_t path[PT_LEVEL_MAX];        /* by level; valid from `level` to the top, each held */
	pt_attr_t rights[PT_LEVEL_MAX]; /* that the tables above leave to the entries of path[i] */
};

/* An entry, and where it is: under a walker or an iterator, or where a walk down has ended. */
struct pt_at {
	va_t va; /* first address of the range in the entry; pt_descend: what was asked for */
	ptp_t p;
	ptv_t v;          /* as read; not kept up to date */
	pt_t table;       /* pt_descend: the one that p is in */
	pt_attr_t rights; /* iterator: left by all tables above it */
	int delta;        /* walker: live entries more in this table since the visit began */
};

#endif
