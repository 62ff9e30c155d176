/*
 * The VT-d second-level entry format (Intel VT-d specification, 3.7 "Second-Stage Translation" and
 * 9.8 "Second-Stage Paging Entries"). The only file that knows these bits.
 *
 *   level   0      1       2       3       4
 *   leaf    4 KiB  2 MiB   1 GiB   -       -
 *
 *    63..59  58  57 56 55 54  53  52   51 ..... 12  11   10     9  8  7  6..2  1  0
 *   +-------+---+--+--+--+--+---+----+------------+----+------+--+--+--+-----+--+--+
 *   | 0     |   |G |UC|U |X |DEV|MARK| address    | 0  | 0    |D |A |PS| 0   |W |1 |  leaf
 *   | 0             |U |X | 0        | address    | 0              |A | 0      |W |1 |  table
 *   | 0     |W  |G |UC|U |X |DEV|MARK| address    | 0  |HIDDEN|D |A |PS| 0   |0 |0 |  leaf, no R
 *   | data (63..12)                               |SOFT| 0                           |  soft
 *
 * The unit checks R and W. It fetches no code and has no privilege, and it ignores bits 52..61:
 * X, U, UC and GLOBAL are kept there and mean nothing to it. It could grant W without R, the CPU
 * cannot: a leaf without R is hidden from it altogether. A and D are set only by units that offer
 * it.
 */
#pragma once

#include <dev/vtd_caps.h>
#include <mm/pt/pt_types.h>

#define PT_PAGE_SHIFT 12
#define PT_TABLE_BITS 9
#define PT_LEVEL_COUNT 5
#define PT_SOFT_BITS 52
#define PT_ATTR_KNOWN PT_ATTR_ALL

#include <mm/pt/pt_word.h>

#define VTD_R (1ull << 0)
#define VTD_W (1ull << 1)
#define VTD_PS (1ull << 7)
#define VTD_A (1ull << 8)
#define VTD_D (1ull << 9)
#define VTD_HIDDEN (1ull << 10) /* only when not present */
#define VTD_SOFT (1ull << 11)   /* only when not present */
#define VTD_MARK (1ull << 52)
#define VTD_DEVMAP (1ull << 53)
#define VTD_X (1ull << 54)
#define VTD_U (1ull << 55)
#define VTD_UC (1ull << 56)
#define VTD_GLOBAL (1ull << 57)
#define VTD_HIDDEN_W (1ull << 58) /* only with HIDDEN */
#define VTD_PA 0x000ffffffffff000ull

#define VTD_KEPT (VTD_MARK | VTD_DEVMAP | VTD_X | VTD_U | VTD_UC | VTD_GLOBAL)
#define VTD_TABLE_BITS (VTD_PA | VTD_R | VTD_W | VTD_A | VTD_X | VTD_U)

static inline uint64_t pt_pa_limit(void)
{
	return vtd_caps.pa_limit;
}

static inline unsigned pt_leaf_levels(void)
{
	return vtd_caps.leaf_levels;
}

/* Address bits that must be 0: above the width, and inside a page of the level. */
static inline uint64_t vtd_address_reserved(unsigned level)
{
	uint64_t size = 1ull << (PT_PAGE_SHIFT + level * PT_TABLE_BITS);

	return VTD_PA & (~(pt_pa_limit() - 1) | (size - 1));
}

/* Is it well-formed as a leaf, present or hidden? */
static inline bool vtd_is_leaf(ptv_t v)
{
	const uint64_t allowed = VTD_PA | VTD_A | VTD_D | VTD_KEPT | (v.level > 0 ? VTD_PS : 0) |
				 (v.bits & VTD_R ? VTD_R | VTD_W : VTD_HIDDEN | VTD_HIDDEN_W);

	if (v.level > 0 && !(v.bits & VTD_PS && (pt_leaf_levels() >> v.level & 1)))
		return false;
	return !(v.bits & (~allowed | vtd_address_reserved(v.level)));
}

static inline bool ptv_none(ptv_t v)
{
	return v.bits == 0;
}

static inline bool ptv_is_table(ptv_t v)
{
	return v.level > 0 && (v.bits & VTD_R) &&
	       !(v.bits & (~VTD_TABLE_BITS | vtd_address_reserved(0)));
}

static inline enum pt_kind ptv_kind(ptv_t v)
{
	if (v.bits == 0)
		return PT_NONE;
	if (ptv_is_table(v))
		return PT_TABLE;
	if (!(v.bits & VTD_R) && (v.bits & VTD_SOFT))
		return v.bits & (VTD_SOFT - 1) ? PT_BAD : PT_SOFT;
	return (v.bits & (VTD_R | VTD_HIDDEN)) && vtd_is_leaf(v) ? PT_LEAF : PT_BAD;
}

static inline bool ptv_present(ptv_t v)
{
	return v.bits & VTD_R;
}

static inline pa_t ptv_pa(ptv_t v)
{
	return PA(v.bits & VTD_PA);
}

/* One bit of a value as one bit of the attributes, or the other way. */
#define VTD_BIT(bits, from, to) (((bits) & (from)) ? (to) : 0)

static inline pt_attr_t ptv_attr(ptv_t v)
{
	pt_attr_t attr = VTD_BIT(v.bits, VTD_R, PT_R) | VTD_BIT(v.bits, VTD_W, PT_W) |
			 VTD_BIT(v.bits, VTD_X, PT_X) | VTD_BIT(v.bits, VTD_U, PT_U) |
			 VTD_BIT(v.bits, VTD_A, PT_YOUNG);

	if (v.level > 0 && !(v.bits & VTD_PS))
		return attr;
	return attr | VTD_BIT(v.bits, VTD_D, PT_DIRTY) | VTD_BIT(v.bits, VTD_MARK, PT_MARK) |
	       VTD_BIT(v.bits, VTD_DEVMAP, PT_DEVMAP) | VTD_BIT(v.bits, VTD_UC, PT_UC) |
	       VTD_BIT(v.bits, VTD_GLOBAL, PT_GLOBAL) | VTD_BIT(v.bits, VTD_HIDDEN_W, PT_W);
}

static inline uint64_t ptv_soft_data(ptv_t v)
{
	return v.bits >> PT_PAGE_SHIFT;
}

static inline ptv_t ptv_make_none(unsigned level)
{
	return (ptv_t){ 0, level };
}

static inline ptv_t ptv_make_leaf(pa_t pa, pt_attr_t attr, unsigned level)
{
	uint64_t bits = pa.value | VTD_BIT(attr, PT_X, VTD_X) | VTD_BIT(attr, PT_U, VTD_U) |
			VTD_BIT(attr, PT_YOUNG, VTD_A) | VTD_BIT(attr, PT_DIRTY, VTD_D) |
			VTD_BIT(attr, PT_MARK, VTD_MARK) | VTD_BIT(attr, PT_DEVMAP, VTD_DEVMAP) |
			VTD_BIT(attr, PT_UC, VTD_UC) | VTD_BIT(attr, PT_GLOBAL, VTD_GLOBAL);

	if (level > 0)
		bits |= VTD_PS;
	if (attr & PT_R)
		bits |= VTD_R | VTD_BIT(attr, PT_W, VTD_W);
	else
		bits |= VTD_HIDDEN | VTD_BIT(attr, PT_W, VTD_HIDDEN_W);
	return (ptv_t){ bits, level };
}

static inline ptv_t ptv_make_table(pa_t pa, pt_attr_t rights, unsigned level)
{
	return (ptv_t){ pa.value | VTD_R | VTD_BIT(rights, PT_W, VTD_W) |
				VTD_BIT(rights, PT_X, VTD_X) | VTD_BIT(rights, PT_U, VTD_U),
			level };
}

static inline ptv_t ptv_make_soft(uint64_t data, unsigned level)
{
	return (ptv_t){ data << PT_PAGE_SHIFT | VTD_SOFT, level };
}

static inline struct pt_change pt_change_make(pt_attr_t clear, pt_attr_t set)
{
	return (struct pt_change){ .keep = ~(uint64_t)clear, .set = set };
}

static inline ptv_t ptv_change(ptv_t v, struct pt_change change)
{
	return ptv_make_leaf(ptv_pa(v), (ptv_attr(v) & change.keep) | change.set, v.level);
}

static inline ptv_t ptv_write_protect(ptv_t v)
{
	v.bits &= ~(VTD_W | VTD_HIDDEN_W);
	return v;
}

static inline ptv_t ptv_leaf_next(ptv_t v)
{
	v.bits += 1ull << (PT_PAGE_SHIFT + v.level * PT_TABLE_BITS);
	return v;
}
