/*
 * The line editor, see line.h: a buffer, a cursor, and one function that draws both.
 */
#include <lib/printk.h>
#include <lib/string.h>
#include <shell/complete.h>
#include <shell/history.h>
#include <shell/line.h>
#include <shell/term.h>

#define BELL '\a'

struct line {
	const char *prompt;
	char *text; /* always terminated */
	size_t size, length, cursor;
	size_t drawn, at;          /* characters on the screen, and before its cursor */
	unsigned age;              /* in the history; 0: the line being typed */
	char typed[HISTORY_BYTES]; /* which is kept here while another is shown */
};

static void put(char c, size_t count)
{
	while (count--)
		printk("%c", c);
}

/* The first character to show, so that the cursor is on the screen, and how many fit. */
static size_t window(const struct line *l, size_t *width)
{
	size_t prompt = strlen(l->prompt);

	*width = term_columns > prompt + 2 ? term_columns - prompt - 1 : l->size;
	return l->cursor < *width ? 0 : l->cursor - *width + 1;
}

/* Go from where the screen's cursor is back to the prompt, and draw all again. */
static void draw(struct line *l)
{
	size_t width, first = window(l, &width), count = l->length - first;

	if (count > width)
		count = width;
	put('\b', l->at);
	printk("%.*s", (int)count, l->text + first);
	if (l->drawn > count) {
		put(' ', l->drawn - count);
		put('\b', l->drawn - count);
	}
	put('\b', first + count - l->cursor);
	l->drawn = count;
	l->at = l->cursor - first;
}

/* The same on a line of its own. */
static void draw_below(struct line *l)
{
	printk("%s", l->prompt);
	l->drawn = l->at = 0;
	draw(l);
}

static void bell(void)
{
	printk("%c", BELL);
}

/* Put `length` characters in at the cursor; all of them or, with a bell, none. */
static void insert(struct line *l, const char *text, size_t length)
{
	bool plain = l->cursor == l->length && length == 1;
	size_t width;

	if (l->length + length >= l->size)
		return bell();
	memmove(l->text + l->cursor + length, l->text + l->cursor, l->length - l->cursor + 1);
	memcpy(l->text + l->cursor, text, length);
	l->length += length;
	l->cursor += length;
	if (!plain || window(l, &width) || l->length > width)
		return draw(l);
	printk("%c", text[0]);
	l->drawn++;
	l->at++;
}

/* Take [from, to) out; the cursor goes there. */
static void erase(struct line *l, size_t from, size_t to)
{
	if (from == to)
		return;
	memmove(l->text + from, l->text + to, l->length - to + 1);
	l->length -= to - from;
	l->cursor = from;
	draw(l);
}

static void move(struct line *l, size_t cursor)
{
	if (cursor == l->cursor || cursor > l->length) /* 0 - 1 is also beyond the end */
		return;
	l->cursor = cursor;
	draw(l);
}

static size_t word_start(const struct line *l)
{
	size_t at = l->cursor;

	while (at && l->text[at - 1] == ' ')
		at--;
	while (at && l->text[at - 1] != ' ')
		at--;
	return at;
}

/* Show the line from `age` lines ago in place of this one. */
static void recall(struct line *l, unsigned age)
{
	const char *text = age ? history_get(age) : l->typed;
	size_t length;

	if (!text)
		return bell();
	if (!l->age)
		memcpy(l->typed, l->text, l->length + 1);
	l->age = age;
	length = strnlen(text, l->size - 1);
	memcpy(l->text, text, length);
	l->text[length] = '\0';
	l->length = l->cursor = length;
	draw(l);
}

static void complete(struct line *l)
{
	struct completion found;

	complete_line(l->text, l->cursor, &found);
	if (!found.count)
		return bell();
	if (found.common[0])
		return insert(l, found.common, strlen(found.common));
	printk("\n");
	complete_list(l->text, l->cursor);
	draw_below(l);
}

static void edit_control(struct line *l, int key)
{
	switch (key) {
	case KEY_CTRL('C'):
	case KEY_CTRL('U'):
		return erase(l, 0, key == KEY_CTRL('C') ? l->length : l->cursor);
	case KEY_CTRL('K'):
		return erase(l, l->cursor, l->length);
	case KEY_CTRL('W'):
		return erase(l, word_start(l), l->cursor);
	case KEY_CTRL('I'):
		return complete(l);
	case KEY_CTRL('L'):
		printk("\n");
		return draw_below(l);
	default:
		return bell();
	}
}

static void edit(struct line *l, int key)
{
	char c = (char)key;

	switch (key) {
	case KEY_BACKSPACE:
		return erase(l, l->cursor ? l->cursor - 1 : 0, l->cursor);
	case KEY_DELETE:
	case KEY_CTRL('D'):
		return erase(l, l->cursor, l->cursor < l->length ? l->cursor + 1 : l->cursor);
	case KEY_LEFT:
	case KEY_CTRL('B'):
		return move(l, l->cursor - 1);
	case KEY_RIGHT:
	case KEY_CTRL('F'):
		return move(l, l->cursor + 1);
	case KEY_HOME:
	case KEY_CTRL('A'):
		return move(l, 0);
	case KEY_END:
	case KEY_CTRL('E'):
		return move(l, l->length);
	case KEY_UP:
	case KEY_CTRL('P'):
		return recall(l, l->age + 1);
	case KEY_DOWN:
	case KEY_CTRL('N'):
		return l->age ? recall(l, l->age - 1) : bell();
	case KEY_OTHER:
		return;
	default:
		return key >= ' ' ? insert(l, &c, 1) : edit_control(l, key);
	}
}

bool line_read(const char *prompt, char *line, size_t size)
{
	static struct line l;
	int key;

	l = (struct line){ .prompt = prompt, .text = line, .size = size };
	if (l.size > HISTORY_BYTES)
		l.size = HISTORY_BYTES;
	line[0] = '\0';
	printk("%s", prompt);
	while ((key = term_read_key()) != '\r' && key != '\n' && key != KEY_CLOSED)
		edit(&l, key);
	printk("\n");
	history_add(line);
	return key != KEY_CLOSED;
}
