/*
 * The console: COM1, 115200 8N1, polled.
 *
 * Locking: none; a byte is the unit that is never torn.
 * Talks to: arch (port I/O).
 */
#pragma once

#include <lib/compiler.h>

/* Set the line up. Harmless when there is no port: writing then goes nowhere. */
void serial_init(void);

/* Send text; '\n' goes out as CR LF. Waits for the transmitter, but not for ever. */
void serial_write(const char *text, size_t length);

/* Returns the next byte received, waiting for it; -1 if there is no port. */
int serial_read(void);
