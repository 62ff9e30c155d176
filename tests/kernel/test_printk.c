/*
 * Tests of formatting (kernel/lib/format.c) against a table of what C's printf gives.
 */
#include <lib/printk.h>
#include <lib/string.h>
#include <tests/kernel/test.h>

/* Odd combinations of flags are the point here. */
#pragma GCC diagnostic ignored "-Wformat"

static void gives(int line, const char *expected, const char *fmt, ...) PRINTF_LIKE(3, 4);
static void gives(int line, const char *expected, const char *fmt, ...)
{
	char buf[128];
	__builtin_va_list args;

	__builtin_va_start(args, fmt);
	int length = kvsnprintf(buf, sizeof(buf), fmt, args);
	__builtin_va_end(args);

	bool same = !strcmp(buf, expected);

	test_check(same, __FILE__, line, fmt, 0, 0);
	if (!same)
		test_note("got \"%s\" instead of \"%s\"", buf, expected);
	test_check(length == (int)strlen(expected), __FILE__, line, "its length", (uint64_t)length,
		   strlen(expected));
}
#define GIVES(expected, ...) gives(__LINE__, expected, __VA_ARGS__)

/* Integers of every size print in every base, extremes included. */
TEST(printk, integers)
{
	GIVES("0", "%d", 0);
	GIVES("-2147483648", "%d", INT32_MIN);
	GIVES("2147483647", "%i", INT32_MAX);
	GIVES("-9223372036854775808", "%ld", INT64_MIN);
	GIVES("18446744073709551615", "%lu", UINT64_MAX);
	GIVES("18446744073709551615", "%llu", (unsigned long long)UINT64_MAX);
	GIVES("4294967295", "%u", UINT32_MAX);
	GIVES("ffffffffffffffff", "%lx", UINT64_MAX);
	GIVES("DEADBEEF", "%X", 0xdeadbeefu);
	GIVES("1777777777777777777777", "%lo", UINT64_MAX);
	GIVES("42", "%zu", (size_t)42);
	GIVES("-1", "%hhd", 255);
	GIVES("ff", "%hhx", -1);
	GIVES("-32768", "%hd", 32768);
	GIVES("65535", "%hu", -1);
}

/* Flags, width and precision combine as in C. */
TEST(printk, flags_width_precision)
{
	GIVES("   42|42   |00042|42   ", "%5d|%-5d|%05d|%-05d", 42, 42, 42, 42);
	GIVES("-0042|  -42|-42  ", "%05d|%5d|%-5d", -42, -42, -42);
	GIVES("+42| 42|+0", "%+d|% d|%+d", 42, 42, 0);
	GIVES("0x2a|0X2A|052|0", "%#x|%#X|%#o|%#x", 42, 42, 42, 0);
	GIVES("0x002a|    0x2a|0x2a    ", "%#06x|%#8x|%-#8x", 42, 42, 42);
	GIVES("  007|007  |", "%5.3d|%-5.3d|%.0d", 7, 7, 0);
	GIVES("    7", "%05.1d", 7);
	GIVES("    7|7    |7", "%*d|%*d|%*d", 5, 7, -5, 7, 0, 7);
	GIVES("000000000000002a", "%016lx", 42ul);
}

/* Texts, characters and pointers. */
TEST(printk, texts)
{
	const char *volatile nothing = NULL;

	GIVES("abc|  abc|abc  |ab", "%s|%5s|%-5s|%.2s", "abc", "abc", "abc", "abc");
	GIVES("(null)", "%s", nothing);
	GIVES("a|  b|c  |", "%c|%3c|%-3c|", 'a', 'b', 'c');
	GIVES("0x1000|0x0", "%p|%p", (void *)0x1000, NULL);
	GIVES("100%", "%d%%", 100);
	GIVES("ab", "%.*s", 2, "abc");
	GIVES("", "%s", "");
}

/* A conversion that does not exist, or is cut off, is printed as it stands. */
TEST(printk, unknown_conversions)
{
	GIVES("%y", "%y");
	GIVES("a%5", "a%5");
	GIVES("%", "%");
}

/* A buffer that is too small is filled, terminated and not overrun; the length is the whole. */
TEST(printk, truncates)
{
	char buf[8];

	memset(buf, '#', sizeof(buf));
	EXPECT_EQ(ksnprintf(buf, 4, "%s", "abcdef"), 6);
	EXPECT(!memcmp(buf, "abc\0####", 8));
	EXPECT_EQ(ksnprintf(buf, 1, "%d", 12345), 5);
	EXPECT(!memcmp(buf, "\0bc\0####", 8));
	EXPECT_EQ(ksnprintf(buf, 0, "%d", 12345), 5);
	EXPECT(!memcmp(buf, "\0bc\0####", 8));
}
