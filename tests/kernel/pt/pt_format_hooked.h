/*
 * A format under observation: PT_TEST_FORMAT, with every access to an entry seen by the test's
 * host.
 *
 * The format's own accesses are called raw_ptp_*; those that the library calls check that the
 * entry lies in a table of that level which is not free, count, and give the test a chance to do
 * what the other side - a hardware walker, another CPU - might do right before.
 */
#pragma once

#define ptp_get raw_ptp_get
#define ptp_set raw_ptp_set
#define ptp_exchange raw_ptp_exchange
#define ptp_compare_exchange raw_ptp_compare_exchange
#include PT_TEST_FORMAT
#undef ptp_get
#undef ptp_set
#undef ptp_exchange
#undef ptp_compare_exchange

static struct pt_hooks {
	uint64_t get_count;             /* reads so far */
	void (*before_change)(ptp_t p); /* an exchange or compare-exchange of p comes next */
} hooks;

/* In the test's host: p must lie in a used table of its level; what may be stored into it. */
static void host_check_access(ptp_t p);
static void host_check_store(ptp_t p, ptv_t old, ptv_t v);
/* v is about to be, or has been, linked: if it is a table entry, its table must be complete. */
static void host_check_complete(ptv_t v);
static void host_note_linked(ptv_t v);

static inline ptv_t ptp_get(ptp_t p)
{
	host_check_access(p);
	hooks.get_count++;
	return raw_ptp_get(p);
}

static inline void ptp_set(ptp_t p, ptv_t v)
{
	host_check_access(p);
	host_check_store(p, raw_ptp_get(p), v);
	raw_ptp_set(p, v);
}

static inline ptv_t ptp_exchange(ptp_t p, ptv_t v)
{
	host_check_access(p);
	if (hooks.before_change)
		hooks.before_change(p);
	host_check_complete(v);
	host_note_linked(v);
	return raw_ptp_exchange(p, v);
}

static inline bool ptp_compare_exchange(ptp_t p, ptv_t *expected, ptv_t v)
{
	host_check_access(p);
	if (hooks.before_change)
		hooks.before_change(p);
	host_check_complete(v);
	if (!raw_ptp_compare_exchange(p, expected, v))
		return false;
	host_note_linked(v);
	return true;
}
