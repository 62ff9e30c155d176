/*
 * The page-table API: one format, any depth.
 *
 * The including file names the format and, if it likes, a host header:
 *
 *   #define PT_FORMAT_HEADER <arch/pt_format.h>
 *   #include <mm/pt/pt.h>
 *
 * Geometry, predicates, entries, walking down, roots and tables are here; pt_iter.h is the walker
 * that visits ranges, pt_ops.h what is ready-made over it. What is small is inline; the rest is
 * compiled once a format (pt_ops.c).
 *
 * Locking: readers may run beside anything, if the host frees tables only when no reader can hold
 * them. Whoever changes entries of a range must be alone with it, except that pt_populate may race
 * with itself; counts of one table are exact only if changes in it come one after the other.
 */
#pragma once

#include "pt_types.h"

#include PT_FORMAT_HEADER
#include "pt_format.h"
#ifndef PT_HOST_HEADER
#define PT_HOST_HEADER "pt_host.h"
#endif
#include PT_HOST_HEADER

/*
 * What a host may want to know or decide; it defines all of it, and PT_HOST_HOOKS, or none.
 *
 * A bad entry was found. A leaf was split: its frames are counted a level lower from here on. A
 * table is published (by ptp_compare_exchange), is to be kept from being reused, or no more; is it
 * out of the tree? Does a table entry lead to a table that others may see, too; and make it the
 * root's own before anything below changes (0 or -errno; nothing half done).
 */
#ifndef PT_HOST_HOOKS
#define PT_ASSERT(cond) ((cond) ? (void)0 : __builtin_trap())
#define PT_HOST_REPORT_BAD(p, va, v) ((void)(p), (void)(va), (void)(v))
#define PT_HOST_SPLIT(v) ((void)0)
#define PT_HOST_LINK ptp_compare_exchange
#define PT_HOST_HOLD(table) ((void)(table))
#define PT_HOST_DROP(table) ((void)(table))
#define PT_HOST_DEAD(table) ((void)(table), false)
#define PT_HOST_SHARED(v) false
#define PT_HOST_EXCLUSIVE(root, p) 0
#endif
#ifndef PT_API /* for what is not inline: see pt_ops.h */
#define PT_API
#endif
#ifndef PT_TOP_MIN /* a format may know that no root is less deep */
#define PT_TOP_MIN 0
#endif

/* ---- Geometry: everything follows from the format's four constants. ---- */

#define PT_ENTRY_COUNT (1u << PT_TABLE_BITS)
#define PT_TABLE_BYTES ((size_t)PT_ENTRY_COUNT << PT_SLOT_SHIFT)
#define PT_GROUP_SHIFT (PT_TABLE_BITS > 6 ? PT_TABLE_BITS - 6 : 0)

_Static_assert(PT_LEVEL_COUNT > PT_TOP_MIN && PT_LEVEL_COUNT <= PT_LEVEL_MAX, "levels");
_Static_assert(PT_PAGE_SHIFT + PT_LEVEL_COUNT * PT_TABLE_BITS < 64, "shifts stay below 64");

/* log2 of what an entry of a level covers, the same in bytes, and an address's part in it. */
PT_EXPR(unsigned, pt_shift, (unsigned level), PT_PAGE_SHIFT + level * PT_TABLE_BITS)
PT_EXPR(uint64_t, pt_size, (unsigned level), 1ull << pt_shift(level))
PT_EXPR(uint64_t, pt_mask, (unsigned level), pt_size(level) - 1)
/* Which entry of a table at the level holds va. */
PT_EXPR(unsigned, pt_index, (va_t va, unsigned level),
	(va >> pt_shift(level)) & (PT_ENTRY_COUNT - 1))

/*
 * Where the entry that holds va ends, or `end` if that comes first: the step of every loop over
 * entries. Both may have wrapped to 0, which means 2^64; so ends are compared as last addresses.
 */
PT_EXPR(va_t, pt_addr_end, (va_t va, va_t end, unsigned level),
	(va | pt_mask(level)) < end - 1 ? (va | pt_mask(level)) + 1 : end)

/* The lowest level of which one table holds [va, last]. */
PT_EXPR(unsigned, pt_cover_level, (va_t va, va_t last),
	(63 - (unsigned)__builtin_clzll((va ^ last) | pt_size(0)) - PT_PAGE_SHIFT) / PT_TABLE_BITS)

/* Of how many entries of a table, which holds it, [va, last] is made: none if of a part of one. */
PT_EXPR(unsigned, pt_whole_entries, (pt_t table, va_t va, va_t last),
	table.level > 0 && ((va | ~(last - va)) & pt_mask(table.level))
		? 0
		: (unsigned)((last - va) >> pt_shift(table.level)) + 1)

/* ---- Values; ptv_none, ptv_is_table and ptv_present are the format's own. ---- */

PT_EXPR(bool, ptv_is_leaf, (ptv_t v), ptv_kind(v) == PT_LEAF)
PT_EXPR(bool, ptv_is_soft, (ptv_t v), ptv_kind(v) == PT_SOFT)
PT_EXPR(bool, ptv_is_bad, (ptv_t v), ptv_kind(v) == PT_BAD)
PT_EXPR(bool, ptv_is_huge, (ptv_t v), v.level > 0 && ptv_is_leaf(v))
PT_EXPR(bool, ptv_bottom, (ptv_t v), v.level == 0)
/* Is it a leaf whose frames nobody counts? */
PT_EXPR(bool, ptv_is_devmap, (ptv_t v), ptv_is_leaf(v) && (ptv_attr(v) & PT_DEVMAP))

/* The leaf with the attributes (old & ~clear) | set. */
PT_EXPR(ptv_t, ptv_leaf_change, (ptv_t v, pt_attr_t clear, pt_attr_t set),
	ptv_change(v, pt_change_make(clear, set)))

/* The value as the walker sees it, for reports and comparisons alone. */
PT_EXPR(uint64_t, ptv_raw, (ptv_t v), v.bits)
/* The page frame number of a leaf or a table. */
PT_EXPR(uint64_t, ptv_pfn, (ptv_t v), ptv_pa(v).value >> PT_PAGE_SHIFT)
/* The table that a table entry points to: one level down. */
PT_EXPR(pt_t, ptv_to_table, (ptv_t v), (pt_t){ ptv_pa(v), v.level - 1 })

/* ---- Entries of a table. ---- */

PT_EXPR(ptp_t, pt_entry, (pt_t table, unsigned index),
	(ptp_t){ (char *)pt_host_ptr(table.pa) + ((size_t)index << PT_SLOT_SHIFT), table.level })
PT_EXPR(ptp_t, ptp_step, (ptp_t p, int count),
	(ptp_t){ (char *)p.slot + count * (ptrdiff_t)(1 << PT_SLOT_SHIFT), p.level })
PT_EXPR(ptp_t, ptp_next, (ptp_t p), ptp_step(p, 1))
PT_EXPR(ptp_t, ptp_prev, (ptp_t p), ptp_step(p, -1))
PT_EXPR(ptp_t, ptp_first, (ptp_t p),
	(ptp_t){ (void *)((uintptr_t)p.slot & ~(PT_TABLE_BYTES - 1)), p.level })
/* The same entry, if it is in a bottom table: what the level decides is decided then. */
PT_EXPR(ptp_t, ptp_bottom, (ptp_t p), (ptp_t){ p.slot, 0 })
PT_EXPR(unsigned, ptp_index, (ptp_t p), ((uintptr_t)p.slot & (PT_TABLE_BYTES - 1)) >> PT_SLOT_SHIFT)

PT_EXPR(struct pt_meta *, pt_meta, (pt_t table), pt_host_meta(pt_host_ptr(table.pa)))
PT_EXPR(struct pt_meta *, ptp_meta, (ptp_t p), pt_host_meta(ptp_first(p).slot))
PT_EXPR(bool, pt_is_empty, (pt_t table), !__atomic_load_n(&pt_meta(table)->live, __ATOMIC_RELAXED))

/* Book a change of `delta` live entries, all with indices in [first, last]. */
PT_INLINE void pt_meta_add(struct pt_meta *meta, int delta, unsigned first, unsigned last)
{
	uint64_t groups = (2ull << (last >> PT_GROUP_SHIFT)) - (1ull << (first >> PT_GROUP_SHIFT));

	if (delta > 0) {
		__atomic_add_fetch(&meta->live, delta, __ATOMIC_RELAXED);
		__atomic_or_fetch(&meta->summary, groups, __ATOMIC_RELAXED);
	} else if (!__atomic_add_fetch(&meta->live, delta, __ATOMIC_RELAXED)) {
		__atomic_store_n(&meta->summary, 0, __ATOMIC_RELAXED);
	}
}

/* From `index` on, the first live entry; PT_ENTRY_COUNT if there is none. */
PT_API unsigned pt_next_live(pt_t table, unsigned index);

/* Change one entry alone, with the counts. For loops there is pt_iter.h. Returns the old value. */
PT_INLINE ptv_t ptp_change(ptp_t p, ptv_t v)
{
	ptv_t old = ptp_exchange(p, v);
	int delta = (int)ptv_none(old) - (int)ptv_none(v);

	PT_ASSERT(p.level == v.level);
	if (delta)
		pt_meta_add(ptp_meta(p), delta, ptp_index(p), ptp_index(p));
	return old;
}

/* ---- Roots, and walking down. ---- */

/* Does [start, last] lie inside the root, and is it in order? */
PT_EXPR(bool, pt_root_covers, (const struct pt_root *root, va_t start, va_t last),
	start <= last && start >= root->first && last <= root->last)
/* 0 for a range of whole pages inside the root, or -EINVAL or -ERANGE. */
PT_EXPR(int, pt_root_check, (const struct pt_root *root, va_t start, va_t end),
	((start | end) & pt_mask(0)) || start == end ? -EINVAL
	: pt_root_covers(root, start, end - 1)       ? 0
						     : -ERANGE)
/* The top table's entry for va: where walking down begins. */
PT_EXPR(ptp_t, pt_top, (const struct pt_root *root, va_t va),
	pt_entry(root->top, pt_index(va, root->top.level)))
/*
 * Walk down one level: the entry for va in the table that `v`, the value of a table entry, points
 * to. Its level is v's less one.
 */
PT_EXPR(ptp_t, pt_walk, (ptv_t v, va_t va), pt_entry(ptv_to_table(v), pt_index(va, v.level - 1)))

/* The lowest entry for va, and its value. Lock-free. */
PT_API ptp_t pt_find(const struct pt_root *root, va_t va, ptv_t *v);

/* Where a walk down has come through, and where it has ended. */
struct pt_way {
	/* First, as gcc aligns a stack anew for a struct that begins with two words of a struct. */
	ptp_t p[PT_LEVEL_MAX]; /* the entries for the address, by level, from the table's up */
	pt_t table;            /* the lowest */
	ptv_t v;               /* of the entry for the address in it */
	int err;               /* if a table could not be made */
};

/* Walk down to level `stop`, or as far as there are tables of the root's own: at most to the entry
 * that leads to a shared one. Returns the lowest table. */
PT_API pt_t pt_descend(const struct pt_root *root, va_t va, unsigned stop, struct pt_way *way);

/* The same, and make the tables that are missing. 0, also if something else is in the way, or
 * -ENOMEM. */
PT_API int pt_descend_make(const struct pt_root *root, va_t va, unsigned stop, struct pt_way *way);

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
 * Report a bad entry, with level, address and value, and make it none: what it pointed to is
 * unknown, so it is lost rather than followed. The table is counted anew.
 */
PT_API void ptp_clear_bad(ptp_t p, va_t va);

/* Is there nothing here? A bad entry is cleared and then counts as nothing. */
PT_EXPR(bool, ptp_none_or_clear_bad, (ptp_t p, va_t va),
	ptv_is_bad(ptp_get(p)) ? (ptp_clear_bad(p, va), true) : ptv_none(ptp_get(p)))

/*
 * Make the entry p, which is v, a table that says the same: nothing, or the pieces of a huge leaf
 * or soft entry, the data of which counts up by pages.
 *
 * The table is complete before the compare-exchange publishes it, and x86 and every other walker we
 * have orders dependent loads, so a lock-free walker that follows the entry finds it filled. Every
 * translation stays what it is; the flush of the operation that needs a split covers it.
 * Returns 0, also when somebody else was faster (the own table is given back): look again what
 * the entry is. -ENOMEM: the entry is as it was.
 */
PT_API int pt_split(const struct pt_root *root, ptp_t p, ptv_t v);

/* The same for an entry that should be none. */
PT_EXPR(int, pt_populate, (const struct pt_root *root, ptp_t p),
	pt_split(root, p, ptv_make_none(p.level)))
