/*
 * The table of commands, and `help`, which shows it by topic.
 */
#include <lib/printk.h>
#include <lib/string.h>
#include <shell/shell.h>

extern const struct shell_command __start_shell_commands[], __stop_shell_commands[];

static const struct {
	const char *name, *title;
} topic[] = {
	{ "start", "where to start" },
	{ "tables", "looking at page tables" },
	{ "scratch", "experiments on scratch spaces, which you name" },
	{ "devices", "a device behind the IOMMU, and mirrors" },
	{ "numbers", "statistics" },
	{ "events", "what happens meanwhile" },
	{ "work", "tests and measurements" },
};

const struct shell_command *shell_find_command(const char *name)
{
	for (const struct shell_command *c = __start_shell_commands; c < __stop_shell_commands; c++)
		if (!strcmp(c->name, name))
			return c;
	return NULL;
}

/* The linker fills the table in no order to rely on. */
const struct shell_command *shell_next_command(const struct shell_command *after)
{
	const char *name = after ? after->name : "";
	const struct shell_command *best = NULL;

	for (const struct shell_command *c = __start_shell_commands; c < __stop_shell_commands; c++)
		if (strcmp(c->name, name) > 0 && (!best || strcmp(c->name, best->name) < 0))
			best = c;
	return best;
}

void shell_each_command(void (*found)(void *arg, const char *name), void *arg)
{
	const struct shell_command *c = NULL;

	while ((c = shell_next_command(c)) != NULL)
		found(arg, c->name);
}

bool shell_is_topic(const char *name)
{
	for (unsigned i = 0; i < ARRAY_SIZE(topic); i++)
		if (!strcmp(topic[i].name, name))
			return true;
	return false;
}

void shell_each_topic(void (*found)(void *arg, const char *name), void *arg)
{
	for (unsigned i = 0; i < ARRAY_SIZE(topic); i++)
		found(arg, topic[i].name);
}

static void print_topic(const char *name, const char *title)
{
	const struct shell_command *c = NULL;

	printk("%s: %s\n", name, title);
	while ((c = shell_next_command(c)) != NULL)
		if (!strcmp(c->topic, name))
			printk("  %-8s %s\n", c->name, c->help);
}

static void print_command(const struct shell_command *c)
{
	const char *form = c->usage;
	unsigned length;

	for (; *form; form += form[length] ? length + 3 : length) {
		for (length = 0; form[length] && strncmp(form + length, " | ", 3); length++)
			;
		printk("%s %.*s\n", form == c->usage ? "usage:" : "   or:", (int)length, form);
	}
	printk("%s\n", c->help);
}

SHELL_COMMAND(help, "start", "help [<command>|<topic>]",
	      "this list, a topic of it, or one command's usage")
{
	const struct shell_command *c = argc == 2 ? shell_find_command(argv[1]) : NULL;

	if (c) {
		print_command(c);
		return true;
	}
	for (unsigned i = 0; i < ARRAY_SIZE(topic); i++)
		if (argc == 1 || !strcmp(topic[i].name, argv[1]))
			print_topic(topic[i].name, topic[i].title);
	if (argc == 1)
		printk("`help <command>` shows how one is used; Tab completes.\n");
	return true;
}
