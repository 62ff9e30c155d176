/*
 * The monitor: commands over the serial line, and from the `run=` option.
 *
 *   SHELL_COMMAND(pt, "tables", "pt <va> [<space>]", "walk an address, level by level")
 *   {
 *           (argc, argv as in C's main; return true if it worked, or say why not in one line)
 *   }
 *
 * The usage line is a grammar (words.h): a command runs only with arguments that fit it, they are
 * completed by it, and `help` shows it.
 *
 * Locking: one CPU runs the monitor. Talks to: line, pager, every room it shows.
 */
#pragma once

#include <lib/compiler.h>

#define SHELL_ARGUMENT_MAX 16

struct shell_command {
	const char *name;
	const char *topic; /* one of help.c's */
	const char *usage;
	const char *help; /* one line */
	bool (*run)(int argc, char **argv);
};

/* Define a command; linking it puts it in the table. Bad arguments are worth a line, no fault. */
#define SHELL_COMMAND(name_, topic_, usage_, help_)                                     \
	static bool shell_command_##name_(int argc, char **argv);                       \
	static const struct shell_command shell_entry_##name_ SECTION("shell_commands") \
		ALIGNED(8) = { #name_, topic_, usage_, help_, shell_command_##name_ };  \
	static bool shell_command_##name_(__attribute__((unused)) int argc,             \
					  __attribute__((unused)) char **argv)

/*
 * Run one line: commands separated by ';', each a name and arguments in words, quoted if need be.
 * The line is cut up in place. Stops at the first command that fails.
 *
 * Returns true if all of it worked.
 */
bool shell_run_line(char *line);

/* Prompt, read and run lines, until `exit` leaves the machine. */
void shell_run(void) NORETURN;

/* Print "what: why" for an errno that mm returned; true if it is 0, for a command's return. */
bool shell_say_error(const char *what, int err);

/* What went wrong so far, for `exit` to report: failed tests, commands of `run=`, bad options. */
extern unsigned shell_failure_count;

/* Leave through debug-exit: passed if nothing went wrong. */
void shell_exit(void) NORETURN;

/* ---- The table of commands. ---- */

/* By its name, or NULL. */
const struct shell_command *shell_find_command(const char *name);
/* The next by name, after one or (NULL) from the start. */
const struct shell_command *shell_next_command(const struct shell_command *c);
void shell_each_command(void (*found)(void *arg, const char *name), void *arg);

bool shell_is_topic(const char *name);
void shell_each_topic(void (*found)(void *arg, const char *name), void *arg);
