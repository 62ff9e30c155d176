/*
 * The page-table API: one format, any depth.
 *
 * The including file names the format and, if it likes, a host header and a name prefix:
 *
 *   #define PT_PREFIX x86_
 *   #define PT_FORMAT_HEADER <arch/pt_format.h>
 *   #include <mm/pt/pt.h>
 *
 * Geometry, predicates, entries, walking down, roots and tables are here, all inline; pt_walk.h is
 * the engine that visits ranges, pt_ops.h its ready-made clients, pt_iter.h the iterator.
 *
 * Locking: readers may run beside anything, if the host frees tables only when no reader can
 * hold them. Whoever changes entries of a range must be alone with it, except that pt_populate may race
 * with itself.
 */
#ifndef PT_PT_H
#define PT_PT_H

#include "pt_meta.h"
#include "pt_types.h"

#include PT_FORMAT_HEADER
#include "pt_format.h"
#ifdef PT_HOST_HEADER
#include PT_HOST_HEADER
#else
#include "pt_host.h"
#endif

#ifndef PT_ASSERT
#define PT_ASSERT(cond) ((cond) ? (void)0 : __builtin_trap())
#endif
#ifndef PT_HOST_REPORT_BAD /* (ptp_t p, va_t va, ptv_t v): tell somebody */
#define PT_HOST_REPORT_BAD(p, va, v) ((void)0)
#endif
#ifndef PT_HOST_SPLIT /* (ptv_t leaf): its frames are about to be counted a level lower */
#define PT_HOST_SPLIT(v) ((void)0)
#endif
/*
 * A host that shares tables says which table entries lead to one that others may see, too, and how
 * to make it the root's own before anything below changes (0 or -errno; nothing half done).
 */
#ifndef PT_HOST_SHARED
#define PT_HOST_SHARED(v) false
#endif
#ifndef PT_HOST_EXCLUSIVE
#define PT_HOST_EXCLUSIVE(root, p) 0
#endif

#ifndef PT_PREFIX
#define PT_PREFIX
#endif
#define PT_PASTE2(a, b) a##b
#define PT_PASTE(a, b) PT_PASTE2(a, b)
#define PT_NAME(name) PT_PASTE(PT_PREFIX, name)

#define PT_INLINE static inline __attribute__((always_inline, unused))

/* ---- Geometry: everything follows from the format's four constants. ---- */

#define PT_ENTRY_COUNT (1u << PT_TABLE_BITS)
#define PT_TABLE_BYTES ((size_t)PT_ENTRY_COUNT << PT_SLOT_SHIFT)
#define PT_GROUP_SHIFT (PT_TABLE_BITS > 6 ? PT_TABLE_BITS - 6 : 0)

_Static_assert(PT_LEVEL_COUNT >= 1 && PT_LEVEL_COUNT <= PT_LEVEL_MAX, "pt_walk.h has a body for six levels");
_Static_assert(PT_PAGE_SHIFT + (PT_LEVEL_COUNT - 1) * PT_TABLE_BITS < 64, "top entries are wider than 2^64");

/* log2 of what an entry of a level maps or covers. */
PT_INLINE unsigned pt_shift(unsigned level)
{
	return PT_PAGE_SHIFT + level * PT_TABLE_BITS;
}

PT_INLINE uint64_t pt_size(unsigned level)
{
	return 1ull << pt_shift(level);
}

/* The bits of an address that lie inside one entry. */
PT_INLINE uint64_t pt_mask(unsigned level)
{
	return pt_size(level) - 1;
}

PT_INLINE unsigned pt_index(va_t va, unsigned level)
{
	return (va >> pt_shift(level)) & (PT_ENTRY_COUNT - 1);
}

/*
 * Where the entry that holds va ends, or `end` if that comes first: the step of every loop over
 * entries. Both may have wrapped to 0, which means 2^64; so ends are compared as last addresses.
 */
PT_INLINE va_t pt_addr_end(va_t va, va_t end, unsigned level)
{
	va_t boundary = (va | pt_mask(level)) + 1;

	return boundary - 1 < end - 1 ? boundary : end;
}

/* ---- Predicates on values. ---- */

/* The value as the walker sees it, for reports alone. */
PT_INLINE uint64_t ptv_raw(ptv_t v)
{
	return v.bits;
}

PT_INLINE bool ptv_bottom(ptv_t v)
{
	return v.level == 0;
}

PT_INLINE bool ptv_is_table(ptv_t v)
{
	return ptv_kind(v) == PT_TABLE;
}

PT_INLINE bool ptv_is_leaf(ptv_t v)
{
	return ptv_kind(v) == PT_LEAF;
}

PT_INLINE bool ptv_is_soft(ptv_t v)
{
	return ptv_kind(v) == PT_SOFT;
}

PT_INLINE bool ptv_is_bad(ptv_t v)
{
	return ptv_kind(v) == PT_BAD;
}

PT_INLINE bool ptv_is_huge(ptv_t v)
{
	return v.level > 0 && ptv_is_leaf(v);
}

/* Is it a leaf whose frames nobody counts? */
PT_INLINE bool ptv_is_devmap(ptv_t v)
{
	return ptv_is_leaf(v) && (ptv_attr(v) & PT_DEVMAP);
}

/* The page frame number of a leaf or a table. */
PT_INLINE uint64_t ptv_pfn(ptv_t v)
{
	return ptv_pa(v).value >> PT_PAGE_SHIFT;
}

/* The table that a table entry points to: one level down. */
PT_INLINE pt_t ptv_to_table(ptv_t v)
{
	return (pt_t){ ptv_pa(v), v.level - 1 };
}

/* ---- Entries of a table. ---- */

PT_INLINE ptp_t pt_entry(pt_t table, unsigned index)
{
	char *base = pt_host_ptr(table.pa);

	return (ptp_t){ base + ((size_t)index << PT_SLOT_SHIFT), table.level };
}

PT_INLINE ptp_t ptp_next(ptp_t p)
{
	return (ptp_t){ (char *)p.slot + (1 << PT_SLOT_SHIFT), p.level };
}

PT_INLINE ptp_t ptp_prev(ptp_t p)
{
	return (ptp_t){ (char *)p.slot - (1 << PT_SLOT_SHIFT), p.level };
}

PT_INLINE unsigned ptp_index(ptp_t p)
{
	return ((uintptr_t)p.slot & (PT_TABLE_BYTES - 1)) >> PT_SLOT_SHIFT;
}

PT_INLINE struct pt_meta *pt_meta(pt_t table)
{
	return pt_host_meta(pt_host_ptr(table.pa));
}

PT_INLINE struct pt_meta *ptp_meta(ptp_t p)
{
	return pt_host_meta((void *)((uintptr_t)p.slot & ~(PT_TABLE_BYTES - 1)));
}

/* Book a change of `delta` live entries, all with indices in [first, last]. */
PT_INLINE void pt_meta_add(struct pt_meta *meta, int delta, unsigned first, unsigned last)
{
	uint16_t live = __atomic_add_fetch(&meta->live, delta, __ATOMIC_RELAXED);
	uint64_t groups = (~0ull >> (63 - (last >> PT_GROUP_SHIFT))) &
			  (~0ull << (first >> PT_GROUP_SHIFT));

	if (delta > 0)
		__atomic_or_fetch(&meta->summary, groups, __ATOMIC_RELAXED);
	else if (live == 0)
		__atomic_store_n(&meta->summary, 0, __ATOMIC_RELAXED);
}

/* The first live entry with index in [index, stop], or anything above stop if there is none. */
PT_INLINE unsigned pt_next_live(pt_t table, unsigned index, unsigned stop)
{
	const unsigned group_mask = (1u << PT_GROUP_SHIFT) - 1;
	uint64_t summary = __atomic_load_n(&pt_meta(table)->summary, __ATOMIC_RELAXED);

	for (; index <= stop; index++) {
		if (!(index & group_mask) || !(summary >> (index >> PT_GROUP_SHIFT) & 1)) {
			summary = summary >> (index >> PT_GROUP_SHIFT) << (index >> PT_GROUP_SHIFT);
			if (!summary)
				return stop + 1;
			if (!(summary >> (index >> PT_GROUP_SHIFT) & 1))
				index = (unsigned)__builtin_ctzll(summary) << PT_GROUP_SHIFT;
			if (index > stop)
				break;
		}
		if (!ptv_none(ptp_get(pt_entry(table, index))))
			break;
	}
	return index;
}

/* Set an entry that was none, or clear one; alone, with its counts. For loops there is pt_walk.h. */
PT_INLINE ptv_t ptp_change(ptp_t p, ptv_t v)
{
	ptv_t old = ptp_exchange(p, v);
	int delta = (int)ptv_none(old) - (int)ptv_none(v);

	PT_ASSERT(p.level == v.level);
	if (delta)
		pt_meta_add(ptp_meta(p), delta, ptp_index(p), ptp_index(p));
	return old;
}

/* ---- Roots. ---- */

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
	va_t first, last;          /* addresses this root translates, both inclusive */
	struct pt_owner *owner;    /* who pays for its tables */
	pt_attr_t table_rights;    /* rights given to new tables: U on the user side, or not */
	unsigned leaf_level_max;   /* no leaf above this level, whatever the format offers */
	unsigned keep_level;       /* tables at this level and above stay even when empty */
};

/* Does [start, last] lie inside the root, and is it in order? */
PT_INLINE bool pt_root_covers(const struct pt_root *root, va_t start, va_t last)
{
	return start <= last && start >= root->first && last <= root->last;
}

/* The top table's entry for va: where walking down begins. */
PT_INLINE ptp_t pt_top(const struct pt_root *root, va_t va)
{
	return pt_entry(root->top, pt_index(va, root->top.level));
}

/*
 * Walk down one level: the entry for va in the table that `v`, the value of a table entry, points
 * to. Its level is v's less one.
 */
PT_INLINE ptp_t pt_walk(ptv_t v, va_t va)
{
	return pt_entry(ptv_to_table(v), pt_index(va, v.level - 1));
}

/* ---- Tables. ---- */

/*
 * Get a table that nobody sees yet: zeroed, its meta set, counted for its owner.
 * Returns its address in *table and 0, or -ENOMEM.
 */
static inline int pt_alloc(struct pt_owner *owner, unsigned level, pt_t *table)
{
	pa_t pa = pt_host_alloc(owner, level);

	if (pa_equal(pa, PA_NONE))
		return -ENOMEM;
	*table = (pt_t){ pa, level };
	*pt_meta(*table) = (struct pt_meta){ .level = (uint8_t)level };
	__atomic_add_fetch(&owner->table_count[level], 1, __ATOMIC_RELAXED);
	return 0;
}

/* Give a table back that no entry points to any more (batch: pt_host_free). */
static inline void pt_release(struct pt_owner *owner, pt_t table, struct pt_batch *batch)
{
	__atomic_sub_fetch(&owner->table_count[table.level], 1, __ATOMIC_RELAXED);
	pt_host_free(owner, table, batch);
}

/*
 * Make the none entry p a table entry.
 *
 * The table is complete before the compare-exchange publishes it, and x86 and every other walker we
 * have orders dependent loads, so a lock-free walker that follows the entry finds it zeroed.
 * Returns 0, also when somebody else was faster (the own table is given back): look again what
 * the entry is. -ENOMEM: the entry is as it was.
 */
static inline int pt_populate(const struct pt_root *root, ptp_t p)
{
	ptv_t expected = ptv_make_none(p.level);
	pt_t table;
	int err = pt_alloc(root->owner, p.level - 1, &table);

	if (err)
		return err;
	if (ptp_compare_exchange(p, &expected, ptv_make_table(table.pa, root->table_rights, p.level)))
		pt_meta_add(ptp_meta(p), 1, ptp_index(p), ptp_index(p));
	else
		pt_release(root->owner, table, NULL);
	return 0;
}

/*
 * Report a bad entry, with level, address and value, and make it none: what it pointed to is
 * unknown, so it is lost rather than followed.
 */
static inline void ptp_clear_bad(ptp_t p, va_t va)
{
	ptv_t v = ptp_change(p, ptv_make_none(p.level));

	(void)va, (void)v; /* a host may choose not to listen */
	PT_HOST_REPORT_BAD(p, va, v);
}

/* Is there nothing here? A bad entry is cleared and then counts as nothing. */
static inline bool ptp_none_or_clear_bad(ptp_t p, va_t va)
{
	ptv_t v = ptp_get(p);

	if (!ptv_is_bad(v))
		return ptv_none(v);
	ptp_clear_bad(p, va);
	return true;
}

/* Make every table on the way to va the root's own. 0 or what PT_HOST_EXCLUSIVE says. */
static inline int pt_make_exclusive(const struct pt_root *root, va_t va)
{
	ptp_t p = pt_top(root, va);
	int err = 0;

	while (!err && ptv_is_table(ptp_get(p))) {
		if (PT_HOST_SHARED(ptp_get(p)))
			err = PT_HOST_EXCLUSIVE(root, p);
		p = pt_walk(ptp_get(p), va);
	}
	return err;
}

/* Fill a table that nobody sees with leaves for the memory of the huge leaf v. */
static inline void pt_fill_split(pt_t table, ptv_t v)
{
	ptv_t part = ptv_make_leaf(ptv_pa(v), ptv_attr(v), table.level);
	ptp_t p = pt_entry(table, 0);

	for (unsigned i = 0; i < PT_ENTRY_COUNT; i++, p = ptp_next(p), part = ptv_leaf_next(part))
		ptp_set(p, part);
	*pt_meta(table) = (struct pt_meta){ .level = (uint8_t)table.level,
					    .live = PT_ENTRY_COUNT,
					    .summary = ~0ull >> (64 - (PT_ENTRY_COUNT >> PT_GROUP_SHIFT)) };
}

/*
 * Replace the huge leaf under p by a table of leaves that say the same.
 *
 * Every translation stays what it is; the flush of the operation that needs the split covers it.
 * Returns 0, -ENOMEM (nothing changed), or -EAGAIN if the entry is no longer a huge leaf.
 */
static inline int pt_split(const struct pt_root *root, ptp_t p)
{
	ptv_t v = ptp_get(p);
	pt_t table;
	int err = pt_alloc(root->owner, p.level - 1, &table);

	if (err)
		return err;
	while (ptv_is_huge(v)) {
		pt_fill_split(table, v);
		if (ptp_compare_exchange(p, &v, ptv_make_table(table.pa, root->table_rights, p.level))) {
			PT_HOST_SPLIT(v);
			return 0;
		}
	}
	pt_release(root->owner, table, NULL);
	return -EAGAIN;
}

#endif
