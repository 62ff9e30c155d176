/*
 * One line of input from the console, with echo and backspace.
 *
 * Talks to: dev/serial, lib/printk.
 */
#ifndef SHELL_LINE_H
#define SHELL_LINE_H

#include <lib/compiler.h>

/*
 * Prompt for and read a line, without its end, into `line` of `size` bytes; what does not fit is
 * not accepted (and answered with a bell), nor are bytes that are not printable ASCII.
 *
 * Returns false if there is nothing to read from.
 */
bool line_read(const char *prompt, char *line, size_t size);

#endif
