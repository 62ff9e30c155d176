/*
 * la57=auto|on|off on the command line, in words as lib/parse reads them: separated by blanks;
 * double quotes keep blanks in a word (so run="pt la57=on" is not ours), a backslash keeps the
 * character behind it. The last one wins. A bad value changes nothing; the kernel reports it.
 */
#include <boot/boot.h>

#define WORD_MAX 16 /* longer than any word of ours, so that a word cut here is none of them */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static char take_char(struct boot_text *text)
{
	text->bytes--;
	return *text->start++;
}

/* Move the next word off the front of `text`, unquoted and cut to fit. Returns false at the end. */
static bool take_word(struct boot_text *text, char *word)
{
	bool quoted = false;
	unsigned length = 0;

	while (text->bytes && is_blank(*text->start))
		take_char(text);
	if (!text->bytes)
		return false;
	while (text->bytes && (quoted || !is_blank(*text->start))) {
		char c = take_char(text);

		if (c == '"') {
			quoted = !quoted;
			continue;
		}
		if (c == '\\' && text->bytes)
			c = take_char(text);
		if (length < WORD_MAX - 1)
			word[length++] = c;
	}
	word[length] = '\0';
	return true;
}

enum boot_la57 boot_cmdline_la57(struct boot_text text, enum boot_la57 otherwise)
{
	enum boot_la57 choice = otherwise;
	char word[WORD_MAX];

	while (take_word(&text, word)) {
		if (boot_text_equal(word, "la57=auto"))
			choice = BOOT_LA57_AUTO;
		else if (boot_text_equal(word, "la57=on"))
			choice = BOOT_LA57_ON;
		else if (boot_text_equal(word, "la57=off"))
			choice = BOOT_LA57_OFF;
	}
	return choice;
}
