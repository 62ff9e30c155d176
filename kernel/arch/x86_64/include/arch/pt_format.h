/*
 * The x86-64 entry format: 4- and 5-level paging (SDM vol. 3, 4.5 "4-level paging and 5-level
 * paging", tables 4-14 to 4-20). The only file that knows these bits.
 *
 *   level   0      1       2       3                    4
 *   table   PT     PD      PDPT    PML4                 PML5
 *   leaf    4 KiB  2 MiB   1 GiB   -                    -
 *
 *    63  62..59  58..52  51 ........ 12  11  10   9   8  7   6  5  4   3   2  1  0
 *   +---+-------+-------+---------------+---+----+---+--+---+--+--+---+---+--+--+--+
 *   | NX| 0     | 0     | address       | 0 |MARK|DEV|G |PS |D |A |PCD|PWT|U |W |P |  leaf, table
 *   +---+-------+-------+---------------+---+----+---+--+---+--+--+---+---+--+--+--+
 *   | NX| 0     | 0     | address       | 0 |MARK|DEV|HIDDEN (8) ...           |0 |  leaf without PT_R
 *   | data (63..12)                     |  SOFT (11)   0                         |  soft
 *
 * A leaf without PT_R cannot be present, as x86 lets everybody who may do anything read; it keeps
 * address and attributes behind the HIDDEN bit, where PT_GLOBAL has no room and is dropped.
 * PT_UC is PCD|PWT, entry 3 of the PAT as the CPU resets it.
 */
#ifndef ARCH_PT_FORMAT_H
#define ARCH_PT_FORMAT_H

#include <arch/mmu.h>
#include <mm/pt/pt_types.h>

#define PT_PAGE_SHIFT 12
#define PT_TABLE_BITS 9
#define PT_LEVEL_COUNT 5
#define PT_SOFT_BITS 52
#define PT_ATTR_KNOWN PT_ATTR_ALL

#include <mm/pt/pt_word.h>

#define X86_P (1ull << 0)
#define X86_W (1ull << 1)
#define X86_U (1ull << 2)
#define X86_UC (3ull << 3)
#define X86_A (1ull << 5)
#define X86_D (1ull << 6)
#define X86_PS (1ull << 7)
#define X86_G (1ull << 8)
#define X86_DEVMAP (1ull << 9)
#define X86_MARK (1ull << 10)
#define X86_NX (1ull << 63)
#define X86_HIDDEN (1ull << 8) /* only when not present */
#define X86_SOFT (1ull << 11)  /* only when not present */
#define X86_PA 0x000ffffffffff000ull

/* A table of ours has these and no others; anything else is corruption. */
#define X86_TABLE_BITS (X86_PA | X86_P | X86_W | X86_U | X86_A | X86_NX)

static inline uint64_t pt_pa_limit(void)
{
	return 1ull << arch_mmu.pa_bits;
}

static inline unsigned pt_leaf_levels(void)
{
	return (2u << arch_mmu.leaf_level_max) - 1;
}

/* Bits that are 0 in every leaf of ours: address bits above the width or inside a huge page, what
 * the CPU ignores (52..62, 11), and PAT (bit 7 at level 0, bit 12 above). */
static inline uint64_t x86_leaf_reserved(unsigned level)
{
	uint64_t size = 1ull << (PT_PAGE_SHIFT + level * PT_TABLE_BITS);

	return (X86_PA & (~(pt_pa_limit() - 1) | (size - 1))) | 0x7ffull << 52 | X86_SOFT |
	       (level == 0 ? X86_PS : 0);
}

static inline enum pt_kind x86_leaf_kind(ptv_t v)
{
	if (v.level > 0 && !((pt_leaf_levels() >> v.level) & 1))
		return PT_BAD;
	return v.bits & x86_leaf_reserved(v.level) ? PT_BAD : PT_LEAF;
}

static inline bool ptv_none(ptv_t v)
{
	return v.bits == 0;
}

static inline enum pt_kind ptv_kind(ptv_t v)
{
	if (v.bits & X86_P) {
		if (v.level == 0 || (v.bits & X86_PS))
			return x86_leaf_kind(v);
		return v.bits & (~X86_TABLE_BITS | (X86_PA & ~(pt_pa_limit() - 1))) ? PT_BAD :
										      PT_TABLE;
	}
	if (v.bits == 0)
		return PT_NONE;
	if (v.bits & X86_SOFT)
		return v.bits & (X86_SOFT - 1) ? PT_BAD : PT_SOFT;
	return v.bits & X86_HIDDEN ? x86_leaf_kind(v) : PT_BAD;
}

static inline bool ptv_present(ptv_t v)
{
	return v.bits & X86_P;
}

static inline pa_t ptv_pa(ptv_t v)
{
	return PA(v.bits & X86_PA);
}

/* One bit of a value as one bit of the attributes, or the other way. */
#define X86_BIT(bits, from, to) (((bits) & (from)) ? (to) : 0)

static inline pt_attr_t ptv_attr(ptv_t v)
{
	bool table = v.level > 0 && !(v.bits & X86_PS);
	pt_attr_t attr = X86_BIT(v.bits, X86_P, PT_R) | X86_BIT(v.bits, X86_W, PT_W) |
			 X86_BIT(v.bits, X86_U, PT_U) | X86_BIT(~v.bits, X86_NX, PT_X) |
			 X86_BIT(v.bits, X86_A, PT_YOUNG);

	if (table)
		return attr;
	return attr | X86_BIT(v.bits, X86_D, PT_DIRTY) | X86_BIT(v.bits, X86_DEVMAP, PT_DEVMAP) |
	       X86_BIT(v.bits, X86_MARK, PT_MARK) |
	       X86_BIT(v.bits & X86_UC, X86_UC, PT_UC) |
	       ((v.bits & X86_P) ? X86_BIT(v.bits, X86_G, PT_GLOBAL) : 0);
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
	uint64_t bits = pa.value | X86_BIT(attr, PT_W, X86_W) | X86_BIT(attr, PT_U, X86_U) |
			X86_BIT(~attr, PT_X, X86_NX) | X86_BIT(attr, PT_YOUNG, X86_A) |
			X86_BIT(attr, PT_DIRTY, X86_D) | X86_BIT(attr, PT_UC, X86_UC) |
			X86_BIT(attr, PT_DEVMAP, X86_DEVMAP) | X86_BIT(attr, PT_MARK, X86_MARK);

	if (level > 0)
		bits |= X86_PS;
	bits |= (attr & PT_R) ? X86_P | X86_BIT(attr, PT_GLOBAL, X86_G) : X86_HIDDEN;
	return (ptv_t){ bits, level };
}

static inline ptv_t ptv_make_table(pa_t pa, pt_attr_t rights, unsigned level)
{
	uint64_t bits = pa.value | X86_P | X86_BIT(rights, PT_W, X86_W) |
			X86_BIT(rights, PT_U, X86_U) | X86_BIT(~rights, PT_X, X86_NX);

	return (ptv_t){ bits, level };
}

static inline ptv_t ptv_make_soft(uint64_t data, unsigned level)
{
	return (ptv_t){ data << PT_PAGE_SHIFT | X86_SOFT, level };
}

static inline ptv_t ptv_write_protect(ptv_t v)
{
	v.bits &= ~X86_W;
	return v;
}

static inline ptv_t ptv_leaf_next(ptv_t v)
{
	v.bits += 1ull << (PT_PAGE_SHIFT + v.level * PT_TABLE_BITS);
	return v;
}

#endif
