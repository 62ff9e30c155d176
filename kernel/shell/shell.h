/*
 * The monitor: commands over the serial line, and from the `run=` option.
 *
 *   SHELL_COMMAND(pt, "pt <va>", "walk an address, level by level")
 *   {
 *           (argc, argv as in C's main; return true if it worked, or say why not in one line)
 *   }
 *
 * Locking: one CPU runs the monitor. Talks to: dev/serial through line.h, every room it shows.
 */
#ifndef SHELL_SHELL_H
#define SHELL_SHELL_H

#include <lib/compiler.h>

struct shell_command {
	const char *name;
	const char *usage;
	const char *help; /* one line */
	bool (*run)(int argc, char **argv);
};

/* Define a command; linking it puts it in the table. Bad arguments are worth a line, no fault. */
#define SHELL_COMMAND(name_, usage_, help_)                                             \
	static bool shell_command_##name_(int argc, char **argv);                       \
	static const struct shell_command shell_entry_##name_ SECTION("shell_commands") \
		ALIGNED(8) = { #name_, usage_, help_, shell_command_##name_ };          \
	static bool shell_command_##name_(int argc, char **argv)

/*
 * Run one line: commands separated by ';', each a name and arguments in words, quoted if need be.
 * The line is cut up in place. Stops at the first command that fails.
 *
 * Returns true if all of it worked.
 */
bool shell_run_line(char *line);

/* Print the usage of a command; false, for its `return`. */
bool shell_usage(const char *name);

/* Prompt, read and run lines, until `exit` leaves the machine. */
void shell_run(void) NORETURN;

/* What went wrong so far, for `exit` to report: failed tests, commands of `run=`, bad options. */
extern unsigned shell_failure_count;

/* Leave through debug-exit: passed if nothing went wrong. */
void shell_exit(void) NORETURN;

#endif
