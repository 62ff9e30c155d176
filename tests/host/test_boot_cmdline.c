/*
 * The words that boot/ reads before paging, held against the kernel's own reading of them.
 */
#include <boot/boot.h>
#include <lib/string.h>
#include <options.h>
#include <tests/kernel/test.h>

static enum boot_la57 read_la57(const char *text)
{
	return boot_cmdline_la57((struct boot_text){ text, (uint32_t)strlen(text) },
				 BOOT_LA57_AUTO);
}

/* The last valid la57= word counts, and nothing that only looks like one. */
TEST(boot_cmdline, la57_words)
{
	EXPECT_EQ(read_la57(""), BOOT_LA57_AUTO);
	EXPECT_EQ(read_la57("la57=on"), BOOT_LA57_ON);
	EXPECT_EQ(read_la57("  exit la57=off\ttest=none "), BOOT_LA57_OFF);
	EXPECT_EQ(read_la57("la57=on la57=off la57=auto"), BOOT_LA57_AUTO);
	EXPECT_EQ(read_la57("la57=on la57=sometimes"), BOOT_LA57_ON);
	EXPECT_EQ(read_la57("xla57=on la57=onx la57= la57 la57=on..............."), BOOT_LA57_AUTO);
	EXPECT_EQ(read_la57("run=\"pt 0; la57=on\" \"la57=off \""), BOOT_LA57_AUTO);
	EXPECT_EQ(read_la57("\"la57=on\""), BOOT_LA57_ON);
	EXPECT_EQ(read_la57("la57=\"off\""), BOOT_LA57_OFF);
	EXPECT_EQ(read_la57("run=\\\" la57=on"), BOOT_LA57_ON);
	EXPECT_EQ(read_la57("\"la57=on"), BOOT_LA57_ON);
	EXPECT_EQ(read_la57("la57=on\\"), BOOT_LA57_AUTO);
}

/* What an earlier text chose stands until a later one says otherwise. */
TEST(boot_cmdline, later_text_wins)
{
	struct boot_text none = { "exit", 4 }, off = { "la57=off", 8 };

	EXPECT_EQ(boot_cmdline_la57(none, BOOT_LA57_ON), BOOT_LA57_ON);
	EXPECT_EQ(boot_cmdline_la57(off, BOOT_LA57_ON), BOOT_LA57_OFF);
	/* The length rules, there is no end mark. */
	EXPECT_EQ(boot_cmdline_la57((struct boot_text){ "la57=onx", 7 }, BOOT_LA57_OFF),
		  BOOT_LA57_ON);
}

/* A text made of the characters that matter, at random. */
static void random_text(char *text, size_t bytes)
{
	static const char *const parts[] = { "la57=", "on", "off",  "auto", " ",
					     "\"",    "\\", "exit", "\t",   " la57=on " };
	size_t length = 0;

	for (;;) {
		const char *part = parts[test_random() % ARRAY_SIZE(parts)];

		if (length + strlen(part) >= bytes)
			break;
		memcpy(text + length, part, strlen(part));
		length += strlen(part);
	}
	text[length] = '\0';
}

/* boot/ and the kernel read the same choice out of any text. */
TEST(boot_cmdline, agrees_with_the_kernel)
{
	static const enum boot_la57 same[] = {
		[LA57_AUTO] = BOOT_LA57_AUTO, [LA57_ON] = BOOT_LA57_ON, [LA57_OFF] = BOOT_LA57_OFF
	};
	struct options parsed;
	char text[48];

	for (unsigned i = 0; i < 20000; i++) {
		random_text(text, sizeof(text));
		options_parse(&parsed, text, NULL);
		if (!EXPECT_EQ(read_la57(text), same[parsed.la57])) {
			test_note("text: %s", text);
			return;
		}
	}
}
