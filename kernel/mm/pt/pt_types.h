/*
 * The vocabulary of the page-table library: addresses, tables, entries, kinds, attributes, errors;
 * and the structs that are the same for all formats, so that one file can hold trees of several.
 *
 * A *table* (pt_t), a pointer to an *entry* (ptp_t) and an entry's *value* (ptv_t) are three
 * types. Each carries its level; level 0 is the smallest page and the level falls by one on the
 * way down. No state, no locking; includes nothing but the compiler's freestanding headers.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef ENOMEM
#define ENOMEM 12
#define EEXIST 17
#define EINVAL 22
#define ERANGE 34
#endif

#define PT_INLINE static inline __attribute__((always_inline, unused))
/* For what is not to make the function that calls it slower. */
#define PT_SLOW static __attribute__((noinline, unused))
/* A function that is one expression. */
#define PT_EXPR(type, name, parameters, ...) \
	PT_INLINE type name parameters       \
	{                                    \
		return __VA_ARGS__;          \
	}

/* A virtual address: what a walker is asked for. An integer, because arithmetic on it is the job.
 * */
typedef uint64_t va_t;

/* A physical address. Not an integer, so that mixing it with a virtual one does not compile. */
typedef struct {
	uint64_t value;
} pa_t;

#define PA(x) ((pa_t){ (uint64_t)(x) })
#define PA_NONE PA(~0ull)

PT_EXPR(bool, pa_equal, (pa_t a, pa_t b), a.value == b.value)
PT_EXPR(pa_t, pa_add, (pa_t pa, uint64_t bytes), PA(pa.value + bytes))

/* A table: its physical address and its level. */
typedef struct {
	pa_t pa;
	unsigned level;
} pt_t;

/* `make check` compiles with this as an attribute that reports each use outside the formats. */
#ifndef PT_FORMATS_ONLY
#define PT_FORMATS_ONLY
#endif

/* A pointer to one entry. Only a format dereferences `slot`. */
typedef struct {
	void *slot PT_FORMATS_ONLY;
	unsigned level;
} ptp_t;

/* The value of one entry. Only a format looks into `bits`. */
typedef struct {
	uint64_t bits PT_FORMATS_ONLY;
	unsigned level;
} ptv_t;

/* What an entry is. Every value of every format is exactly one of these. */
enum pt_kind {
	PT_NONE,  /* nothing; all bits that matter are zero */
	PT_TABLE, /* points to a table one level down */
	PT_LEAF,  /* maps memory; at level > 0 it is huge */
	PT_SOFT,  /* not present, carries software data such as a swap slot */
	PT_BAD,   /* none of the above: reported, contained, never walked */
};
#define PT_KIND_COUNT (PT_BAD + 1)

/*
 * Attributes of a leaf, the same for all formats. Rights are positive, so that zero grants
 * nothing; a format without a right (x86 cannot refuse reads to a present page) says what it does.
 * Numbered so that the most common format has next to nothing to convert.
 */
typedef uint32_t pt_attr_t;
#define PT_R (1u << 0)      /* may be read */
#define PT_W (1u << 1)      /* may be written */
#define PT_U (1u << 2)      /* by the unprivileged side, too */
#define PT_X (1u << 3)      /* may be executed */
#define PT_UC (1u << 4)     /* uncached: a device window */
#define PT_YOUNG (1u << 5)  /* the walker has used it */
#define PT_DIRTY (1u << 6)  /* the walker has written through it */
#define PT_GLOBAL (1u << 8) /* the same in all spaces */
#define PT_DEVMAP (1u << 9) /* not counted as an edge: device windows, the direct map */
#define PT_MARK (1u << 10)  /* one bit for the owner of the tree; walkers ignore it */
#define PT_ATTR_ALL 0x77fu

/* A change of attributes as the format likes it: bits that stay, bits that are set. */
struct pt_change {
	uint64_t keep, set;
};

/* The most levels any format has. */
#define PT_LEVEL_MAX 6
#define PT_RWX (PT_R | PT_W | PT_X)
#define PT_RIGHTS (PT_RWX | PT_U)

/* ---- What is known of a table. ---- */

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
struct pt_meta {
	uint64_t summary;
	uint16_t live;
	uint8_t level;
	uint8_t flags; /* for the host */
	uint32_t lock; /* for the host */
};

_Static_assert(sizeof(struct pt_meta) == 16, "two a cache line half: struct frame counts on it");

/* ---- What the user of a tree keeps; used in pt.h, pt_ops.h, pt_iter.h. ---- */

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
	unsigned keep_level;     /* tables at this level and above stay even when empty, so there
				  * is no leaf above it, either */
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
	struct pt_batch *batch;         /* for tables that become unreachable */
	va_t va, last;                  /* still to visit, inclusive */
	va_t at;                        /* an address below the lowest table of the path */
	int err;                        /* what fini is to return */
	bool done;                      /* va has passed last */
	unsigned flags;                 /* enum pt_iter_flags */
	unsigned prune_level;           /* tables below this level go when they are left empty */
	unsigned level;                 /* of the lowest table on the path */
	pt_t path[PT_LEVEL_MAX];        /* by level; valid from `level` to the top, each held */
	pt_attr_t rights[PT_LEVEL_MAX]; /* that the tables above leave to the entries of path[i] */
};

/* An entry, and where it is. */
struct pt_at {
	va_t va; /* first address of the range in the entry */
	ptp_t p;
	ptv_t v;          /* as read; not kept up to date */
	pt_attr_t rights; /* left by all tables above it */
};
