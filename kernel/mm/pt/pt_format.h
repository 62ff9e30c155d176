/*
 * The contract between the library and a format: everything that is declared here, a format
 * defines, as small inline functions. The compiler holds the two against each other.
 *
 * Before this header the format has defined its geometry:
 *
 *   PT_PAGE_SHIFT   log2 of the bytes of a level-0 page
 *   PT_TABLE_BITS   log2 of the entries of a table
 *   PT_SLOT_SHIFT   log2 of the bytes of an entry
 *   PT_LEVEL_COUNT  levels of the deepest root; a root may have fewer
 *   PT_SOFT_BITS    bits of data in a soft entry
 *   PT_ATTR_KNOWN   attributes that a leaf has room for; the library refuses others
 *
 * A zeroed table must read as all PT_NONE. Functions on values are pure. Functions on entries are
 * single accesses: the other side may be a hardware walker that sets PT_YOUNG and PT_DIRTY.
 */
#pragma once

/* What the value is. Total: any 64 bits at any level have exactly one kind. */
static inline enum pt_kind ptv_kind(ptv_t v);
/* ptv_kind(v) == PT_NONE or PT_TABLE, with nothing else looked at: asked on every step of a walk.
 * */
static inline bool ptv_none(ptv_t v);
static inline bool ptv_is_table(ptv_t v);
/* May the walker use it now? True of tables and of leaves that grant PT_R. */
static inline bool ptv_present(ptv_t v);

/* Where a leaf or a table points. A leaf's address is aligned to the size of its level. */
static inline pa_t ptv_pa(ptv_t v);
/* The attributes of a leaf; of a table, the rights it leaves to everything below. */
static inline pt_attr_t ptv_attr(ptv_t v);
/* What a soft entry carries; PT_SOFT_BITS of it. */
static inline uint64_t ptv_soft_data(ptv_t v);

/*
 * Make a value. A leaf keeps all attributes that the format knows (PT_ATTR_KNOWN), even when it
 * lacks PT_R; level must be in pt_leaf_levels(). A table grants PT_R | PT_W | PT_X | PT_U as told,
 * of those that the format knows.
 */
static inline ptv_t ptv_make_leaf(pa_t pa, pt_attr_t attr, unsigned level);
static inline ptv_t ptv_make_table(pa_t pa, pt_attr_t rights, unsigned level);
static inline ptv_t ptv_make_soft(uint64_t data, unsigned level);
static inline ptv_t ptv_make_none(unsigned level);

/*
 * The same leaf (or table) without PT_W; the same leaf for the memory right behind it, or with the
 * attributes (old & ~clear) | set: a change that is made ready once, for many leaves.
 */
static inline ptv_t ptv_write_protect(ptv_t v);
static inline ptv_t ptv_leaf_next(ptv_t v);
static inline struct pt_change pt_change_make(pt_attr_t clear, pt_attr_t set);
static inline ptv_t ptv_change(ptv_t v, struct pt_change change);

/* Bit L is set if a leaf at level L is legal on this walker: all up to some level, at least 0. */
static inline unsigned pt_leaf_levels(void);
/* One past the highest address that an entry can hold; 0 means 2^64. */
static inline uint64_t pt_pa_limit(void);

/* Load; store to an entry that the walker does not write (none or unreachable), with release order;
 * exchange; compare-exchange, which leaves what it found in *expected. */
static inline ptv_t ptp_get(ptp_t p);
static inline void ptp_set(ptp_t p, ptv_t v);
static inline ptv_t ptp_exchange(ptp_t p, ptv_t v);
static inline bool ptp_compare_exchange(ptp_t p, ptv_t *expected, ptv_t v);
