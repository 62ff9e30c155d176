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
 * hold them. Whoever changes entries of a range must be alone with it, except that pt_populate may
 * race with itself.
 */
#ifndef PT_PT_H
#define PT_PT_H

#include "pt_meta.h"
#include "pt_root.h"
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

_Static_assert(PT_LEVEL_COUNT >= 1 && PT_LEVEL_COUNT <= PT_LEVEL_MAX,
	       "pt_walk.h has a body for six levels");
_Static_assert(PT_PAGE_SHIFT + (PT_LEVEL_COUNT - 1) * PT_TABLE_BITS < 64,
	       "top entries are wider than 2^64");

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

/* ---- Predicates on values; ptv_none, ptv_is_table and ptv_present are the format's own. ---- */

#define PT_PREDICATE(name, condition) \
	PT_INLINE bool name(ptv_t v)  \
	{                             \
		return condition;     \
	}

PT_PREDICATE(ptv_is_leaf, ptv_kind(v) == PT_LEAF)
PT_PREDICATE(ptv_is_soft, ptv_kind(v) == PT_SOFT)
PT_PREDICATE(ptv_is_bad, ptv_kind(v) == PT_BAD)
PT_PREDICATE(ptv_is_huge, v.level > 0 && ptv_is_leaf(v))
PT_PREDICATE(ptv_is_devmap, ptv_is_leaf(v) && (ptv_attr(v) & PT_DEVMAP)) /* frames nobody counts */
PT_PREDICATE(ptv_bottom, v.level == 0)

/* The value as the walker sees it, for reports and comparisons alone. */
PT_INLINE uint64_t ptv_raw(ptv_t v)
{
	return v.bits;
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

/* The entry `count` further on in the same table. */
PT_INLINE ptp_t ptp_step(ptp_t p, int count)
{
	return (ptp_t){ (char *)p.slot + count * (ptrdiff_t)(1 << PT_SLOT_SHIFT), p.level };
}

PT_INLINE ptp_t ptp_next(ptp_t p)
{
	return ptp_step(p, 1);
}

PT_INLINE ptp_t ptp_prev(ptp_t p)
{
	return ptp_step(p, -1);
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

/*
 * Book a change of `delta` live entries, all with indices in [first, last]. Returns how many the
 * table has left.
 */
PT_INLINE unsigned pt_meta_add(struct pt_meta *meta, int delta, unsigned first, unsigned last)
{
	uint16_t live = __atomic_add_fetch(&meta->live, delta, __ATOMIC_RELAXED);
	uint64_t groups = (~0ull >> (63 - (last >> PT_GROUP_SHIFT))) &
			  (~0ull << (first >> PT_GROUP_SHIFT));

	if (delta > 0)
		__atomic_or_fetch(&meta->summary, groups, __ATOMIC_RELAXED);
	else if (live == 0)
		__atomic_store_n(&meta->summary, 0, __ATOMIC_RELAXED);
	return live;
}

/* Go on from `index` to the first entry whose group has live ones; PT_ENTRY_COUNT if none has. */
PT_INLINE unsigned pt_skip(uint64_t summary, unsigned index)
{
	uint64_t ahead = index < PT_ENTRY_COUNT ? summary >> (index >> PT_GROUP_SHIFT) : 0;

	if (ahead & 1)
		return index;
	return ahead ? ((index >> PT_GROUP_SHIFT) + (unsigned)__builtin_ctzll(ahead))
			       << PT_GROUP_SHIFT
		     : PT_ENTRY_COUNT;
}

/* The first live entry at or after `index`, or PT_ENTRY_COUNT. */
PT_INLINE unsigned pt_next_live(pt_t table, unsigned index)
{
	uint64_t summary = __atomic_load_n(&pt_meta(table)->summary, __ATOMIC_RELAXED);

	for (index = pt_skip(summary, index); index < PT_ENTRY_COUNT;
	     index = pt_skip(summary, index))
		do {
			if (!ptv_none(ptp_get(pt_entry(table, index))))
				return index;
		} while (++index & ((1u << PT_GROUP_SHIFT) - 1));
	return index;
}

/* Count a table's entries anew, when something was in it that nobody may have counted. */
static inline void pt_recount(ptp_t p)
{
	struct pt_meta *meta = ptp_meta(p);
	unsigned live = 0;

	meta->summary = 0;
	p.slot = (void *)((uintptr_t)p.slot & ~(PT_TABLE_BYTES - 1));
	for (unsigned i = 0; i < PT_ENTRY_COUNT; i++, p = ptp_next(p)) {
		if (ptv_none(ptp_get(p)))
			continue;
		live++;
		meta->summary |= 1ull << (i >> PT_GROUP_SHIFT);
	}
	meta->live = (uint16_t)live;
}

/* Set an entry that was none, or clear one; alone, with its counts. For loops there is pt_walk.h.
 * */
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

#define PT_RIGHTS (PT_RWX | PT_U)

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

/*
 * Walk down to the entry for va at level `stop`, or as far as there are tables: the entry where it
 * ended, and its value in *v. One body a level; the root's level says where it begins.
 *
 * With `change` it ends above a shared table, too.
 * *rights (may be NULL) loses what the tables passed do not leave to those below.
 */
PT_INLINE ptp_t pt_descend(const struct pt_root *root, va_t va, unsigned stop, bool change,
			   ptv_t *v, pt_attr_t *rights)
{
	pa_t table = root->top.pa;
	ptp_t p;

#define PT_DESCEND(n)                                                                         \
	case n:                                                                               \
		if (n < PT_LEVEL_COUNT) {                                                     \
			p = pt_entry((pt_t){ table, n }, pt_index(va, n));                    \
			*v = ptp_get(p);                                                      \
			if (n == stop || !ptv_is_table(*v) || (change && PT_HOST_SHARED(*v))) \
				return p;                                                     \
			if (rights)                                                           \
				*rights &= ptv_attr(*v);                                      \
			table = ptv_pa(*v);                                                   \
		}                                                                             \
		__attribute__((fallthrough));

	switch (root->top.level) {
		PT_DESCEND(5)
		PT_DESCEND(4)
		PT_DESCEND(3)
		PT_DESCEND(2)
		PT_DESCEND(1)
	default:
		p = pt_entry((pt_t){ table, 0 }, pt_index(va, 0));
		*v = ptp_get(p);
		return p;
	}
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
	if (ptp_compare_exchange(p, &expected,
				 ptv_make_table(table.pa, root->table_rights, p.level)))
		pt_meta_add(ptp_meta(p), 1, ptp_index(p), ptp_index(p));
	else
		pt_release(root->owner, table, NULL);
	return 0;
}

/*
 * Report a bad entry, with level, address and value, and make it none: what it pointed to is
 * unknown, so it is lost rather than followed. The table is counted anew.
 */
static inline void ptp_clear_bad(ptp_t p, va_t va)
{
	ptv_t v = ptp_exchange(p, ptv_make_none(p.level));

	(void)va, (void)v; /* a host may choose not to listen */
	pt_recount(p);
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

/*
 * Walk down for a change: as pt_descend to level 0, with all tables on the way the root's own.
 * 0 or what PT_HOST_EXCLUSIVE says.
 */
static inline int pt_reach(const struct pt_root *root, va_t va, ptp_t *p, ptv_t *v)
{
	int err = 0;

	for (*p = pt_descend(root, va, 0, true, v, NULL); ptv_is_table(*v) && !err;
	     *p = pt_descend(root, va, 0, true, v, NULL))
		err = PT_HOST_EXCLUSIVE(root, *p);
	return err;
}

/* Fill a table that nobody sees with what the huge leaf or soft entry v says, piece by piece. */
static inline void pt_fill_split(pt_t table, ptv_t v)
{
	const bool leaf = ptv_is_leaf(v);
	ptv_t part = leaf ? ptv_make_leaf(ptv_pa(v), ptv_attr(v), table.level) : v;
	uint64_t data = leaf ? 0 : ptv_soft_data(v);
	ptp_t p = pt_entry(table, 0);

	for (unsigned i = 0; i < PT_ENTRY_COUNT; i++, p = ptp_next(p)) {
		ptp_set(p, leaf ? part : ptv_make_soft(data, table.level));
		part = leaf ? ptv_leaf_next(part) : v;
		data += pt_size(table.level) >> PT_PAGE_SHIFT;
	}
	pt_recount(pt_entry(table, 0));
}

/*
 * Replace the huge leaf under p by a table of leaves that say the same. A huge soft entry becomes
 * soft entries whose data counts up by pages.
 *
 * Every translation stays what it is; the flush of the operation that needs the split covers it.
 * Returns 0, -ENOMEM (nothing changed), or -EAGAIN if the entry is neither any more.
 */
static inline int pt_split(const struct pt_root *root, ptp_t p)
{
	ptv_t v = ptp_get(p);
	pt_t table;
	int err = pt_alloc(root->owner, p.level - 1, &table);

	if (err)
		return err;
	while (ptv_is_leaf(v) || ptv_is_soft(v)) {
		pt_fill_split(table, v);
		if (ptp_compare_exchange(p, &v,
					 ptv_make_table(table.pa, root->table_rights, p.level))) {
			if (ptv_is_leaf(v))
				PT_HOST_SPLIT(v);
			return 0;
		}
	}
	pt_release(root->owner, table, NULL);
	return -EAGAIN;
}

#endif
