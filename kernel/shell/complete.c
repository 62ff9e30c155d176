/* Completion; see complete.h. The command that the cursor is in is cut into words, the last of
 * which is what is to be completed. */
#include <lib/parse.h>
#include <lib/printk.h>
#include <lib/string.h>
#include <shell/complete.h>
#include <shell/shell.h>
#include <shell/words.h>

#define LINE_BYTES 256
#define COLUMN 16

/* The words before the cursor; the last one is the beginning of the wanted one. */
struct context {
	char text[LINE_BYTES];
	char *argv[SHELL_ARGUMENT_MAX];
	int argc;
	const char *prefix;
};

/* Returns false if there is nothing to complete: too many words, or a quotation. */
static bool read_context(struct context *c, const char *line, size_t cursor)
{
	static char empty[1];
	char *rest = c->text, *word;
	bool unclosed = false;

	if (cursor >= LINE_BYTES)
		return false;
	memcpy(c->text, line, cursor);
	c->text[cursor] = '\0';
	for (char *p = c->text; *p; p++) {
		if (*p == '"' || *p == '\\')
			return false;
		if (*p == ';')
			rest = p + 1;
	}
	bool fresh = !*rest || c->text[cursor - 1] == ' ';

	for (c->argc = 0; (word = parse_word(&rest, &unclosed)) != NULL; c->argc++) {
		if (c->argc == SHELL_ARGUMENT_MAX)
			return false;
		c->argv[c->argc] = word;
	}
	c->prefix = fresh ? empty : c->argv[--c->argc];
	return true;
}

struct offer {
	void (*found)(void *arg, const char *word);
	void *arg;
	const char *prefix;
};

static void offer_command(void *arg, const char *name)
{
	const struct offer *o = arg;

	if (!strncmp(name, o->prefix, strlen(o->prefix)))
		o->found(o->arg, name);
}

static void each_next(const struct context *c, void (*found)(void *arg, const char *word),
		      void *arg)
{
	const struct shell_command *command = c->argc ? shell_find_command(c->argv[0]) : NULL;
	struct offer offer = { found, arg, c->prefix };

	if (!c->argc)
		shell_each_command(offer_command, &offer);
	else if (command)
		words_each_next(command->usage, c->argc, c->argv, c->prefix, found, arg);
}

struct common {
	struct completion *out;
	size_t skip; /* characters that are there already */
	bool whole;  /* the words are one and the same */
};

/* Keep of out->common what this word says as well. */
static void common_add(void *arg, const char *word)
{
	const struct common *c = arg;
	struct completion *out = c->out;
	size_t i = 0;

	word += c->skip;
	if (!out->count++) {
		ksnprintf(out->common, sizeof(out->common) - 1, "%s", word);
		return;
	}
	while (out->common[i] && out->common[i] == word[i])
		i++;
	out->common[i] = '\0';
}

/* Is what the words have in common all of this one? (A word lives no longer than its call.) */
static void check_whole(void *arg, const char *word)
{
	struct common *c = arg;

	c->whole &= !strcmp(word + c->skip, c->out->common);
}

void complete_line(const char *line, size_t cursor, struct completion *found)
{
	struct context c;
	struct common common = { found, 0, true };

	*found = (struct completion){ 0 };
	if (!read_context(&c, line, cursor))
		return;
	common.skip = strlen(c.prefix);
	each_next(&c, common_add, &common);
	each_next(&c, check_whole, &common);
	if (found->count && common.whole)
		memcpy(found->common + strlen(found->common), " ", 2);
}

static void print_word(void *arg, const char *word)
{
	unsigned *column = arg;

	printk("%-*s%s", COLUMN, word, ++*column % 5 ? "" : "\n");
}

void complete_list(const char *line, size_t cursor)
{
	unsigned column = 0;
	struct context c;

	if (!read_context(&c, line, cursor))
		return;
	each_next(&c, print_word, &column);
	if (column % 5)
		printk("\n");
}
