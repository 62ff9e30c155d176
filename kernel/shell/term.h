/*
 * The terminal at the other end of the serial line: its size, and the keys it sends.
 *
 * A size is known only if the terminal has answered term_ask_size, so a program that types at the
 * prompt, and never answers, gets plain text without escape sequences and without pauses.
 *
 * Locking: the monitor's CPU. Talks to: dev/serial.
 */
#pragma once

#include <lib/compiler.h>

enum key {
	KEY_CTRL_A = 1, /* and so on: 'X' - '@' */
	KEY_BACKSPACE = 0x7f,
	KEY_LEFT = 0x100,
	KEY_RIGHT,
	KEY_UP,
	KEY_DOWN,
	KEY_HOME,
	KEY_END,
	KEY_DELETE,
	KEY_OTHER, /* known to be none of these */
	KEY_CLOSED = -1,
};
#define KEY_CTRL(letter) ((letter) - '@')

/* 0: not known. */
extern unsigned term_rows, term_columns;

/* Ask the terminal for its size; the answer comes as input, and term_read_key takes it. */
void term_ask_size(void);

/* Wait for a key: a printable character, a control character, or enum key. */
int term_read_key(void);
