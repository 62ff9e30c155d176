/*
 * Tests of the freestanding helpers: strings, globs, parsing.
 */
#include <lib/glob.h>
#include <lib/parse.h>
#include <lib/string.h>
#include <tests/kernel/test.h>

#define BYTES 64

static void fill(uint8_t *buf, uint8_t first)
{
	for (unsigned i = 0; i < BYTES; i++)
		buf[i] = (uint8_t)(first + i);
}

/* What a byte-wise loop makes of it, right also when the ranges overlap. */
static void move_model(uint8_t *dst, const uint8_t *src, size_t n)
{
	uint8_t copy[BYTES];

	for (size_t i = 0; i < n; i++)
		copy[i] = src[i];
	for (size_t i = 0; i < n; i++)
		dst[i] = copy[i];
}

static bool same_bytes(const uint8_t *a, const uint8_t *b)
{
	for (unsigned i = 0; i < BYTES; i++)
		if (a[i] != b[i])
			return false;
	return true;
}

/* memmove equals the byte-wise model for every overlap, offset and length up to 24. */
TEST(lib, memmove_overlaps)
{
	uint8_t real[BYTES], model[BYTES];
	unsigned wrong = 0;

	for (unsigned from = 0; from < 20; from++)
		for (unsigned to = 0; to < 20; to++)
			for (unsigned n = 0; n < 24; n++) {
				fill(real, 1);
				fill(model, 1);
				memmove(real + to, real + from, n);
				move_model(model + to, model + from, n);
				wrong += !same_bytes(real, model);
			}
	EXPECT_EQ(wrong, 0u);
}

/* memcpy and memset touch exactly the bytes asked for, at every offset and length up to 24. */
TEST(lib, memcpy_and_memset_are_exact)
{
	uint8_t real[BYTES], model[BYTES], source[BYTES];
	unsigned wrong = 0;

	fill(source, 100);
	for (unsigned to = 0; to < 9; to++)
		for (unsigned n = 0; n < 24; n++) {
			fill(real, 1);
			fill(model, 1);
			memcpy(real + to, source + 3, n);
			move_model(model + to, source + 3, n);
			wrong += !same_bytes(real, model);
			memset(real + to, 0xa5, n);
			for (unsigned i = 0; i < n; i++)
				model[to + i] = 0xa5;
			wrong += !same_bytes(real, model);
		}
	EXPECT_EQ(wrong, 0u);
}

/* Comparisons order by unsigned bytes and stop at the end. */
TEST(lib, comparisons)
{
	EXPECT_EQ(strcmp("abc", "abc"), 0);
	EXPECT(strcmp("abc", "abd") < 0);
	EXPECT(strcmp("abc", "ab") > 0);
	EXPECT(strcmp("a", "\xff") < 0);
	EXPECT_EQ(strncmp("abc", "abd", 2), 0);
	EXPECT_EQ(strncmp("a\0x", "a\0y", 3), 0);
	EXPECT(memcmp("a\0x", "a\0y", 3) < 0);
	EXPECT_EQ(memcmp("x", "y", 0), 0);
	EXPECT_EQ(strlen("abc"), 3ul);
	EXPECT_EQ(strnlen("abc", 2), 2ul);
	const char *s = "abc";
	EXPECT(strchr(s, 'b') == s + 1);
	EXPECT(strchr(s, 'x') == NULL);
	EXPECT(strchr(s, '\0') == s + 3);
}

/* Globs match as a shell's do; the pattern ends at its length. */
TEST(lib, globs)
{
	static const struct {
		const char *pattern, *text;
		bool matches;
	} table[] = {
		{ "", "", true },           { "", "a", false },
		{ "*", "", true },          { "*", "anything", true },
		{ "a", "a", true },         { "a", "ab", false },
		{ "ab", "a", false },       { "?", "a", true },
		{ "?", "", false },         { "a?c", "abc", true },
		{ "a*c", "abbbc", true },   { "a*c", "abbbd", false },
		{ "*b", "aab", true },      { "*ab*", "xxaabyy", true },
		{ "**", "x", true },        { "a*b*c", "a1b2b3c", true },
		{ "a*b?", "axbxb", false }, { "a*", "b", false },
		{ "*.x", "suite.x", true }, { "*.x", "suite.xy", false },
		{ "?*", "", false },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(table); i++)
		test_check(glob_match(table[i].pattern, strlen(table[i].pattern), table[i].text) ==
				   table[i].matches,
			   __FILE__, __LINE__, table[i].pattern, i, table[i].matches);
	EXPECT(glob_match("abc", 2, "ab"));
	EXPECT(!glob_match("ab*", 2, "abc"));
}

/* Numbers are accepted up to 2^64 - 1 and nothing else is. */
TEST(lib, numbers)
{
	static const struct {
		const char *text;
		bool ok;
		uint64_t value;
	} table[] = {
		{ "0", true, 0 },
		{ "18446744073709551615", true, UINT64_MAX },
		{ "18446744073709551616", false, 0 },
		{ "99999999999999999999999", false, 0 },
		{ "0xffffffffffffffff", true, UINT64_MAX },
		{ "0x10000000000000000", false, 0 },
		{ "0XAbC", true, 0xabc },
		{ "010", true, 10 },
		{ "", false, 0 },
		{ "0x", false, 0 },
		{ "x", false, 0 },
		{ "-1", false, 0 },
		{ "1a", false, 0 },
		{ "0xg", false, 0 },
		{ " 1", false, 0 },
		{ "1 ", false, 0 },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
		uint64_t value = 77;
		bool ok = parse_number(table[i].text, &value);

		test_check(ok == table[i].ok, __FILE__, __LINE__, table[i].text, ok, table[i].ok);
		EXPECT_EQ(value, ok ? table[i].value : 77);
	}
}

/* Words: blanks separate, quotes and backslashes keep, an open quotation is told. */
TEST(lib, words)
{
	char text[] = "  one \"two words\" run=\"a b\" a\\ b \\\"q \"\" \"open end";
	static const char *const expected[] = { "one", "two words", "run=a b", "a b",
						"\"q", "",          "open end" };
	char *rest = text;
	bool unclosed = false;

	for (unsigned i = 0; i < ARRAY_SIZE(expected); i++) {
		EXPECT(!unclosed);
		char *word = parse_word(&rest, &unclosed);

		REQUIRE(word != NULL);
		test_check(!strcmp(word, expected[i]), __FILE__, __LINE__, expected[i], i, 0);
	}
	EXPECT(unclosed);
	EXPECT(parse_word(&rest, &unclosed) == NULL);
}
