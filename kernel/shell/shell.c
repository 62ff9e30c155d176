/* The monitor's loop; see shell.h. */
#include <dev/debug_exit.h>
#include <lib/parse.h>
#include <lib/printk.h>
#include <lib/string.h>
#include <mm/pt/pt_types.h>
#include <shell/line.h>
#include <shell/pager.h>
#include <shell/shell.h>
#include <shell/term.h>
#include <shell/watch.h>
#include <shell/words.h>

#define LINE_BYTES 256

unsigned shell_failure_count;

/* Cut `text` into words. Returns their number, or -1 after saying what is wrong. */
static int split_words(char *text, char **argv)
{
	bool unclosed = false;
	int argc = 0;
	char *word;

	while ((word = parse_word(&text, &unclosed)) != NULL) {
		if (argc == SHELL_ARGUMENT_MAX) {
			printk("more than %d words\n", SHELL_ARGUMENT_MAX);
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
	char *argv[SHELL_ARGUMENT_MAX];
	int argc = split_words(text, argv);
	bool ok;

	if (argc <= 0)
		return argc == 0;

	const struct shell_command *c = shell_find_command(argv[0]);

	if (!c) {
		printk("%s: no such command; try help\n", argv[0]);
		return false;
	}
	if (!words_check(c->usage, argc, argv))
		return false;
	if (strcmp(c->topic, "work")) /* whose output is watched as it comes */
		pager_begin();
	ok = c->run(argc, argv);
	watch_report();
	pager_end();
	return ok;
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
	term_ask_size();
	while (line_read("ptolemy> ", line, sizeof(line)))
		shell_run_line(line);
	printk("no console to read from\n");
	shell_exit();
}

void shell_exit(void)
{
	debug_exit(shell_failure_count ? DEBUG_EXIT_FAILED : DEBUG_EXIT_PASSED);
}

bool shell_say_error(const char *what, int err)
{
	static const struct {
		int err;
		const char *why;
	} table[] = {
		{ -ENOMEM, "out of memory" },
		{ -EEXIST, "something is there already" },
		{ -ENOENT, "there is a hole in that range" },
		{ -EINVAL, "not whole pages, or an empty range" },
		{ -ERANGE, "outside the addresses of the space" },
		{ -EFAULT, "the space does not allow it" },
		{ -EAGAIN, "an invalidation is open there" },
		{ -EBUSY, "the device is in use" },
		{ -EIO, "the device does not answer, or cannot go there" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (table[i].err == err)
			printk("%s: %s\n", what, table[i].why);
	return !err;
}

SHELL_COMMAND(exit, "start", "exit", "leave, with success if nothing has failed")
{
	shell_exit();
}
