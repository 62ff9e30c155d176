/*
 * The entry format of 32-bit x86 with 4 MiB pages: for the proof, of what the other formats do not
 * have. Entries are 32 bits, tables have 1,024 of them, the top table holds leaves, and there is no
 * PT_X: what may be read may be executed, and who asks for PT_X is refused.
 *
 *    31 ..... 12  11   10   9   8  7  6  5  4   3    2  1  0
 *   +-----------+----+----+---+--+--+--+--+---+----+--+--+--+
 *   | address   | 0  |MARK|DEV|G |PS|D |A |PCD| 0  |U |W |1 |  leaf
 *   | address   | HID|MARK|DEV|G |PS|D |A |PCD| 0  |U |W |0 |  leaf, no R
 *   | address   | 0  | 0  |0  |0 |0 |0 |A |0  | 0  |U |W |1 |  table
 *   | data      | 0  | 0  |0  |0 |0 |0 |0 |0  |SOFT|0 |0 |0 |  soft
 *   +-----------+----+----+---+--+--+--+--+---+----+--+--+--+
 *
 * The attributes are where PT_* has them. A value has 64 bits; what does not fit into 32 is bad.
 */
#pragma once

#include <mm/pt/pt_types.h>

#define PT_PAGE_SHIFT 12
#define PT_TABLE_BITS 10
#define PT_LEVEL_COUNT 2
#define PT_SOFT_BITS 20
#define PT_ATTR_KNOWN (PT_ATTR_ALL & ~PT_X)

#define PT_WORD uint32_t
#define PT_SLOT_SHIFT 2
#include <mm/pt/pt_word.h>

#define I386_P 0x001ull
#define I386_W 0x002ull
#define I386_U 0x004ull
#define I386_SOFT 0x008ull /* only when not present */
#define I386_A 0x020ull
#define I386_PS 0x080ull
#define I386_HIDDEN 0x800ull /* only when not present */
#define I386_ADDRESS 0xfffff000ull
#define I386_IN_PLACE ((uint64_t)PT_ATTR_KNOWN & ~I386_P)

_Static_assert(PT_R == I386_P && PT_W == I386_W && PT_U == I386_U && PT_YOUNG == I386_A,
	       "in place");
_Static_assert(!(I386_IN_PLACE & (I386_SOFT | I386_PS | I386_HIDDEN)), "no bit says two things");

static inline unsigned pt_leaf_levels(void)
{
	return 1u << 0 | 1u << 1;
}

static inline uint64_t pt_pa_limit(void)
{
	return 1ull << 32;
}

static inline bool i386_is_leaf(ptv_t v)
{
	uint64_t inside = (1ull << (PT_PAGE_SHIFT + v.level * PT_TABLE_BITS)) - 1;
	uint64_t type = v.bits & ~(I386_IN_PLACE | (I386_ADDRESS & ~inside));

	return v.level < PT_LEVEL_COUNT && (type == (I386_P | (v.level ? I386_PS : 0)) ||
					    type == (I386_HIDDEN | (v.level ? I386_PS : 0)));
}

static inline bool ptv_none(ptv_t v)
{
	return v.bits == 0;
}

static inline bool ptv_is_table(ptv_t v)
{
	return v.level > 0 && (v.bits & ~(I386_ADDRESS | I386_W | I386_U | I386_A)) == I386_P;
}

static inline enum pt_kind ptv_kind(ptv_t v)
{
	if (ptv_none(v))
		return PT_NONE;
	if (ptv_is_table(v))
		return PT_TABLE;
	if ((v.bits & ~I386_ADDRESS) == I386_SOFT)
		return PT_SOFT;
	return i386_is_leaf(v) ? PT_LEAF : PT_BAD;
}

static inline bool ptv_present(ptv_t v)
{
	return v.bits & I386_P;
}

static inline pa_t ptv_pa(ptv_t v)
{
	return PA(v.bits & I386_ADDRESS);
}

static inline pt_attr_t ptv_attr(ptv_t v)
{
	return v.bits & PT_ATTR_KNOWN;
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
	uint64_t type = (attr & PT_R ? I386_P : I386_HIDDEN) | (level ? I386_PS : 0);

	return (ptv_t){ pa.value | (attr & I386_IN_PLACE) | type, level };
}

static inline ptv_t ptv_make_table(pa_t pa, pt_attr_t rights, unsigned level)
{
	return (ptv_t){ pa.value | (rights & (PT_W | PT_U)) | I386_P, level };
}

static inline ptv_t ptv_make_soft(uint64_t data, unsigned level)
{
	return (ptv_t){ data << PT_PAGE_SHIFT | I386_SOFT, level };
}

static inline ptv_t ptv_write_protect(ptv_t v)
{
	v.bits &= ~I386_W;
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
	return ptv_make_leaf(ptv_pa(v), (ptv_attr(v) & change.keep) | change.set, v.level);
}
