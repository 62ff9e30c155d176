/*
 * Entry access for formats whose entries are 64-bit words in memory, stored as they are.
 * Part of such a format: nothing else may include it. Locking: see pt_format.h.
 */
#ifndef PT_WORD_H
#define PT_WORD_H

#define PT_SLOT_SHIFT 3

/* Walking relies on loads that depend on each other being ordered, as all our walkers' CPUs order
 * them (pt_populate). The thread sanitizer knows of no such order. */
#ifdef __SANITIZE_THREAD__
#define PT_LOAD_ORDER __ATOMIC_ACQUIRE
#else
#define PT_LOAD_ORDER __ATOMIC_RELAXED
#endif

PT_EXPR(ptv_t, ptp_get, (ptp_t p),
	(ptv_t){ __atomic_load_n((uint64_t *)p.slot, PT_LOAD_ORDER), p.level })

static inline void ptp_set(ptp_t p, ptv_t v)
{
	__atomic_store_n((uint64_t *)p.slot, v.bits, __ATOMIC_RELEASE);
}

static inline ptv_t ptp_exchange(ptp_t p, ptv_t v)
{
	v.bits = __atomic_exchange_n((uint64_t *)p.slot, v.bits, __ATOMIC_ACQ_REL);
	return v;
}

static inline bool ptp_all_none(ptp_t p, unsigned count)
{
	const uint64_t *slot = p.slot;
	uint64_t any = *slot;

	PT_UNROLL
	while (--count > 0)
		any |= *++slot;
	return any == 0;
}

static inline bool ptp_compare_exchange(ptp_t p, ptv_t *expected, ptv_t v)
{
	uint64_t found = expected->bits; /* a variable of its own can stay in a register */
	bool done = __atomic_compare_exchange_n((uint64_t *)p.slot, &found, v.bits, false,
						__ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);

	expected->bits = found;
	return done;
}

#endif
