/*
 * Completion: the words that could stand where the cursor is.
 *
 * Locking: the monitor's CPU. Talks to: the commands' usage lines, through words.
 */
#pragma once

#include <lib/compiler.h>

struct completion {
	unsigned count;  /* ways to go on; the same one may be counted more than once */
	char common[64]; /* what may be put in at once: the same for all of them */
};

/* What `line`, up to the cursor, can be completed by. */
void complete_line(const char *line, size_t cursor, struct completion *found);

/* Print the ways to go on. */
void complete_list(const char *line, size_t cursor);
