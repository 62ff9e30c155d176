/*
 * Covers: where is something? A range of addresses as a picture of 64 dots, to be asked in a few
 * instructions.
 *
 *   low                                                          high
 *    |.###....................................##......#############|     a dot: 2^shift bytes
 *
 * Invariant: each range that was added touches its dots; so "no" is certain, and "yes" is not. Dots
 * lie at multiples of their size and go round: that of address a is number (a >> shift) mod 64. As
 * few bytes to a dot as that allows, but no less than a page.
 * Locking: the owner's. Talks to nobody.
 */
#pragma once

#include <lib/compiler.h>
#include <mm/pt/pt_types.h>

struct cover {
	va_t low, high; /* inclusive; low > high: nothing, whatever the dots */
	uint64_t dots;  /* never none */
	unsigned shift;
};

#define COVER_SHIFT_MIN 12
#define COVER_NOTHING ((struct cover){ .low = ~0ull, .dots = 1, .shift = 12 })

/* Can there be anything in [start, last]? (Of all addresses together: yes.) */
ALWAYS_INLINE bool cover_touches(const struct cover *c, va_t start, va_t last)
{
	uint64_t first = start >> c->shift, turned;

	if (start > c->high || last < c->low)
		return false;
	turned = c->dots >> (first & 63) | c->dots << (-first & 63);
	return (unsigned)__builtin_ctzll(turned) <= (last >> c->shift) - first;
}

void cover_add(struct cover *c, va_t start, va_t last);
