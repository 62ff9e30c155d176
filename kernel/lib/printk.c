/*
 * printk: formatted text to the console that was registered; before that, nowhere.
 *
 * Locking: none yet; with several CPUs pieces of two texts may mix, nothing worse.
 * Talks to: the console (dev/serial), through printk_set_console.
 */
#include <lib/format.h>
#include <lib/printk.h>

static void (*console_write)(const char *text, size_t length);

void printk_set_console(void (*write)(const char *text, size_t length))
{
	console_write = write;
}

static void console_put(struct format_sink *sink, const char *text, size_t length)
{
	(void)sink;
	if (console_write)
		console_write(text, length);
}

void vprintk(const char *fmt, __builtin_va_list args)
{
	struct format_sink sink = { console_put };

	format_text(&sink, fmt, args);
}

void printk(const char *fmt, ...)
{
	__builtin_va_list args;

	__builtin_va_start(args, fmt);
	vprintk(fmt, args);
	__builtin_va_end(args);
}
