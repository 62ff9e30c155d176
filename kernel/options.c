/*
 * The kernel's options, see options.h: one table row an option.
 *
 * A later word overrides an earlier one, so what fw_cfg appends wins over GRUB's line.
 * Locking: boot only. Compiles on the host. Talks to: lib/parse.
 */
#include <lib/broken.h>
#include <lib/parse.h>
#include <lib/printk.h>
#include <lib/string.h>
#include <options.h>

#define SEED_DEFAULT 1
#define DEADLINE_DEFAULT 120
#define DEADLINE_MAX 1000000
#define ROUNDS_MAX 1000

struct options options;

/* Each sets one option from the text behind its '=', NULL without one. Returns NULL, or what is
 * wrong. */
typedef const char *(*option_set_fn)(struct options *out, const char *value);

static const char *set_la57(struct options *out, const char *value)
{
	if (value && !strcmp(value, "auto"))
		out->la57 = LA57_AUTO;
	else if (value && !strcmp(value, "on"))
		out->la57 = LA57_ON;
	else if (value && !strcmp(value, "off"))
		out->la57 = LA57_OFF;
	else
		return "must be auto, on or off";
	return NULL;
}

static const char *set_fork(struct options *out, const char *value)
{
	if (value && !strcmp(value, "eager"))
		out->fork = FORK_EAGER;
	else if (value && !strcmp(value, "shared"))
		out->fork = FORK_SHARED;
	else
		return "must be eager or shared";
	return NULL;
}

static const char *set_exit(struct options *out, const char *value)
{
	if (value)
		return "takes no value";
	out->exit = true;
	return NULL;
}

static const char *set_idle(struct options *out, const char *value)
{
	if (value && !strcmp(value, "halt"))
		out->idle_poll = false;
	else if (value && !strcmp(value, "poll"))
		out->idle_poll = true;
	else
		return "must be halt or poll";
	return NULL;
}

static const char *set_seed(struct options *out, const char *value)
{
	if (!value || !parse_number(value, &out->seed))
		return "must be a number below 2^64";
	return NULL;
}

static const char *set_deadline(struct options *out, const char *value)
{
	uint64_t seconds;

	if (!value || !parse_number(value, &seconds) || seconds > DEADLINE_MAX)
		return "must be a number of seconds";
	out->deadline = seconds;
	return NULL;
}

static const char *set_text(char *text, size_t size, const char *value, const char *missing)
{
	if (!value)
		return missing;
	if (strlen(value) >= size)
		return "is too long";
	memcpy(text, value, strlen(value) + 1);
	return NULL;
}

static const char *set_test(struct options *out, const char *value)
{
	const char *missing = "needs globs, or none";

	if (value && !*value)
		return missing;
	out->test_given = true;
	return set_text(out->test, sizeof(out->test), value, missing);
}

static const char *set_run(struct options *out, const char *value)
{
	return set_text(out->run, sizeof(out->run), value, "needs commands");
}

static const char *set_ops(struct options *out, const char *value)
{
	return set_text(out->ops, sizeof(out->ops), value, "needs numbers in base 16");
}

static const char *set_oracle(struct options *out, const char *value)
{
	if (!value || strcmp(value, "always"))
		return "must be always";
	out->oracle_always = true;
	return NULL;
}

#if PTOLEMY_TEST
static const char *set_rounds(struct options *out, const char *value)
{
	if (!value || !parse_number(value, &out->rounds) || !out->rounds ||
	    out->rounds > ROUNDS_MAX)
		return "must be a number from 1";
	return NULL;
}

static const char *set_broken(struct options *out, const char *value)
{
	out->broken = value ? broken_find(value) : BROKEN_COUNT;
	return out->broken < BROKEN_COUNT ? NULL : "is no variant of lib/broken.h";
}
#endif

static const struct {
	const char *name;
	option_set_fn set;
} table[] = {
	{ "la57", set_la57 },         { "fork", set_fork },     { "exit", set_exit },
	{ "seed", set_seed },         { "test", set_test },     { "run", set_run },
	{ "deadline", set_deadline }, { "ops", set_ops },       { "oracle", set_oracle },
	{ "idle", set_idle },
#if PTOLEMY_TEST
	{ "broken", set_broken },     { "rounds", set_rounds },
#endif
};

/* `word` is name or name=value; the value is cut off. Returns NULL, or what is wrong. */
static const char *set_option(struct options *out, char *word)
{
	char *equals = strchr(word, '=');

	if (equals)
		*equals = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (!strcmp(table[i].name, word))
			return table[i].set(out, equals ? equals + 1 : NULL);
	return "is not an option";
}

static void count_error(struct options *out, const char *name, const char *what,
			void (*report)(const char *text))
{
	char text[160];

	out->error_count++;
	ksnprintf(text, sizeof(text), "option %.80s: %s", name, what);
	if (report)
		report(text);
}

void options_parse(struct options *out, const char *cmdline, void (*report)(const char *text))
{
	char buf[OPTIONS_CMDLINE_MAX], *rest = buf, *word;
	size_t length = strnlen(cmdline, sizeof(buf) - 1);
	bool unclosed = false;

	*out = (struct options){
		.seed = SEED_DEFAULT, .deadline = DEADLINE_DEFAULT, .rounds = 1, .test = "*"
	};
	memcpy(buf, cmdline, length);
	buf[length] = '\0';
	if (cmdline[length])
		count_error(out, "line", "is too long, its end is ignored", report);

	while ((word = parse_word(&rest, &unclosed)) != NULL) {
		const char *wrong = set_option(out, word);

		if (wrong)
			count_error(out, word, wrong, report);
	}
	if (unclosed)
		count_error(out, "line", "has a quotation without an end", report);
}
