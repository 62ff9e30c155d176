/*
 * The engine of printk and ksnprintf: turns a format and its arguments into pieces of text.
 *
 * No state, no locking; compiles on the host. Talks to nobody.
 */
#pragma once

#include <lib/compiler.h>

/* Where the text goes. Embed it and find yourself with CONTAINER_OF. */
struct format_sink {
	void (*put)(struct format_sink *sink, const char *text, size_t length);
};

/*
 * Send the formatted text to the sink, piece by piece (the conversions are printk's). A conversion
 * that does not exist is sent as it stands.
 *
 * Returns the length of the whole text.
 */
int format_text(struct format_sink *sink, const char *fmt, __builtin_va_list args);
