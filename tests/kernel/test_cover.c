/*
 * Covers against the list of what was added: never a wrong no, and a yes only where a dot has it.
 */
#include <mm/cover.h>
#include <tests/kernel/test.h>

#define PAGES(n) ((n)*4096ull)
#define RANGES 12
#define QUESTIONS 200

struct span {
	va_t start, last;
};

/* Anywhere, of any length: mostly inside the first 2^bits bytes above 2^47, or at the very top. */
static struct span random_span(unsigned bits)
{
	va_t start = test_random() >> (64 - bits), bytes = test_random() >> (64 - bits);

	bytes >>= test_random() % bits;
	start += test_random() % 8 ? 1ull << 47 : -(1ull << bits);
	return (struct span){ start, start + bytes < start ? ~0ull : start + bytes };
}

static bool any_touches(const struct span *s, unsigned count, struct span asked, unsigned shift)
{
	for (unsigned i = 0; i < count; i++) {
		if (s[i].start >> shift <= asked.last >> shift &&
		    asked.start >> shift <= s[i].last >> shift)
			return true;
	}
	return false;
}

static bool is_between(const struct cover *c, struct span s)
{
	return s.start >= c->low && s.last <= c->high;
}

static unsigned wrong_answers(const struct cover *c, const struct span *s, unsigned count,
			      unsigned bits)
{
	unsigned wrong = 0;

	for (unsigned i = 0; i < QUESTIONS; i++) {
		struct span asked = random_span(bits);
		bool said = cover_touches(c, asked.start, asked.last);

		wrong += !said && any_touches(s, count, asked, 0);
		wrong += said && is_between(c, asked) && !any_touches(s, count, asked, c->shift);
		wrong += said && (asked.last < c->low || asked.start > c->high);
	}
	return wrong;
}

// Whatever is added: what was is never denied, and between it only dots that it lies in are
// affirmed.
TEST(cover, answers_are_those_of_the_list)
{
	for (unsigned bits = 13; bits < 48; bits++) {
		struct cover c = COVER_NOTHING;
		struct span s[RANGES];

		for (unsigned n = 0; n < RANGES; n++) {
			EXPECT_EQ(wrong_answers(&c, s, n, bits), 0u);
			s[n] = random_span(bits);
			cover_add(&c, s[n].start, s[n].last);
			EXPECT((c.high >> c.shift) - (c.low >> c.shift) < 64);
		}
		EXPECT_EQ(wrong_answers(&c, s, RANGES, bits), 0u);
	}
}

// A dot is a page as long as 64 of them reach, and from then on twice as much each time; all of
// the addresses fit.
TEST(cover, dots_are_as_fine_as_they_can_be)
{
	struct cover c = COVER_NOTHING;

	EXPECT(!cover_touches(&c, 1, ~0ull) && !cover_touches(&c, 0, ~1ull));
	cover_add(&c, PAGES(64), PAGES(65) - 1);
	cover_add(&c, PAGES(127), PAGES(128) - 1);
	EXPECT(!cover_touches(&c, PAGES(65), PAGES(127) - 1));
	cover_add(&c, PAGES(128), PAGES(129) - 1);
	EXPECT(cover_touches(&c, PAGES(65), PAGES(66) - 1));
	EXPECT(!cover_touches(&c, PAGES(66), PAGES(126) - 1));
	cover_add(&c, 0, ~0ull);
	EXPECT(cover_touches(&c, PAGES(80), PAGES(81)));
	EXPECT(cover_touches(&c, ~0ull, ~0ull));
}
