/*
 * Tests of the option parser (kernel/options.c).
 */
#include <lib/printk.h>
#include <lib/string.h>
#include <options.h>
#include <tests/kernel/test.h>

static char reported[512];

static void remember(const char *text)
{
	size_t length = strlen(reported);

	ksnprintf(reported + length, sizeof(reported) - length, "%s\n", text);
}

static struct options parse(const char *cmdline)
{
	struct options o;

	reported[0] = '\0';
	options_parse(&o, cmdline, remember);
	return o;
}

/* Without a word, every option has its default. */
TEST(options, defaults)
{
	struct options o = parse("");

	EXPECT_EQ(o.error_count, 0u);
	EXPECT_EQ(o.la57, LA57_AUTO);
	EXPECT_EQ(o.fork, FORK_EAGER);
	EXPECT(!o.exit);
	EXPECT(!o.idle_poll);
	EXPECT_EQ(o.seed, 1ul);
	EXPECT_EQ(o.deadline, 120);
	EXPECT_EQ(o.rounds, 1);
	EXPECT(!strcmp(o.test, "*"));
	EXPECT(!o.test_given);
	EXPECT(!strcmp(o.run, ""));
}

/* Every option takes every value it has. */
TEST(options, values)
{
	struct options o = parse("la57=on fork=shared exit seed=0x10 deadline=7 rounds=3 "
				 "test=pt.*,frame run=\"pt 0; help\"");

	EXPECT_EQ(o.error_count, 0u);
	EXPECT_EQ(o.la57, LA57_ON);
	EXPECT_EQ(o.fork, FORK_SHARED);
	EXPECT(o.exit);
	EXPECT_EQ(o.seed, 16ul);
	EXPECT_EQ(o.deadline, 7);
	EXPECT_EQ(o.rounds, 3);
	EXPECT(!strcmp(o.test, "pt.*,frame"));
	EXPECT(o.test_given);
	EXPECT(!strcmp(o.run, "pt 0; help"));
	EXPECT_EQ(parse("la57=off").la57, LA57_OFF);
	EXPECT_EQ(parse("la57=auto").la57, LA57_AUTO);
	EXPECT_EQ(parse("fork=eager").fork, FORK_EAGER);
	EXPECT(parse("idle=poll").idle_poll);
	EXPECT(!parse("idle=poll idle=halt").idle_poll);
	EXPECT(!strcmp(parse("test=none").test, "none"));
}

/* GRUB puts the quotes around the word and escapes those that were inside. */
TEST(options, grub_quoting)
{
	struct options o = parse("\"run=say \\\"a b\\\"; exit\" exit");

	EXPECT_EQ(o.error_count, 0u);
	EXPECT(!strcmp(o.run, "say \"a b\"; exit"));
	EXPECT(o.exit);
}

/* The last word for an option counts: what is appended overrides. */
TEST(options, last_one_counts)
{
	struct options o = parse("seed=1 la57=on test=a seed=2 la57=off test=b");

	EXPECT_EQ(o.error_count, 0u);
	EXPECT_EQ(o.seed, 2ul);
	EXPECT_EQ(o.la57, LA57_OFF);
	EXPECT(!strcmp(o.test, "b"));
}

/* Each wrong word is one error, one report that names it, and changes nothing else. */
TEST(options, wrong_words)
{
	static const char *const wrong[] = {
		"unknown",     "unknown=1",   "la57",
		"la57=",       "la57=maybe",  "fork=both",
		"fork",        "exit=1",      "idle",
		"idle=on",     "seed",        "seed=",
		"seed=x",      "seed=-1",     "test",
		"test=",       "run",         "=",
		"=1",          "LA57=on",     "seed=18446744073709551616",
		"deadline",    "deadline=-1", "deadline=1000001",
		"deadline=1s", "rounds",      "rounds=0",
		"rounds=1001", "broken",      "broken=heart",
	};

	for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++) {
		char line[64];
		char name[32] = { 0 };

		ksnprintf(line, sizeof(line), "seed=5 %s test=x", wrong[i]);
		memcpy(name, wrong[i], strnlen(wrong[i], sizeof(name) - 1));
		if (strchr(name, '='))
			*strchr(name, '=') = '\0';
		struct options o = parse(line);

		test_check(o.error_count == 1, __FILE__, __LINE__, wrong[i], o.error_count, 1);
		EXPECT(strlen(reported) > 0);
		EXPECT(!strncmp(reported + strlen("option "), name, strlen(name)));
		EXPECT_EQ(o.seed, 5ul);
		EXPECT(!strcmp(o.test, "x"));
		EXPECT(!o.exit);
	}
}

/* A quotation without an end is one error; errors add up. */
TEST(options, errors_add_up)
{
	EXPECT_EQ(parse("run=\"a b").error_count, 1u);
	EXPECT_EQ(parse("run=\"\"").error_count, 0u);
	EXPECT_EQ(parse("a b seed=x run=\"c").error_count, 4u);
}

/* Texts that do not fit are refused, not cut: a cut glob would run other tests. */
TEST(options, too_long)
{
	static char line[OPTIONS_CMDLINE_MAX + 16];
	struct options o;

	ksnprintf(line, sizeof(line), "test=%0*d", (int)sizeof(o.test) - 1, 0);
	EXPECT_EQ(parse(line).error_count, 0u);
	ksnprintf(line, sizeof(line), "test=%0*d", (int)sizeof(o.test), 0);
	o = parse(line);
	EXPECT_EQ(o.error_count, 1u);
	EXPECT(!strcmp(o.test, "*"));

	memset(line, ' ', sizeof(line) - 1);
	EXPECT_EQ(parse(line).error_count, 1u);
}
