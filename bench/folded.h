/*
 * The yardstick: a page-table walker, mapper, unmapper and copier as kernels used to write them,
 * one function a level, with the levels that a machine lacks folded away.
 *
 * folded_ops.h and folded_copy.h are that code, in terms of pgd_t, p4d_t, pud_t, pmd_t and pte_t.
 * They are compiled
 *
 *   handwritten  over folded_native.h, which touches the CPU's entries itself: once for four levels
 *                and once for five, each knowing its depth when it is compiled
 *   classic      over pt_classic.h, which gives those names to Ptolemy's API: once, for both depths
 *
 * All of them do the same observable work as the library, on the same trees: they check and contain
 * bad entries, refuse what is mapped already and take back what they did, split huge leaves, make
 * shared tables exclusive, choose the largest leaves, clear by exchange, give empty tables to
 * the batch, and keep edges, live counts, summaries and table counts.
 *
 * Locking: as mm/pt/pt.h. Talks to: mm/pt, frame, swap, flush, notifier.
 */
#pragma once

#include <mm/pagetable.h>
#include <mm/space.h>

struct folded {
	/* Look at what the CPU offers, once; the others but find do it themselves. */
	void (*prepare)(void);
	/* pt_find: the lowest entry for va, its value and its level. */
	void *(*find)(const struct pt_root *root, va_t va, uint64_t *value, unsigned *level);
	/* pt_map, pt_unmap (start < end), copy_page_range. */
	int (*map)(const struct pt_root *root, va_t va, pa_t pa, uint64_t bytes, pt_attr_t attr,
		   struct pt_batch *batch);
	int (*unmap)(const struct pt_root *root, va_t va, va_t end, struct pt_drop *drop,
		     struct pt_batch *batch);
	int (*copy)(struct space *dst, struct space *src, const struct area *area);
};

extern const struct folded folded_native4, folded_native5, folded_classic;

/* The hand-written code for the depth of this machine. */
static inline const struct folded *folded_handwritten(void)
{
	return arch_mmu.top_level == 4 ? &folded_native5 : &folded_native4;
}
