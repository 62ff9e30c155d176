/*
 * Protocols between CPUs, broken on purpose: each variant takes one step away that another CPU
 * relies on, and a test has to notice (tests/run and tests/host/broken see to it). Chosen by the
 * option broken=name, or by a test for a while; builds without tests have nothing of it.
 *
 * Locking: set while nothing runs that asks. Talks to nobody.
 */
#pragma once

#include <lib/compiler.h>

/*        variant            what is missing */
#define BROKEN_VARIANTS(X)                                                                       \
	X(nothing)           /* all is well */                                                   \
	X(no_flush)          /* nobody is told that an entry grants less: flush.c */             \
	X(no_catch_up)       /* who comes back to a space trusts its TLB: tlb.c */               \
	X(free_before_flush) /* frames go before the TLBs that lead to them are flushed */       \
	X(early_unlock)      /* a fault lets its table's lock go before the entry's change */    \
	X(late_init)         /* a table is linked before it is zeroed, as a CPU (or compiler) */ \
	/* may have it that nobody has told the order of its stores: pt_populate */              \
	X(unordered_link) /* the same order left to chance: for the thread sanitizer */

#define BROKEN_ENUM(name) BROKEN_##name,
enum broken { BROKEN_VARIANTS(BROKEN_ENUM) BROKEN_COUNT };

#if PTOLEMY_TEST
extern enum broken broken_variant;
#define BROKEN(name) UNLIKELY(READ_ONCE(broken_variant) == BROKEN_##name)

/* The variant of that name; BROKEN_COUNT if there is none. */
enum broken broken_find(const char *name);
#else
#define BROKEN(name) false
#endif
