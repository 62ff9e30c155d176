/*
 * What the variant broken=unordered_link has in place of the compare-exchange that links a table:
 * one that promises no order of stores, for the thread sanitizer to find. Like a format it touches
 * entries; those of the kernel's formats are words of 64 bits.
 */
#include <mm/pagetable.h>

bool pt_link_unordered(ptp_t p, ptv_t *expected, ptv_t v)
{
	return __atomic_compare_exchange_n((uint64_t *)p.slot, &expected->bits, v.bits, false,
					   __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}
