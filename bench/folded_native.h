/*
 * The classic types over the CPU's entries, by hand: FOLDED_LEVELS, 4 or 5, is known to the
 * compiler. With 4 the p4d is the pgd's only entry, as ever.
 *
 * Included by folded_native*.c alone. Talks to: arch/pt_format.h for the names of the bits.
 */
#include <bench/folded.h>

typedef uint64_t pgprot_t;

#define FOLDED_SHIFT(level) (PAGE_SHIFT + 9 * (level))
#define FOLDED_SIZE(level) (1ull << FOLDED_SHIFT(level))

/* Bits of a table entry, of a leaf, of which only P may be set (and PS in a huge leaf). */
static uint64_t table_mask, leaf_mask[3];

static inline void folded_prepare(void)
{
	if (table_mask)
		return;
	table_mask = arch_mmu.pt.table_test;
	for (unsigned level = 0; level < 3; level++)
		leaf_mask[level] = arch_mmu.pt.leaf_test[level] | X86_P;
}

/* What every level has. */
#define FOLDED_LEVEL(t, level_)                                                          \
	typedef struct {                                                                 \
		uint64_t word;                                                           \
	} t##_t;                                                                         \
	static inline uint64_t t##_val(t##_t v)                                          \
	{                                                                                \
		return v.word;                                                           \
	}                                                                                \
	static inline ptv_t t##_ptv(t##_t v)                                             \
	{                                                                                \
		return (ptv_t){ v.word, level_ };                                        \
	}                                                                                \
	static inline bool t##_none(t##_t v)                                             \
	{                                                                                \
		return !v.word;                                                          \
	}                                                                                \
	static inline bool t##_table(t##_t v)                                            \
	{                                                                                \
		return (v.word & table_mask) == X86_P;                                   \
	}                                                                                \
	static inline bool t##_write(t##_t v)                                            \
	{                                                                                \
		return v.word & X86_W;                                                   \
	}                                                                                \
	static inline bool t##_same(t##_t a, t##_t b)                                    \
	{                                                                                \
		return !((a.word ^ b.word) & X86_PA);                                    \
	}                                                                                \
	static inline va_t t##_addr_end(va_t va, va_t end)                               \
	{                                                                                \
		va_t boundary = (va + FOLDED_SIZE(level_)) & ~(FOLDED_SIZE(level_) - 1); \
		return boundary - 1 < end - 1 ? boundary : end;                          \
	}                                                                                \
	static inline ptp_t t##_ptp(t##_t *p)                                            \
	{                                                                                \
		return (ptp_t){ p, level_ };                                             \
	}                                                                                \
	static inline void set_##t(t##_t *p, t##_t v)                                    \
	{                                                                                \
		__atomic_store_n(&p->word, v.word, __ATOMIC_RELEASE);                    \
	}                                                                                \
	static inline t##_t t##_get_and_clear(t##_t *p)                                  \
	{                                                                                \
		return (t##_t){ __atomic_exchange_n(&p->word, 0, __ATOMIC_ACQ_REL) };    \
	}                                                                                \
	static inline t##_t t##_get(t##_t *p)                                            \
	{                                                                                \
		return (t##_t){ __atomic_load_n(&p->word, __ATOMIC_RELAXED) };           \
	}

FOLDED_LEVEL(pgd, 4)
FOLDED_LEVEL(p4d, 3)
FOLDED_LEVEL(pud, 2)
FOLDED_LEVEL(pmd, 1)
FOLDED_LEVEL(pte, 0)

/* The entry for va in the table that an entry of the level above, *p == v, points to. */
#define FOLDED_OFFSET(t, above, level_)                                     \
	static inline t##_t *t##_offset(above##_t *p, above##_t v, va_t va) \
	{                                                                   \
		t##_t *table = pa_to_ptr(PA(v.word & X86_PA));              \
		(void)p;                                                    \
		return table + ((va >> FOLDED_SHIFT(level_)) & 511);        \
	}

#if FOLDED_LEVELS == 5
#define pgd_folded false
FOLDED_OFFSET(p4d, pgd, 3)
#else
#define pgd_folded true
static inline p4d_t *p4d_offset(pgd_t *pgd, pgd_t v, va_t va)
{
	(void)v, (void)va;
	return (p4d_t *)pgd;
}
#endif
FOLDED_OFFSET(pud, p4d, 2)
FOLDED_OFFSET(pmd, pud, 1)
FOLDED_OFFSET(pte, pmd, 0)

static inline pgd_t *pgd_offset(const struct pt_root *root, va_t va)
{
	pgd_t *table = pa_to_ptr(root->top.pa);

	return table + ((va >> FOLDED_SHIFT(FOLDED_LEVELS - 1)) & 511);
}

/* ---- Leaves. ---- */

static inline pgprot_t folded_prot(pt_attr_t attr)
{
	return ptv_make_leaf(PA(0), attr, 0).bits;
}

static inline pte_t mk_pte(pa_t pa, pgprot_t prot)
{
	return (pte_t){ pa.value | prot };
}

static inline pmd_t mk_pmd(pa_t pa, pgprot_t prot)
{
	return (pmd_t){ pa.value | prot | X86_PS };
}

static inline pud_t mk_pud(pa_t pa, pgprot_t prot)
{
	return (pud_t){ pa.value | prot | X86_PS };
}

static inline pte_t pte_next(pte_t pte)
{
	return (pte_t){ pte.word + PAGE_SIZE };
}

static inline bool pte_leaf(pte_t v)
{
	return (v.word & leaf_mask[0]) == X86_P;
}

static inline bool pmd_leaf(pmd_t v)
{
	return (v.word & leaf_mask[1]) == (X86_P | X86_PS);
}

static inline bool pud_leaf(pud_t v)
{
	return (v.word & leaf_mask[2]) == (X86_P | X86_PS);
}

/* Neither none nor table nor bad: a leaf, hidden or not, or a soft entry. */
static inline bool pmd_known(pmd_t v)
{
	return pmd_leaf(v) || ptv_is_leaf(pmd_ptv(v)) || ptv_is_soft(pmd_ptv(v));
}

static inline bool pud_known(pud_t v)
{
	return pud_leaf(v) || ptv_is_leaf(pud_ptv(v)) || ptv_is_soft(pud_ptv(v));
}

static inline bool pte_devmap(pte_t v)
{
	return v.word & X86_DEVMAP;
}

static inline struct frame *pte_frame(pte_t v)
{
	return pa_to_frame(PA(v.word & X86_PA));
}

static inline pte_t pte_mask(pte_t v, uint64_t keep)
{
	return (pte_t){ v.word & keep };
}

/* What the child keeps of a leaf: old, and without W if private, without D if shared. */
static inline uint64_t folded_keep(bool cow)
{
	return ~(X86_A | (cow ? X86_W : X86_D));
}

static inline pte_t pte_wrprotect(pte_t *p)
{
	return (pte_t){ __atomic_and_fetch(&p->word, ~X86_W, __ATOMIC_ACQ_REL) };
}
