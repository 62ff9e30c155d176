/* Covers; see cover.h. */
#include <mm/cover.h>

/* The dots as they are when each is of 2^shift bytes, which is no less than it was. */
static uint64_t cover_coarser(const struct cover *c, unsigned shift)
{
	uint64_t dots = 0;

	for (va_t i = c->low >> c->shift; i <= c->high >> c->shift; i++)
		dots |= (c->dots >> (i & 63) & 1) << (i >> (shift - c->shift) & 63);
	return dots;
}

static uint64_t cover_dots(unsigned shift, va_t start, va_t last)
{
	uint64_t first = start >> shift, more = (last >> shift) - first; /* 63 at most */
	uint64_t dots = (2ull << more) - 1;

	return dots << (first & 63) | dots >> (-first & 63);
}

void cover_add(struct cover *c, va_t start, va_t last)
{
	va_t low = start < c->low ? start : c->low, high = last > c->high ? last : c->high;
	unsigned shift = c->shift;

	while ((high >> shift) - (low >> shift) > 63)
		shift++;
	if (c->low > c->high)
		c->dots = 0;
	else if (shift != c->shift)
		c->dots = cover_coarser(c, shift);
	c->dots |= cover_dots(shift, start, last);
	c->low = low;
	c->high = high;
	c->shift = shift;
}
