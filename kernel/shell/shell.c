/*
 * The monitor's loop and its table of commands, see shell.h.
 */
#include <dev/debug_exit.h>
#include <lib/parse.h>
#include <lib/printk.h>
#include <lib/string.h>
#include <shell/line.h>
#include <shell/shell.h>

#define LINE_BYTES 256
#define ARGUMENT_MAX 16

extern const struct shell_command __start_shell_commands[], __stop_shell_commands[];

unsigned shell_failure_count;

static const struct shell_command *find_command(const char *name)
{
	for (const struct shell_command *c = __start_shell_commands; c < __stop_shell_commands; c++)
		if (!strcmp(c->name, name))
			return c;
	return NULL;
}

bool shell_usage(const char *name)
{
	const struct shell_command *c = find_command(name);

	printk("usage: %s\n", c ? c->usage : name);
	return false;
}

/* Cut `text` into words. Returns their number, or -1 after saying what is wrong. */
static int split_words(char *text, char **argv)
{
	bool unclosed = false;
	int argc = 0;
	char *word;

	while ((word = parse_word(&text, &unclosed)) != NULL) {
		if (argc == ARGUMENT_MAX) {
			printk("more than %d words\n", ARGUMENT_MAX);
			return -1;
		}
		argv[argc++] = word;
	}
	if (unclosed) {
		printk("a quotation has no end\n");
		return -1;
	}
	return argc;
}

static bool run_command(char *text)
{
	char *argv[ARGUMENT_MAX];
	int argc = split_words(text, argv);

	if (argc <= 0)
		return argc == 0;

	const struct shell_command *c = find_command(argv[0]);

	if (!c) {
		printk("%s: no such command; try help\n", argv[0]);
		return false;
	}
	return c->run(argc, argv);
}

/* Cut the first command off *line: up to a ';' outside quotes. */
static char *next_command(char **line)
{
	char *start = *line, *p = start;
	bool quoted = false;

	for (; *p && (quoted || *p != ';'); p++) {
		if (*p == '"')
			quoted = !quoted;
		else if (*p == '\\' && p[1])
			p++;
	}
	*line = *p ? p + 1 : p;
	*p = '\0';
	return start;
}

bool shell_run_line(char *line)
{
	while (*line)
		if (!run_command(next_command(&line)))
			return false;
	return true;
}

void shell_run(void)
{
	char line[LINE_BYTES];

	printk("\nType help for the commands; exit, or Ctrl-A X in QEMU, leaves.\n");
	while (line_read("ptolemy> ", line, sizeof(line)))
		shell_run_line(line);
	printk("no console to read from\n");
	shell_exit();
}

void shell_exit(void)
{
	debug_exit(shell_failure_count ? DEBUG_EXIT_FAILED : DEBUG_EXIT_PASSED);
}

/* The linker fills the table in no order to rely on: print the names sorted. */
static const struct shell_command *command_after(const char *name)
{
	const struct shell_command *best = NULL;

	for (const struct shell_command *c = __start_shell_commands; c < __stop_shell_commands; c++)
		if (strcmp(c->name, name) > 0 && (!best || strcmp(c->name, best->name) < 0))
			best = c;
	return best;
}

SHELL_COMMAND(help, "help [command]", "list the commands, or show how one is used")
{
	const struct shell_command *c;

	if (argc > 2)
		return shell_usage(argv[0]);
	if (argc == 2 && !(c = find_command(argv[1]))) {
		printk("%s: no such command\n", argv[1]);
		return false;
	}
	if (argc == 2) {
		printk("usage: %s\n%s\n", c->usage, c->help);
		return true;
	}
	for (c = command_after(""); c; c = command_after(c->name))
		printk("  %-20s %s\n", c->usage, c->help);
	return true;
}

SHELL_COMMAND(exit, "exit", "leave, with success if nothing has failed")
{
	if (argc != 1)
		return shell_usage(argv[0]);
	shell_exit();
}
