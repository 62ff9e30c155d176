/*
 * One line of input from the console: typed, edited, completed, or had again from the history.
 *
 * Keys: arrows, home, end, delete, backspace; Ctrl-A and -E (start, end), -B and -F (left, right),
 * -P and -N (history), -K and -U (erase to the end, to the start), -W (erase a word), -L (draw
 * again), -C (drop the line), Tab (complete; list, if there are several ways).
 *
 * What is sent is plain text and backspaces, and the prompt only once, so a program that types
 * sees an echo. A line longer than the terminal is wide is scrolled.
 *
 * Locking: the monitor's CPU. Talks to: term, history, complete, lib/printk.
 */
#pragma once

#include <lib/compiler.h>

/*
 * Prompt for and read a line, without its end, into `line` of `size` bytes; what does not fit is
 * not accepted (and answered with a bell), nor are bytes that are not printable ASCII.
 *
 * Returns false if there is nothing to read from.
 */
bool line_read(const char *prompt, char *line, size_t size);
