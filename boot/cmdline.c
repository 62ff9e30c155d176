/*
 * la57=auto|on|off on the command line, read as kernel/options reads it: words are separated by
 * spaces, quotes hold a word together (so run="la57=on" is not ours), the last one wins. A bad
 * value changes nothing here; the kernel reports it.
 */
#include <boot/boot.h>

/* Take the next word off the front of `text`; empty at the end. */
static struct boot_text take_word(struct boot_text *text)
{
	struct boot_text word;
	bool quoted = false;

	while (text->bytes && *text->start == ' ') {
		text->start++;
		text->bytes--;
	}
	word = (struct boot_text){text->start, 0};
	while (text->bytes && (quoted || *text->start != ' ')) {
		quoted ^= *text->start == '"';
		word.bytes++;
		text->start++;
		text->bytes--;
	}
	return word;
}

static bool word_is(struct boot_text word, const char *text)
{
	for (uint32_t i = 0; i < word.bytes; i++) {
		if (!*text || word.start[i] != *text++)
			return false;
	}
	return !*text;
}

enum boot_la57 boot_cmdline_la57(struct boot_text text, enum boot_la57 otherwise)
{
	enum boot_la57 choice = otherwise;

	for (;;) {
		struct boot_text word = take_word(&text);

		if (!word.bytes)
			return choice;
		if (word_is(word, "la57=auto"))
			choice = BOOT_LA57_AUTO;
		else if (word_is(word, "la57=on"))
			choice = BOOT_LA57_ON;
		else if (word_is(word, "la57=off"))
			choice = BOOT_LA57_OFF;
	}
}
