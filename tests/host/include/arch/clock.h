/*
 * The host's clock. Replaces the CPU's header of the same name.
 */
#ifndef ARCH_CLOCK_H
#define ARCH_CLOCK_H

#include <lib/compiler.h>

#define CLOCK_US 1000ull
#define CLOCK_MS 1000000ull
#define CLOCK_S 1000000000ull

/* Nanoseconds. */
uint64_t clock_now(void);

#endif
