/*
 * Kernel options: parsed once from the command line, constant afterwards.
 *
 * The command line is words separated by spaces; a value may be quoted ("..."). An unknown
 * word, a bad value or a doubled quote is reported and counted; with `exit` it makes the run fail.
 */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <lib/compiler.h>

enum option_la57 { LA57_AUTO, LA57_ON, LA57_OFF };
enum option_fork { FORK_EAGER, FORK_SHARED };

struct options {
	enum option_la57 la57; /* acted on by boot/, which reads the command line itself */
	enum option_fork fork;
	bool exit;
	uint64_t seed;
	char test[256]; /* globs; "*" all, "none" none */
	char run[512];  /* monitor commands, separated by ';' */
	unsigned error_count;
};
extern struct options options;

/* Parse; says each error through `report` (may be NULL). Never fails: errors are counted. */
void options_parse(struct options *out, const char *cmdline, void (*report)(const char *text));

#endif
