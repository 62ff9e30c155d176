/*
 * The small test format: tables of two or four entries and two to six levels, so that whole trees,
 * and whole sequences of operations on them, can be enumerated.
 *
 * The including file chooses SMALL_TABLE_BITS (1 or 2) and SMALL_LEVEL_COUNT (2..6). Leaves are
 * legal at every level but the top one, and addresses go up to 2^64.
 *
 *    63 .... 12   11  10 ... 8   7   6 .... 0
 *   +-----------+----+--------+----+---------+
 *   | address   |type|  attr  |type|  attr   |    type: 0 nothing, 1 table, 2 leaf, 3 soft
 *   +-----------+----+--------+----+---------+
 */
#pragma once

#include <mm/pt/pt_types.h>

#define PT_PAGE_SHIFT 12
#define PT_TABLE_BITS SMALL_TABLE_BITS
#define PT_LEVEL_COUNT SMALL_LEVEL_COUNT
#define PT_SOFT_BITS 52
#define PT_ATTR_KNOWN PT_ATTR_ALL

#include <mm/pt/pt_word.h>

enum small_type {
	SMALL_NOTHING,
	SMALL_TABLE = 1 << 7,
	SMALL_LEAF = 1 << 11,
	SMALL_SOFT = SMALL_TABLE | SMALL_LEAF,
};

#define SMALL_TABLE_ATTR (PT_RWX | PT_U | PT_YOUNG)

_Static_assert((PT_ATTR_ALL | SMALL_SOFT) == (1 << PT_PAGE_SHIFT) - 1,
	       "all bits below the address");

static inline uint64_t pt_pa_limit(void)
{
	return 0;
}

static inline unsigned pt_leaf_levels(void)
{
	return (1u << (PT_LEVEL_COUNT - 1)) - 1;
}

static inline pt_attr_t ptv_attr(ptv_t v)
{
	return v.bits & PT_ATTR_ALL;
}

static inline uint64_t ptv_soft_data(ptv_t v)
{
	return v.bits >> PT_PAGE_SHIFT;
}

static inline pa_t ptv_pa(ptv_t v)
{
	return PA(ptv_soft_data(v) << PT_PAGE_SHIFT);
}

static inline bool ptv_none(ptv_t v)
{
	return v.bits == 0;
}

static inline enum pt_kind ptv_kind(ptv_t v)
{
	uint64_t inside = (1ull << v.level * PT_TABLE_BITS) - 1;
	bool leaf_here = (pt_leaf_levels() >> v.level & 1) && !(ptv_soft_data(v) & inside);

	switch ((enum small_type)(v.bits & SMALL_SOFT)) {
	case SMALL_NOTHING:
		return ptv_none(v) ? PT_NONE : PT_BAD;
	case SMALL_TABLE:
		return v.level > 0 && !(ptv_attr(v) & ~SMALL_TABLE_ATTR) ? PT_TABLE : PT_BAD;
	case SMALL_LEAF:
		return leaf_here ? PT_LEAF : PT_BAD;
	case SMALL_SOFT:
		return ptv_attr(v) ? PT_BAD : PT_SOFT;
	}
	return PT_BAD;
}

static inline bool ptv_is_table(ptv_t v)
{
	return ptv_kind(v) == PT_TABLE;
}

static inline bool ptv_present(ptv_t v)
{
	enum pt_kind kind = ptv_kind(v);

	return kind == PT_TABLE || (kind == PT_LEAF && (ptv_attr(v) & PT_R));
}

static inline ptv_t small_make(enum small_type type, uint64_t address, pt_attr_t attr,
			       unsigned level)
{
	return (ptv_t){ address | attr | type, level };
}

static inline ptv_t ptv_make_none(unsigned level)
{
	return small_make(SMALL_NOTHING, 0, 0, level);
}

static inline ptv_t ptv_make_leaf(pa_t pa, pt_attr_t attr, unsigned level)
{
	return small_make(SMALL_LEAF, pa.value, attr, level);
}

static inline ptv_t ptv_make_table(pa_t pa, pt_attr_t rights, unsigned level)
{
	return small_make(SMALL_TABLE, pa.value, rights, level);
}

static inline ptv_t ptv_make_soft(uint64_t data, unsigned level)
{
	return small_make(SMALL_SOFT, data << PT_PAGE_SHIFT, 0, level);
}

static inline ptv_t ptv_write_protect(ptv_t v)
{
	v.bits &= ~(uint64_t)PT_W;
	return v;
}

static inline ptv_t ptv_leaf_next(ptv_t v)
{
	v.bits += 1ull << (PT_PAGE_SHIFT + v.level * PT_TABLE_BITS);
	return v;
}

static inline struct pt_change pt_change_make(pt_attr_t clear, pt_attr_t set)
{
	return (struct pt_change){ .keep = ~(uint64_t)clear, .set = set };
}

static inline ptv_t ptv_change(ptv_t v, struct pt_change change)
{
	return small_make(SMALL_LEAF, ptv_pa(v).value, (ptv_attr(v) & change.keep) | change.set,
			  v.level);
}
