/*
 * Keys as terminals send them (ECMA-48 control sequences), see term.h.
 *
 *   ESC [ A..D H F         arrows, home, end; also ESC O
 *   ESC [ 1|3|4|7|8 ~      home, delete, end, home, end
 *   ESC [ rows ; columns R where the cursor is: the answer to ESC [ 6 n
 */
#include <dev/serial.h>
#include <lib/printk.h>
#include <shell/term.h>

#define ESCAPE 0x1b
#define SIZE_MAX_SANE 1000u

unsigned term_rows, term_columns;

void term_ask_size(void)
{
	/* Note where the cursor is, send it to the far corner, ask where it got to, put it back. */
	printk("\0337\033[999;999H\033[6n\0338");
}

static void note_size(unsigned rows, unsigned columns)
{
	if (rows < 4 || rows > SIZE_MAX_SANE || columns < 20 || columns > SIZE_MAX_SANE)
		return;
	term_rows = rows;
	term_columns = columns;
}

static int key_of_number(unsigned number)
{
	switch (number) {
	case 1:
	case 7:
		return KEY_HOME;
	case 3:
		return KEY_DELETE;
	case 4:
	case 8:
		return KEY_END;
	default:
		return KEY_OTHER;
	}
}

static int key_of_final(int c, const unsigned number[2])
{
	switch (c) {
	case 'A':
		return KEY_UP;
	case 'B':
		return KEY_DOWN;
	case 'C':
		return KEY_RIGHT;
	case 'D':
		return KEY_LEFT;
	case 'H':
		return KEY_HOME;
	case 'F':
		return KEY_END;
	case '~':
		return key_of_number(number[0]);
	case 'R':
		note_size(number[0], number[1]);
		return KEY_OTHER;
	default:
		return c < 0 ? KEY_CLOSED : KEY_OTHER;
	}
}

/* Behind ESC [: two numbers at most matter, then the byte that ends the sequence. */
static int read_sequence(void)
{
	unsigned number[2] = { 0 }, i = 0;
	int c;

	while ((c = serial_read()) >= ' ' && c < '@') {
		if (c == ';')
			i = 1;
		else if (c >= '0' && c <= '9' && number[i] <= SIZE_MAX_SANE)
			number[i] = number[i] * 10 + (unsigned)(c - '0');
	}
	return key_of_final(c, number);
}

int term_read_key(void)
{
	int c = serial_read();

	if (c < 0)
		return KEY_CLOSED;
	if (c == '\b')
		return KEY_BACKSPACE;
	if (c != ESCAPE)
		return c < 0x80 ? c : KEY_OTHER;
	c = serial_read();
	return c == '[' || c == 'O' ? read_sequence() : c < 0 ? KEY_CLOSED : KEY_OTHER;
}
