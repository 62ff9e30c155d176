/*
 * Line input, see line.h.
 */
#include <dev/serial.h>
#include <lib/printk.h>
#include <shell/line.h>

#define BELL '\a'
#define BACKSPACE '\b'
#define DELETE 0x7f
#define CTRL_C 0x03
#define CTRL_U 0x15

static bool is_printable(int c)
{
	return c >= ' ' && c < DELETE;
}

static size_t erase(size_t length, size_t count)
{
	for (; count; count--, length--)
		printk("\b \b");
	return length;
}

/* Put the byte `c` into the line, or do what it stands for. Returns the line's new length. */
static size_t edit(char *line, size_t length, size_t size, int c)
{
	if (c == BACKSPACE || c == DELETE)
		return erase(length, length ? 1 : 0);
	if (c == CTRL_C || c == CTRL_U)
		return erase(length, length);
	if (!is_printable(c) || length + 1 >= size) {
		printk("%c", BELL);
		return length;
	}
	line[length] = (char)c;
	printk("%c", c);
	return length + 1;
}

bool line_read(const char *prompt, char *line, size_t size)
{
	size_t length = 0;
	int c;

	printk("%s", prompt);
	while ((c = serial_read()) >= 0 && c != '\r' && c != '\n')
		length = edit(line, length, size, c);
	line[length] = '\0';
	printk("\n");
	return c >= 0;
}
