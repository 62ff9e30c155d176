/*
 * Kernel options: parsed once from the command line, constant afterwards.
 *
 * The command line is words separated by spaces. Double quotes keep spaces together, around a value
 * or around a whole word (GRUB writes "run=a b"); a backslash keeps the character behind it. The
 * last of several words for one option counts. An unknown word, a bad value or a quotation without
 * an end is reported and counted; with `exit` it makes the run fail.
 */
#pragma once

#include <lib/compiler.h>

#define OPTIONS_CMDLINE_MAX 1024

enum option_la57 { LA57_AUTO, LA57_ON, LA57_OFF };
enum option_fork { FORK_EAGER, FORK_SHARED };

struct options {
	enum option_la57 la57; /* acted on by boot/, which reads the command line itself */
	enum option_fork fork;
	bool exit;
	bool idle_poll;    /* a CPU with nothing to do goes on looking for it instead of halting */
	uint64_t seed;     /* of test_random */
	uint64_t deadline; /* seconds that a test may take; 0: as long as it likes */
	char test[256];    /* globs; "*" all, "none" none */
	bool test_given;   /* or is it the default? */
	uint64_t rounds; /* how often all chosen tests run, one after the other: test builds only */
	unsigned broken; /* enum broken, lib/broken.h: test builds only */
	char run[512];   /* monitor commands, separated by ';' */
	char ops[512];   /* for the test model.replay */
	bool oracle_always;
	unsigned error_count;
};
extern struct options options;

/* Parse; says each error through `report` (may be NULL). Never fails: errors are counted. */
void options_parse(struct options *out, const char *cmdline, void (*report)(const char *text));
