/*
 * Entry access for formats whose entries are words in memory, stored as they are: 64-bit ones,
 * unless the format has defined PT_WORD and PT_SLOT_SHIFT.
 * Part of such a format: nothing else may include it. Locking: see pt_format.h.
 */
#pragma once

#ifndef PT_WORD
#define PT_WORD uint64_t
#define PT_SLOT_SHIFT 3
#endif
_Static_assert(sizeof(PT_WORD) == 1 << PT_SLOT_SHIFT, "an entry is a word");

#ifndef PT_WORD_POINT /* around each change: where a test may let somebody else go on */
#define PT_WORD_POINT() ((void)0)
#endif

/* With acquire order: who follows the entry to a table finds that filled (pt_populate). */
PT_EXPR(ptv_t, ptp_get, (ptp_t p),
	(ptv_t){ __atomic_load_n((PT_WORD *)p.slot, __ATOMIC_ACQUIRE), p.level })

PT_EXPR(void, ptp_set, (ptp_t p, ptv_t v), PT_WORD_POINT(),
	__atomic_store_n((PT_WORD *)p.slot, (PT_WORD)v.bits, __ATOMIC_RELEASE), PT_WORD_POINT())

PT_EXPR(ptv_t, ptp_exchange, (ptp_t p, ptv_t v), PT_WORD_POINT(),
	v.bits = __atomic_exchange_n((PT_WORD *)p.slot, (PT_WORD)v.bits, __ATOMIC_ACQ_REL),
	PT_WORD_POINT(), v)

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
