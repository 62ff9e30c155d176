/* Output a screenful at a time; see pager.h. It stands between printk and the serial line. */
#include <dev/serial.h>
#include <lib/compiler.h>
#include <lib/printk.h>
#include <lib/string.h>
#include <shell/pager.h>
#include <shell/term.h>

#define QUESTION "-- more: space, return, q --"
#define KEPT_BYTES 32768

static char kept[KEPT_BYTES];
static size_t kept_length;
static unsigned lines_left; /* on the screen */
static bool spilled;        /* too much to keep: everything goes through */

/* Show text up to where the screen is full. Returns how much that was. */
static size_t show(const char *text, size_t length)
{
	size_t count = 0;

	while (count < length && lines_left)
		if (text[count++] == '\n')
			lines_left--;
	serial_write(text, count);
	return count;
}

static void spill(void)
{
	serial_write(kept, kept_length);
	kept_length = 0;
	spilled = true;
}

static void pager_write(const char *text, size_t length)
{
	size_t shown = spilled ? 0 : show(text, length);

	text += shown;
	length -= shown;
	if (!spilled && (length > KEPT_BYTES - kept_length || panic_has_begun()))
		spill();
	if (spilled) {
		serial_write(text, length);
		return;
	}
	memcpy(kept + kept_length, text, length);
	kept_length += length;
}

/* Ask how to go on. Returns the number of lines wanted. */
static unsigned ask(void)
{
	int key;

	serial_write(QUESTION, strlen(QUESTION));
	do {
		key = term_read_key();
	} while (key != ' ' && key != '\r' && key != '\n' && key != 'q' && key != KEY_CTRL('C') &&
		 key != KEY_CLOSED);
	printk("\r%*s\r", (int)strlen(QUESTION), "");
	if (key == ' ')
		return term_rows - 1;
	return key == '\r' || key == '\n' ? 1 : 0;
}

void pager_begin(void)
{
	if (!term_rows)
		return;
	lines_left = term_rows - 1;
	kept_length = 0;
	spilled = false;
	printk_set_console(pager_write);
}

void pager_end(void)
{
	size_t shown = 0;

	printk_set_console(serial_write);
	while (shown < kept_length && (lines_left = ask()) > 0)
		shown += show(kept + shown, kept_length - shown);
	kept_length = 0;
}
