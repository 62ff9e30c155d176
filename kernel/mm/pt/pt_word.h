/*
 * Entry access for formats whose entries are words in memory, stored as they are: 64-bit ones,
 * unless the format has defined PT_WORD and PT_SLOT_SHIFT.
 * Part of such a format: nothing else may include it. Locking: see pt_format.h.
 */
#ifndef PT_WORD_H
#define PT_WORD_H

#ifndef PT_WORD
#define PT_WORD uint64_t
#define PT_SLOT_SHIFT 3
#endif
_Static_assert(sizeof(PT_WORD) == 1 << PT_SLOT_SHIFT, "an entry is a word");

/* Walking relies on loads that depend on each other being ordered, as all our walkers' CPUs order
 * them (pt_populate). The thread sanitizer knows of no such order. */
#ifdef __SANITIZE_THREAD__
#define PT_LOAD_ORDER __ATOMIC_ACQUIRE
#else
#define PT_LOAD_ORDER __ATOMIC_RELAXED
#endif

#ifndef PT_WORD_POINT /* around each change: where a test may let somebody else go on */
#define PT_WORD_POINT() ((void)0)
#endif

PT_EXPR(ptv_t, ptp_get, (ptp_t p),
	(ptv_t){ __atomic_load_n((PT_WORD *)p.slot, PT_LOAD_ORDER), p.level })

static inline void ptp_set(ptp_t p, ptv_t v)
{
	PT_WORD_POINT();
	__atomic_store_n((PT_WORD *)p.slot, (PT_WORD)v.bits, __ATOMIC_RELEASE);
	PT_WORD_POINT();
}

static inline ptv_t ptp_exchange(ptp_t p, ptv_t v)
{
	PT_WORD_POINT();
	v.bits = __atomic_exchange_n((PT_WORD *)p.slot, (PT_WORD)v.bits, __ATOMIC_ACQ_REL);
	PT_WORD_POINT();
	return v;
}

static inline bool ptp_compare_exchange(ptp_t p, ptv_t *expected, ptv_t v)
{
	PT_WORD found = (PT_WORD)expected->bits; /* a variable of its own can stay in a register */
	bool done;

	PT_WORD_POINT();
	done = __atomic_compare_exchange_n((PT_WORD *)p.slot, &found, (PT_WORD)v.bits, false,
					   __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
	PT_WORD_POINT();
	expected->bits = found;
	return done;
}

/* The same, but nothing that was stored before need be seen before it. For a test of who minds. */
static inline bool ptp_compare_exchange_unordered(ptp_t p, ptv_t *expected, ptv_t v)
{
	PT_WORD found = (PT_WORD)expected->bits;
	bool done = __atomic_compare_exchange_n((PT_WORD *)p.slot, &found, (PT_WORD)v.bits, false,
						__ATOMIC_RELAXED, __ATOMIC_RELAXED);

	expected->bits = found;
	return done;
}

#endif
