/*
 * Claims about geometry, address arithmetic and single values. They hold without any table. See
 * suite.h.
 */
#pragma once

#include <tests/kernel/pt/suite.h>

static bool suite_level_has_leaves(unsigned level)
{
	return pt_leaf_levels() >> level & 1;
}

/* A random address that a leaf of the level can hold. */
static pa_t suite_random_pa(unsigned level)
{
	return PA(test_random() & (pt_pa_limit() - 1) & ~pt_mask(level));
}

static pt_attr_t suite_random_attr(void)
{
	return test_random() & PT_ATTR_KNOWN;
}

/* A value that the format itself makes. */
static ptv_t suite_random_value(unsigned level)
{
	uint64_t data = test_random() & ((1ull << PT_SOFT_BITS) - 1);

	switch (suite_random(4)) {
	case 0:
		return ptv_make_soft(data, level);
	case 1:
		return level ? ptv_make_table(suite_random_pa(0),
					      suite_random_attr() & (PT_RWX | PT_U), level)
			     : ptv_make_none(0);
	default:
		if (suite_level_has_leaves(level))
			return ptv_make_leaf(suite_random_pa(level), suite_random_attr(), level);
		return ptv_make_none(level);
	}
}

/* Any 64 bits: all random, sparse, or nearly a proper value. */
static ptv_t suite_random_bits(unsigned level)
{
	ptv_t v = suite_random_value(level);

	switch (suite_random(4)) {
	case 0:
		v.bits = test_random();
		break;
	case 1:
		v.bits = test_random() & test_random() & test_random();
		break;
	case 2:
		v.bits ^= 1ull << suite_random(64);
		break;
	default:
		break;
	}
	return v;
}

// Leaves are legal at level 0 and at every level up to some highest one, within the deepest root.
CLAIM(page_sizes_fit_the_levels)
{
	unsigned levels = pt_leaf_levels();

	EXPECT(levels & 1);
	EXPECT_EQ(levels & (levels + 1), 0u);
	EXPECT_LE(levels, (1u << PT_LEVEL_COUNT) - 1);
	for (unsigned level = 0; level < PT_LEVEL_COUNT; level++)
		EXPECT_EQ(pt_size(level), 1ull << (PT_PAGE_SHIFT + PT_TABLE_BITS * level));
}

// Size, mask and index agree with wide arithmetic at the smallest and largest addresses.
CLAIM(bit_operations_hold_at_the_limits)
{
	const va_t edge[] = { 0,     1,         pt_mask(0), pt_size(0),
			      ~0ull, ~0ull - 1, 1ull << 63, (1ull << 63) - 1 };

	for (unsigned level = 0; level < PT_LEVEL_COUNT; level++) {
		unsigned __int128 size = (unsigned __int128)1
					 << (PT_PAGE_SHIFT + PT_TABLE_BITS * level);

		EXPECT_EQ(pt_mask(level), (uint64_t)(size - 1));
		for (unsigned i = 0; i < ARRAY_SIZE(edge); i++) {
			uint64_t quotient = (uint64_t)(edge[i] / size);

			EXPECT_EQ(pt_index(edge[i], level), quotient % PT_ENTRY_COUNT);
		}
	}
}

/* What pt_addr_end is to say, with room for 2^64. */
static va_t suite_addr_end(va_t va, va_t end, unsigned level)
{
	unsigned __int128 size = (unsigned __int128)1 << pt_shift(level);
	unsigned __int128 boundary = (va / size + 1) * size;
	unsigned __int128 wide_end = end ? end : (unsigned __int128)1 << 64;

	return (va_t)(boundary < wide_end ? boundary : wide_end);
}

// The step of a loop over entries ends at the next boundary or the end, also where either is 2^64.
CLAIM(addr_end_matches_wide_arithmetic)
{
	for (unsigned level = 0; level < PT_LEVEL_COUNT; level++) {
		uint64_t size = pt_size(level);
		const va_t at[] = { 0,        1,        size - 1,     size,
				    size + 1, 0 - size, 0 - size - 1, 1 - size,
				    ~0ull };

		for (unsigned i = 0; i < ARRAY_SIZE(at); i++)
			for (unsigned j = 0; j < ARRAY_SIZE(at); j++)
				if (at[i] <= at[j] - 1)
					EXPECT_EQ(pt_addr_end(at[i], at[j], level),
						  suite_addr_end(at[i], at[j], level));
		for (unsigned i = 0; i < 1000 * SUITE_SCALE; i++) {
			va_t va = test_random() >> suite_random(64);
			va_t end = va + 1 + (test_random() >> suite_random(64));

			if (end - 1 >= va &&
			    pt_addr_end(va, end, level) != suite_addr_end(va, end, level))
				EXPECT_EQ(pt_addr_end(va, end, level),
					  suite_addr_end(va, end, level));
		}
	}
}

// Every address bit above the page belongs to the index of exactly one level, with no gap or
// overlap.
CLAIM(levels_decode_contiguous_bits)
{
	for (unsigned bit = 0; bit < PT_PAGE_SHIFT + PT_LEVEL_COUNT * PT_TABLE_BITS && bit < 64;
	     bit++) {
		va_t va = 1ull << bit;
		unsigned owner = bit < PT_PAGE_SHIFT ? PT_LEVEL_COUNT
						     : (bit - PT_PAGE_SHIFT) / PT_TABLE_BITS;

		for (unsigned level = 0; level < PT_LEVEL_COUNT; level++)
			EXPECT_EQ(pt_index(va, level),
				  level == owner ? 1u << (bit - pt_shift(level)) : 0u);
	}
}

// The entries of the top table cover the whole of both halves of the depth's addresses.
CLAIM(top_range_fits_the_width)
{
	va_t half = pt_mask(suite.top + 1) >> 1;

	EXPECT_EQ(pt_index(0, suite.top), 0u);
	EXPECT_EQ(pt_index(half, suite.top), PT_ENTRY_COUNT / 2 - 1);
	EXPECT_EQ(pt_index(~half, suite.top), PT_ENTRY_COUNT / 2);
	EXPECT_EQ(pt_index(~0ull, suite.top), PT_ENTRY_COUNT - 1);
	EXPECT(pt_root_covers(&suite.root, 0, half));
	EXPECT(!pt_root_covers(&suite.root, 0, half + 1));
	EXPECT(!pt_root_covers(&suite.root, 1, 0));
}

// A table's address survives being put into an entry and taken out, at every level and both limits.
CLAIM(table_pointers_round_trip)
{
	for (unsigned level = 1; level < PT_LEVEL_COUNT; level++) {
		const uint64_t at[] = { 0, pt_size(0), (pt_pa_limit() - 1) & ~pt_mask(0),
					suite_random_pa(0).value };

		for (unsigned i = 0; i < ARRAY_SIZE(at); i++) {
			ptv_t v = ptv_make_table(PA(at[i]), PT_RWX | PT_U, level);
			pt_t table = ptv_to_table(v);

			EXPECT(ptv_kind(v) == PT_TABLE);
			EXPECT_EQ(table.pa.value, at[i]);
			EXPECT_EQ(table.level, level - 1);
			EXPECT_EQ(ptv_pfn(v), at[i] >> PT_PAGE_SHIFT);
		}
	}
}

// A leaf is one where leaves are legal, and bad anywhere else.
CLAIM(leaf_sizes_are_legal_by_level)
{
	for (unsigned level = 0; level < PT_LEVEL_COUNT; level++) {
		ptv_t v = ptv_make_leaf(PA(0), PT_R, level);

		EXPECT(ptv_kind(v) == (suite_level_has_leaves(level) ? PT_LEAF : PT_BAD));
		EXPECT_EQ(ptv_is_huge(v), level > 0 && suite_level_has_leaves(level));
		EXPECT_EQ(ptv_bottom(v), level == 0);
	}
}

// A leaf of every size holds output address 0 and the highest one, and steps to the memory behind
// it.
CLAIM(leaf_addresses_round_trip)
{
	for (unsigned level = 0; suite_level_has_leaves(level); level++) {
		uint64_t high = (pt_pa_limit() - 1) & ~pt_mask(level);
		const uint64_t at[] = { 0, high, suite_random_pa(level).value };

		for (unsigned i = 0; i < ARRAY_SIZE(at); i++) {
			const pt_attr_t attr = (PT_RWX | PT_MARK) & PT_ATTR_KNOWN;
			ptv_t v = ptv_make_leaf(PA(at[i]), attr, level);

			EXPECT(ptv_kind(v) == PT_LEAF);
			EXPECT_EQ(ptv_pa(v).value, at[i]);
			EXPECT_EQ(ptv_pfn(v), at[i] >> PT_PAGE_SHIFT);
			EXPECT_EQ(ptv_attr(v), attr);
			if (at[i] != high)
				EXPECT_EQ(ptv_leaf_next(v).bits,
					  ptv_make_leaf(PA(at[i] + pt_size(level)), attr, level)
						  .bits);
		}
	}
}

// All attributes, in every combination and at every level, are read back, and give the same entry
// again.
CLAIM(attributes_round_trip)
{
	for (unsigned level = 0; suite_level_has_leaves(level); level++)
		for (pt_attr_t attr = 0; attr <= PT_ATTR_ALL; attr++) {
			ptv_t v =
				ptv_make_leaf(suite_random_pa(level), attr & PT_ATTR_KNOWN, level);

			if (ptv_kind(v) != PT_LEAF || ptv_attr(v) != (attr & PT_ATTR_KNOWN) ||
			    ptv_make_leaf(ptv_pa(v), ptv_attr(v), level).bits != v.bits ||
			    ptv_present(v) != !!(attr & PT_R))
				EXPECT_EQ(ptv_attr(v), attr & PT_ATTR_KNOWN);
		}
	EXPECT_EQ(ptv_attr(ptv_make_leaf(PA(0), PT_ATTR_KNOWN, 0)), PT_ATTR_KNOWN);
}

// Rights that a table entry leaves to what is below are read back.
CLAIM(table_rights_round_trip)
{
	for (unsigned level = 1; level < PT_LEVEL_COUNT; level++)
		for (pt_attr_t rights = 0; rights < PT_R + PT_W + PT_U + PT_X + 1; rights++) {
			ptv_t v = ptv_make_table(PA(0), rights | PT_R, level);
			pt_attr_t want = (rights | PT_R) & PT_ATTR_KNOWN;

			EXPECT_EQ(ptv_attr(v), want);
			EXPECT(ptv_is_table(ptv_write_protect(v)));
			EXPECT_EQ(ptv_attr(ptv_write_protect(v)), want & ~PT_W);
		}
}

/* What is set is set, what is cleared is cleared, and the rest is as it was. */
static void suite_check_change(ptv_t v, pt_attr_t clear, pt_attr_t set)
{
	pt_attr_t want = (ptv_attr(v) & ~clear) | set;
	ptv_t changed = ptv_leaf_change(v, clear, set);

	if (changed.bits != ptv_make_leaf(ptv_pa(v), want, v.level).bits)
		EXPECT_EQ(ptv_attr(changed), want);
}

// Making an entry old or young, clean or dirty, writable or not, is independent of all its other
// attributes.
CLAIM(young_dirty_and_write_are_independent)
{
	for (unsigned level = 0; suite_level_has_leaves(level); level++)
		for (pt_attr_t attr = 0; attr <= PT_ATTR_ALL; attr++) {
			ptv_t v =
				ptv_make_leaf(suite_random_pa(level), attr & PT_ATTR_KNOWN, level);

			for (pt_attr_t bit = 1; bit <= PT_ATTR_ALL; bit <<= 1) {
				suite_check_change(v, bit & PT_ATTR_KNOWN, 0);
				suite_check_change(v, 0, bit & PT_ATTR_KNOWN);
				suite_check_change(v, bit & PT_ATTR_KNOWN, bit & PT_ATTR_KNOWN);
			}
			suite_check_change(v, PT_ATTR_KNOWN, suite_random_attr());
			suite_check_change(v, suite_random_attr(), suite_random_attr());
			if (ptv_write_protect(v).bits != ptv_leaf_change(v, PT_W, 0).bits)
				EXPECT_EQ(ptv_write_protect(v).bits,
					  ptv_leaf_change(v, PT_W, 0).bits);
		}
	EXPECT_EQ(ptv_attr(ptv_write_protect(ptv_make_leaf(PA(0), PT_R | PT_W, 0))), PT_R);
}

// A soft entry carries its data unchanged, is not present, and is nothing else.
CLAIM(soft_data_round_trips)
{
	const uint64_t most = (1ull << PT_SOFT_BITS) - 1;

	for (unsigned level = 0; level < PT_LEVEL_COUNT; level++)
		for (unsigned i = 0; i < 1000; i++) {
			uint64_t data = i == 0 ? 0 : i == 1 ? most : test_random() & most;
			ptv_t v = ptv_make_soft(data, level);

			if (ptv_kind(v) != PT_SOFT || ptv_soft_data(v) != data || ptv_present(v))
				EXPECT_EQ(ptv_soft_data(v), data);
		}
	EXPECT(ptv_is_soft(ptv_make_soft(0, 0)));
}

/* The predicates that are true of a value, as a set. */
enum suite_predicate {
	IS_NONE = 1,
	IS_TABLE = 2,
	IS_LEAF = 4,
	IS_HUGE = 8,
	IS_SOFT = 16,
	IS_BAD = 32,
	IS_DEVMAP = 64,
	IS_PRESENT = 128,
	IS_BOTTOM = 256,
};

static unsigned suite_predicates(ptv_t v)
{
	return ptv_none(v) * IS_NONE | ptv_is_table(v) * IS_TABLE | ptv_is_leaf(v) * IS_LEAF |
	       ptv_is_huge(v) * IS_HUGE | ptv_is_soft(v) * IS_SOFT | ptv_is_bad(v) * IS_BAD |
	       ptv_is_devmap(v) * IS_DEVMAP | ptv_present(v) * IS_PRESENT |
	       ptv_bottom(v) * IS_BOTTOM;
}

static void suite_check_leaf_predicates(unsigned level)
{
	unsigned leaf = IS_LEAF | (level ? IS_HUGE : IS_BOTTOM);
	const struct {
		pt_attr_t attr;
		unsigned is;
	} row[] = {
		{ PT_R, leaf | IS_PRESENT },
		{ 0, leaf },
		{ PT_W | PT_X, leaf },
		{ PT_R | PT_DEVMAP, leaf | IS_PRESENT | IS_DEVMAP },
		{ PT_DEVMAP, leaf | IS_DEVMAP },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(row); i++)
		if (!(row[i].attr & ~PT_ATTR_KNOWN))
			EXPECT_EQ(suite_predicates(ptv_make_leaf(PA(0), row[i].attr, level)),
				  row[i].is);
}

// Each predicate is true of exactly the entries that it names.
CLAIM(predicates_match_their_truth_table)
{
	for (unsigned level = 0; level < PT_LEVEL_COUNT; level++) {
		unsigned bottom = level ? 0 : IS_BOTTOM;

		EXPECT_EQ(suite_predicates(ptv_make_none(level)), IS_NONE | bottom);
		EXPECT_EQ(suite_predicates(ptv_make_soft(1, level)), IS_SOFT | bottom);
		if (level)
			EXPECT_EQ(suite_predicates(ptv_make_table(PA(0), PT_RWX, level)),
				  (unsigned)(IS_TABLE | IS_PRESENT));
		if (suite_level_has_leaves(level))
			suite_check_leaf_predicates(level);
	}
}

/* Does the value, of whatever kind, come back from being taken apart and made again? */
static bool suite_round_trips(ptv_t v)
{
	const unsigned level = v.level;

	switch (ptv_kind(v)) {
	case PT_NONE:
		return v.bits == ptv_make_none(level).bits && !ptv_present(v);
	case PT_TABLE:
		return level > 0 && ptv_present(v) && ptv_pa(v).value <= pt_pa_limit() - 1 &&
		       ((ptv_attr(v) & PT_YOUNG) ||
			v.bits == ptv_make_table(ptv_pa(v), ptv_attr(v), level).bits);
	case PT_LEAF:
		return suite_level_has_leaves(level) && !(ptv_pa(v).value & pt_mask(level)) &&
		       ptv_pa(v).value <= pt_pa_limit() - 1 && !(ptv_attr(v) & ~PT_ATTR_KNOWN) &&
		       v.bits == ptv_make_leaf(ptv_pa(v), ptv_attr(v), level).bits;
	case PT_SOFT:
		return !ptv_present(v) && v.bits == ptv_make_soft(ptv_soft_data(v), level).bits;
	case PT_BAD:
		return true;
	}
	return false;
}

// Any 64 bits at any level are of exactly one kind, and every kind but bad says all there is in the
// bits.
CLAIM(every_value_has_exactly_one_kind)
{
	uint64_t seen[PT_BAD + 1] = { 0 };

	for (unsigned level = 0; level < PT_LEVEL_COUNT; level++)
		for (unsigned i = 0; i < 50000 * SUITE_SCALE; i++) {
			ptv_t v = suite_random_bits(level);
			int answers = ptv_none(v) + ptv_is_table(v) + ptv_is_leaf(v) +
				      ptv_is_soft(v) + ptv_is_bad(v);
			bool first = ptv_kind(v) == PT_NONE ? ptv_none(v) : !ptv_none(v);

			seen[ptv_kind(v)]++;
			if (answers != 1 || !first || !suite_round_trips(v))
				EXPECT_EQ(v.bits, level);
		}
	for (unsigned kind = PT_NONE; kind <= PT_BAD; kind++)
		EXPECT_LE(1000u, seen[kind]);
}

// The next entry of a table is one further on, the one before one back, and both know their index.
CLAIM(entries_step_through_their_table)
{
	ptp_t p = pt_entry(suite.root.top, 0);

	for (unsigned i = 0; i < PT_ENTRY_COUNT; i++, p = ptp_next(p)) {
		EXPECT_EQ(p.slot, pt_entry(suite.root.top, i).slot);
		EXPECT_EQ(p.level, suite.top);
		EXPECT_EQ(ptp_index(p), i);
		EXPECT_EQ(ptp_prev(ptp_next(p)).slot, p.slot);
		EXPECT_EQ(ptp_meta(p), pt_meta(suite.root.top));
	}
}

#define SUITE_FORMAT_CLAIMS(X, s, top)                   \
	X(s, top, page_sizes_fit_the_levels)             \
	X(s, top, bit_operations_hold_at_the_limits)     \
	X(s, top, addr_end_matches_wide_arithmetic)      \
	X(s, top, levels_decode_contiguous_bits)         \
	X(s, top, top_range_fits_the_width)              \
	X(s, top, table_pointers_round_trip)             \
	X(s, top, leaf_sizes_are_legal_by_level)         \
	X(s, top, leaf_addresses_round_trip)             \
	X(s, top, attributes_round_trip)                 \
	X(s, top, table_rights_round_trip)               \
	X(s, top, young_dirty_and_write_are_independent) \
	X(s, top, soft_data_round_trips)                 \
	X(s, top, predicates_match_their_truth_table)    \
	X(s, top, every_value_has_exactly_one_kind)      \
	X(s, top, entries_step_through_their_table)
