/*
 * The classic names over Ptolemy's API: pgd, p4d, pud, pmd and pte, so that code written a function
 * a level compiles unchanged in shape, at both depths, in one binary.
 *
 * A classic type is one entry in memory and carries its level in its name; here it becomes a ptp_t
 * or a ptv_t and goes through the format. As in the classic folding, the p4d is the pgd's only
 * entry where there are four levels - but that is asked when it runs.
 *
 * Locking and contracts: mm/pt/pt.h. Talks to: mm/pt.
 */
#pragma once

#include <bench/folded.h>
#include <mm/pagetable.h>

/* A leaf's attributes stand for the classic protection bits. */
typedef pt_attr_t pgprot_t;

#define pgd_folded (arch_mmu.top_level < 4)

#define PT_CLASSIC_LEVEL(t, level_)                                             \
	typedef struct {                                                        \
		uint64_t word;                                                  \
	} t##_t;                                                                \
	static inline ptp_t t##_ptp(t##_t *p)                                   \
	{                                                                       \
		return (ptp_t){ p, level_ };                                    \
	}                                                                       \
	static inline ptv_t t##_ptv(t##_t v)                                    \
	{                                                                       \
		return (ptv_t){ v.word, level_ };                               \
	}                                                                       \
	static inline t##_t t##_of(ptv_t v)                                     \
	{                                                                       \
		return (t##_t){ v.bits };                                       \
	}                                                                       \
	static inline uint64_t t##_val(t##_t v)                                 \
	{                                                                       \
		return ptv_raw(t##_ptv(v));                                     \
	}                                                                       \
	static inline bool t##_none(t##_t v)                                    \
	{                                                                       \
		return ptv_none(t##_ptv(v));                                    \
	}                                                                       \
	static inline bool t##_table(t##_t v)                                   \
	{                                                                       \
		return ptv_is_table(t##_ptv(v));                                \
	}                                                                       \
	static inline bool t##_leaf(t##_t v)                                    \
	{                                                                       \
		return ptv_present(t##_ptv(v)) && ptv_is_leaf(t##_ptv(v));      \
	}                                                                       \
	static inline bool t##_known(t##_t v)                                   \
	{                                                                       \
		return ptv_is_leaf(t##_ptv(v)) || ptv_is_soft(t##_ptv(v));      \
	}                                                                       \
	static inline bool t##_write(t##_t v)                                   \
	{                                                                       \
		return ptv_attr(t##_ptv(v)) & PT_W;                             \
	}                                                                       \
	static inline bool t##_same(t##_t a, t##_t b)                           \
	{                                                                       \
		return pa_equal(ptv_pa(t##_ptv(a)), ptv_pa(t##_ptv(b)));        \
	}                                                                       \
	static inline va_t t##_addr_end(va_t va, va_t end)                      \
	{                                                                       \
		return pt_addr_end(va, end, level_);                            \
	}                                                                       \
	static inline t##_t t##_get(t##_t *p)                                   \
	{                                                                       \
		return t##_of(ptp_get(t##_ptp(p)));                             \
	}                                                                       \
	static inline void set_##t(t##_t *p, t##_t v)                           \
	{                                                                       \
		ptp_set(t##_ptp(p), t##_ptv(v));                                \
	}                                                                       \
	static inline t##_t t##_get_and_clear(t##_t *p)                         \
	{                                                                       \
		return t##_of(ptp_exchange(t##_ptp(p), ptv_make_none(level_))); \
	}                                                                       \
	static inline t##_t mk_##t(pa_t pa, pgprot_t prot)                      \
	{                                                                       \
		return t##_of(ptv_make_leaf(pa, prot, level_));                 \
	}

PT_CLASSIC_LEVEL(pgd, 4)
PT_CLASSIC_LEVEL(p4d, 3)
PT_CLASSIC_LEVEL(pud, 2)
PT_CLASSIC_LEVEL(pmd, 1)
PT_CLASSIC_LEVEL(pte, 0)

/* The entry for va in the table that an entry of the level above, *p == v, points to. */
#define PT_CLASSIC_OFFSET(t, above)                                         \
	static inline t##_t *t##_offset(above##_t *p, above##_t v, va_t va) \
	{                                                                   \
		(void)p;                                                    \
		return pt_walk(above##_ptv(v), va).slot;                    \
	}

static inline pgd_t *pgd_offset(const struct pt_root *root, va_t va)
{
	return pt_top(root, va).slot;
}

static inline p4d_t *p4d_offset(pgd_t *pgd, pgd_t v, va_t va)
{
	return pgd_folded ? (p4d_t *)pgd : pt_walk(pgd_ptv(v), va).slot;
}
PT_CLASSIC_OFFSET(pud, p4d)
PT_CLASSIC_OFFSET(pmd, pud)
PT_CLASSIC_OFFSET(pte, pmd)

static inline pgprot_t folded_prot(pt_attr_t attr)
{
	return attr;
}

static inline pte_t pte_next(pte_t v)
{
	return pte_of(ptv_leaf_next(pte_ptv(v)));
}

static inline bool pte_devmap(pte_t v)
{
	return ptv_attr(pte_ptv(v)) & PT_DEVMAP;
}

static inline struct frame *pte_frame(pte_t v)
{
	return pa_to_frame(ptv_pa(pte_ptv(v)));
}

/* What the child keeps of a leaf: old, and without W if private, without D if shared. */
static inline uint64_t folded_keep(bool cow)
{
	return PT_ATTR_ALL & ~(PT_YOUNG | (cow ? PT_W : PT_DIRTY));
}

static inline pte_t pte_mask(pte_t v, uint64_t keep)
{
	ptv_t leaf = pte_ptv(v);

	return pte_of(ptv_make_leaf(ptv_pa(leaf), ptv_attr(leaf) & (pt_attr_t)keep, 0));
}

static inline pte_t pte_wrprotect(pte_t *p)
{
	ptv_t v = ptp_get(pte_ptp(p));

	while (!ptp_compare_exchange(pte_ptp(p), &v, ptv_write_protect(v)))
		;
	return pte_of(ptv_write_protect(v));
}

static inline void folded_prepare(void)
{
}
