/*
 * The x86-64 entry format: 4- and 5-level paging (SDM vol. 3, 4.5 "4-level paging and 5-level
 * paging", tables 4-14 to 4-20). The only file that knows these bits.
 *
 *   level   0      1       2       3                    4
 *   table   PT     PD      PDPT    PML4                 PML5
 *   leaf    4 KiB  2 MiB   1 GiB   -                    -
 *
 *    63  62..52  51 ........ 12  11  10   9   8  7   6  5  4   3   2  1  0
 *   +---+-------+---------------+---+----+---+--+---+--+--+---+---+--+--+--+
 *   | NX| 0     | address       | 0 |MARK|DEV|G |PS |D |A |PCD|0  |U |W |1 |  leaf
 *   | NX| 0     | address       | 0 |MARK|DEV|G |PS |D |A |PCD|1  |U |W |0 |  hidden: no PT_R
 *   | NX| 0     | address       | 0 | 0  |0  |0 |0  |0 |A |0  |0  |U |W |1 |  table
 *   | data                      | 1 | 0  |0  |0 |0  |0 |0 |0  |0  |0 |0 |0 |  soft
 *   +---+-------+---------------+---+----+---+--+---+--+--+---+---+--+--+--+
 *
 * A leaf without PT_R cannot be present, as x86 lets everybody who may do anything read; it keeps
 * address and attributes behind the HIDDEN bit. Bits of attributes are where PT_* has them, but for
 * X, which is bit 63 and says the opposite.
 * PT_UC is PCD alone, entry 2 of the PAT as the CPU resets it (UC-).
 *
 * The CPU's widths come from PT_CPU, a struct pt_cpu: the kernel's own, unless the including file
 * names another one (libpt, tests).
 */
#pragma once

#include <arch/pt_cpu.h>
#include <mm/pt/pt_types.h>

#ifndef PT_CPU
#include <arch/mmu.h>
#define PT_CPU arch_mmu.pt
#endif

#define PT_PAGE_SHIFT 12
#define PT_TABLE_BITS 9
#define PT_LEVEL_COUNT 5
#define PT_TOP_MIN 3
#define PT_SOFT_BITS 52
#define PT_ATTR_KNOWN PT_ATTR_ALL

#include <mm/pt/pt_word.h>

#define X86_P (1ull << 0)
#define X86_W (1ull << 1)
#define X86_U (1ull << 2)
#define X86_PCD (1ull << 4)
#define X86_A (1ull << 5)
#define X86_D (1ull << 6)
#define X86_PS (1ull << 7)
#define X86_G (1ull << 8)
#define X86_DEVMAP (1ull << 9)
#define X86_MARK (1ull << 10)
#define X86_NX (1ull << 63)
#define X86_HIDDEN (1ull << 3) /* only when not present; otherwise PWT, which is 0 */
#define X86_SOFT (1ull << 11)  /* only when not present */
#define X86_PA 0x000ffffffffff000ull

/* A table of ours has these and no others; anything else is corruption. */
#define X86_TABLE_BITS (X86_PA | X86_P | X86_W | X86_U | X86_A | X86_NX)
/* What a leaf of ours may have, besides PS and HIDDEN. */
#define X86_LEAF_BITS                                                                    \
	(X86_PA | X86_P | X86_W | X86_U | X86_PCD | X86_A | X86_D | X86_G | X86_DEVMAP | \
	 X86_MARK | X86_NX)

/*
 * The struct pt_cpu of a CPU with `pa_bits` of physical address and leaves up to `leaf_max`.
 *
 * In a leaf of ours are 0: address bits above the width or inside a huge page, what the CPU ignores
 * (52..62, 11), PWT, and PAT (bit 7 at level 0, bit 12 above). Where no leaf is legal, none passes.
 */
#define PT_CPU_INIT(pa_bits, leaf_max)                                                  \
	{                                                                               \
		.pa_limit = 1ull << (pa_bits),                                          \
		.table_test = ~(X86_TABLE_BITS & X86_ADDRESS(pa_bits, 0)) | X86_P,      \
		.leaf_test = { X86_LEAF_TEST(pa_bits, leaf_max, 0),                     \
			       X86_LEAF_TEST(pa_bits, leaf_max, 1),                     \
			       X86_LEAF_TEST(pa_bits, leaf_max, 2), ~X86_PS, ~X86_PS }, \
		.leaf_levels = (2u << (leaf_max)) - 1,                                  \
	}
/* All bits that are not the address's, and those of the address that may be set at this level. */
#define X86_ADDRESS(pa_bits, level) \
	(~X86_PA | (((1ull << (pa_bits)) - 1) & (~0ull << (PT_PAGE_SHIFT + (level)*PT_TABLE_BITS))))
#define X86_LEAF_TEST(pa_bits, leaf_max, level)                                                 \
	(((2u << (leaf_max)) - 1) >> (level)&1 ? ~(X86_LEAF_BITS & X86_ADDRESS(pa_bits, level)) \
					       : ~X86_PS)

static inline uint64_t pt_pa_limit(void)
{
	return PT_CPU.pa_limit;
}

static inline unsigned pt_leaf_levels(void)
{
	return PT_CPU.leaf_levels;
}

static inline bool ptv_none(ptv_t v)
{
	return v.bits == 0;
}

/* Of the bits that are tested only P is set: so none is left without it, and without it all are. */
static inline bool ptv_is_table(ptv_t v)
{
	return v.level > 0 && !((v.bits - X86_P) & PT_CPU.table_test);
}

/* Is it well-formed as a leaf, present or hidden? */
static inline bool x86_leaf_fits(ptv_t v)
{
	return (v.bits & PT_CPU.leaf_test[v.level]) == (v.level > 0 ? X86_PS : 0);
}

static inline enum pt_kind ptv_kind(ptv_t v)
{
	if (v.bits & X86_P) {
		if (x86_leaf_fits(v))
			return PT_LEAF;
		return ptv_is_table(v) ? PT_TABLE : PT_BAD;
	}
	if (v.bits == 0)
		return PT_NONE;
	if (v.bits & X86_SOFT)
		return v.bits & (X86_SOFT - 1) ? PT_BAD : PT_SOFT;
	v.bits ^= X86_HIDDEN; /* which a leaf that is not hidden has to have cleared */
	return x86_leaf_fits(v) ? PT_LEAF : PT_BAD;
}

static inline bool ptv_present(ptv_t v)
{
	return v.bits & X86_P;
}

static inline pa_t ptv_pa(ptv_t v)
{
	return PA(v.bits & X86_PA);
}

/* The attributes whose bit is in place. */
#define X86_IN_PLACE (PT_ATTR_ALL & ~PT_X)
_Static_assert(PT_R == X86_P && PT_W == X86_W && PT_U == X86_U && PT_UC == X86_PCD, "in place");
_Static_assert(PT_YOUNG == X86_A && PT_DIRTY == X86_D && PT_GLOBAL == X86_G, "in place");
_Static_assert(PT_DEVMAP == X86_DEVMAP && PT_MARK == X86_MARK, "in place");
_Static_assert(X86_NX == (uint64_t)PT_X << 60 && X86_HIDDEN == PT_R << 3,
	       "what x86_bits shifts by");

/* These say the opposite of their attribute, PT_X and PT_R. */
#define X86_INVERSE (X86_NX | X86_HIDDEN)

/* The bits that belong to attributes, with those of X86_INVERSE set if the attribute is. */
static inline uint64_t x86_bits(pt_attr_t attr)
{
	return (attr & X86_IN_PLACE) | (uint64_t)(attr & PT_X) << 60 | (attr & PT_R) << 3;
}

static inline pt_attr_t ptv_attr(ptv_t v)
{
	return (v.bits & X86_IN_PLACE) | (~v.bits >> 60 & PT_X);
}

static inline uint64_t ptv_soft_data(ptv_t v)
{
	return v.bits >> PT_PAGE_SHIFT;
}

static inline ptv_t ptv_make_none(unsigned level)
{
	return (ptv_t){ 0, level };
}

/* Added, not or-ed: so a compiler can step from one leaf to the next by adding to the value. */
static inline ptv_t ptv_make_leaf(pa_t pa, pt_attr_t attr, unsigned level)
{
	return (ptv_t){ pa.value + ((x86_bits(attr) ^ X86_INVERSE) | (level > 0 ? X86_PS : 0)),
			level };
}

static inline ptv_t ptv_make_table(pa_t pa, pt_attr_t rights, unsigned level)
{
	return (ptv_t){ pa.value | (x86_bits((rights & (PT_W | PT_X | PT_U)) | PT_R) ^ X86_INVERSE),
			level };
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

/*
 * For loops over many entries: one mask that tells what there mostly is from all else. At level 0
 * these are leaves that are present and have none of the attributes in `without`; above, tables.
 */
static inline uint64_t ptv_ordinary(pt_attr_t without, unsigned level)
{
	if (level > 0)
		return PT_CPU.table_test;
	return PT_CPU.leaf_test[0] | X86_P | (without & X86_IN_PLACE);
}

static inline bool ptv_is_ordinary(ptv_t v, uint64_t mask)
{
	return (v.bits & mask) == X86_P;
}

/* Take W from a leaf or table, whatever the CPU sets in it meanwhile. Returns what it is then. */
static inline ptv_t ptp_write_protect(ptp_t p)
{
	__atomic_and_fetch((uint64_t *)p.slot, ~X86_W, __ATOMIC_ACQ_REL);
	return ptp_get(p);
}

static inline ptv_t ptv_leaf_next(ptv_t v)
{
	v.bits += 1ull << (PT_PAGE_SHIFT + v.level * PT_TABLE_BITS);
	return v;
}

static inline struct pt_change pt_change_make(pt_attr_t clear, pt_attr_t set)
{
	uint64_t lost = x86_bits(clear & ~set), won = x86_bits(set);

	return (struct pt_change){
		.keep = ~((lost & ~X86_INVERSE) | (won & X86_INVERSE)),
		.set = (won & ~X86_INVERSE) | (lost & X86_INVERSE),
	};
}

static inline ptv_t ptv_change(ptv_t v, struct pt_change change)
{
	v.bits = (v.bits & change.keep) | change.set;
	return v;
}
