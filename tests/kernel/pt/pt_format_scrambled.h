/*
 * The scrambled test format: entries whose encoding differs by level, so that code which decodes
 * an entry at the wrong level, or without the format, sees nonsense instead of being right by luck.
 *
 * A geometry that no CPU has: pages of 8 KiB, tables of 128 entries, up to six levels. The plain
 * word
 *
 *    63 ........ 19  18 ... 13  12 ...... 2  1 0
 *   +---------------+----------+------------+----+
 *   | page frame    | check    | attributes |type|    type: 0 nothing, 1 table, 2 leaf, 3 soft
 *   +---------------+----------+------------+----+
 *
 * has its attribute bits turned by the level, a check that depends on the level, and is stored
 * rotated by the level and multiplied by the level's odd key: one to one, and zero stays zero.
 */
#pragma once

#include <mm/pt/pt_types.h>

#define PT_PAGE_SHIFT 13
#define PT_TABLE_BITS 7
#define PT_LEVEL_COUNT 6
#define PT_SOFT_BITS 45
#define PT_ATTR_KNOWN PT_ATTR_ALL

#include <mm/pt/pt_word.h>

enum scrambled_type { SCRAMBLED_NOTHING, SCRAMBLED_TABLE, SCRAMBLED_LEAF, SCRAMBLED_SOFT };

#define SCRAMBLED_FRAME_SHIFT 19
#define SCRAMBLED_CHECK_SHIFT 13
#define SCRAMBLED_ATTR_SHIFT 2
#define SCRAMBLED_ATTR_BITS 11
#define SCRAMBLED_ATTR_MASK ((1u << SCRAMBLED_ATTR_BITS) - 1)
#define SCRAMBLED_LEAF_LEVELS 0xfu
#define SCRAMBLED_TABLE_ATTR (PT_RWX | PT_U | PT_YOUNG)

_Static_assert(PT_ATTR_ALL < 1u << SCRAMBLED_ATTR_BITS, "every attribute has its bit");
_Static_assert(SCRAMBLED_FRAME_SHIFT + PT_SOFT_BITS == 64, "the frame takes the rest");

static inline uint64_t scrambled_rotate(uint64_t x, unsigned by)
{
	return by % 64 ? x << by % 64 | x >> (64 - by % 64) : x;
}

static inline uint64_t scrambled_key(unsigned level)
{
	return 0x9e3779b97f4a7c15ull + level * 0x1234567890abcdeeull; /* odd at every level */
}

/* The inverse modulo 2^64: each Newton step doubles the right bits, from 3. */
static inline uint64_t scrambled_inverse(uint64_t key)
{
	uint64_t x = key;

	for (int i = 0; i < 5; i++)
		x *= 2 - key * x;
	return x;
}

static inline uint64_t scrambled_pack(uint64_t plain, unsigned level)
{
	return scrambled_rotate(plain, 11 * level + 5) * scrambled_key(level);
}

static inline uint64_t scrambled_unpack(ptv_t v)
{
	uint64_t plain = v.bits * scrambled_inverse(scrambled_key(v.level));

	return scrambled_rotate(plain, 64 - (11 * v.level + 5) % 64);
}

static inline uint64_t scrambled_check(unsigned level)
{
	return (0x2b ^ (level * 9)) & 0x3f;
}

/* Turn the attribute bits; a turn by their number less n undoes one by n. */
static inline uint64_t scrambled_turn(uint64_t attr, unsigned by)
{
	by %= SCRAMBLED_ATTR_BITS;
	return (attr << by | attr >> (SCRAMBLED_ATTR_BITS - by)) & SCRAMBLED_ATTR_MASK;
}

static inline ptv_t scrambled_make(enum scrambled_type type, uint64_t frame, pt_attr_t attr,
				   unsigned level)
{
	uint64_t plain = frame << SCRAMBLED_FRAME_SHIFT |
			 scrambled_check(level) << SCRAMBLED_CHECK_SHIFT |
			 scrambled_turn(attr, level + 3) << SCRAMBLED_ATTR_SHIFT | type;

	return (ptv_t){ scrambled_pack(plain, level), level };
}

static inline uint64_t pt_pa_limit(void)
{
	return 1ull << (PT_SOFT_BITS + PT_PAGE_SHIFT);
}

static inline unsigned pt_leaf_levels(void)
{
	return SCRAMBLED_LEAF_LEVELS;
}

static inline pt_attr_t ptv_attr(ptv_t v)
{
	uint64_t turned = scrambled_unpack(v) >> SCRAMBLED_ATTR_SHIFT & SCRAMBLED_ATTR_MASK;

	return (pt_attr_t)scrambled_turn(turned, 2 * SCRAMBLED_ATTR_BITS - (v.level + 3));
}

static inline uint64_t ptv_soft_data(ptv_t v)
{
	return scrambled_unpack(v) >> SCRAMBLED_FRAME_SHIFT;
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
	uint64_t plain = scrambled_unpack(v);
	uint64_t inside = (1ull << v.level * PT_TABLE_BITS) - 1;
	bool leaf_here = (SCRAMBLED_LEAF_LEVELS >> v.level & 1) && !(ptv_soft_data(v) & inside);

	if (ptv_none(v))
		return PT_NONE;
	if (ptv_attr(v) & ~PT_ATTR_ALL)
		return PT_BAD;
	if ((plain >> SCRAMBLED_CHECK_SHIFT & 0x3f) != scrambled_check(v.level))
		return PT_BAD;
	switch ((enum scrambled_type)(plain & 3)) {
	case SCRAMBLED_TABLE:
		return v.level > 0 && !(ptv_attr(v) & ~SCRAMBLED_TABLE_ATTR) ? PT_TABLE : PT_BAD;
	case SCRAMBLED_LEAF:
		return leaf_here ? PT_LEAF : PT_BAD;
	case SCRAMBLED_SOFT:
		return ptv_attr(v) ? PT_BAD : PT_SOFT;
	case SCRAMBLED_NOTHING:
		break;
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

static inline ptv_t ptv_make_none(unsigned level)
{
	return (ptv_t){ 0, level };
}

static inline ptv_t ptv_make_leaf(pa_t pa, pt_attr_t attr, unsigned level)
{
	return scrambled_make(SCRAMBLED_LEAF, pa.value >> PT_PAGE_SHIFT, attr, level);
}

static inline ptv_t ptv_make_table(pa_t pa, pt_attr_t rights, unsigned level)
{
	return scrambled_make(SCRAMBLED_TABLE, pa.value >> PT_PAGE_SHIFT, rights, level);
}

static inline ptv_t ptv_make_soft(uint64_t data, unsigned level)
{
	return scrambled_make(SCRAMBLED_SOFT, data, 0, level);
}

/* The same leaf or table with other attributes. */
static inline ptv_t scrambled_with_attr(ptv_t v, pt_attr_t attr)
{
	return scrambled_make(scrambled_unpack(v) & 3, ptv_soft_data(v), attr, v.level);
}

static inline ptv_t ptv_write_protect(ptv_t v)
{
	return scrambled_with_attr(v, ptv_attr(v) & ~PT_W);
}

static inline ptv_t ptv_leaf_next(ptv_t v)
{
	return scrambled_make(SCRAMBLED_LEAF, ptv_soft_data(v) + (1ull << v.level * PT_TABLE_BITS),
			      ptv_attr(v), v.level);
}

static inline struct pt_change pt_change_make(pt_attr_t clear, pt_attr_t set)
{
	return (struct pt_change){ .keep = ~(uint64_t)clear, .set = set };
}

static inline ptv_t ptv_change(ptv_t v, struct pt_change change)
{
	return scrambled_with_attr(v, (ptv_attr(v) & change.keep) | change.set);
}
