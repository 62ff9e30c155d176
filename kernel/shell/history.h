/*
 * Lines that were typed, to be had again with the arrow keys.
 *
 * Locking: the monitor's CPU. Talks to nobody.
 */
#pragma once

#include <lib/compiler.h>

#define HISTORY_LINES 32
#define HISTORY_BYTES 256 /* a line; what does not fit is not kept */

/* Keep a line, unless it is blank or the same as the last one. */
void history_add(const char *line);

/* The line `age` lines ago (1: the last one), or NULL. */
const char *history_get(unsigned age);
