/*
 * Numbers and words, see parse.h.
 */
#include <lib/parse.h>

/* The value of a digit in any base; 255 for what is none. */
static unsigned digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	c |= 0x20; /* lower case */
	return c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10 : 255;
}

bool parse_number(const char *text, uint64_t *value)
{
	unsigned base = 10;
	uint64_t v = 0;

	if (text[0] == '0' && (text[1] | 0x20) == 'x') {
		base = 16;
		text += 2;
	}
	if (!*text)
		return false;
	for (; *text; text++) {
		unsigned digit = digit_value(*text);

		if (digit >= base || __builtin_mul_overflow(v, base, &v) ||
		    __builtin_add_overflow(v, digit, &v))
			return false;
	}
	*value = v;
	return true;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

char *parse_word(char **text, bool *unclosed)
{
	char *in = *text, *word, *out;
	bool quoted = false;

	while (is_blank(*in))
		in++;
	if (!*in) {
		*text = in;
		return NULL;
	}
	for (word = out = in; *in && (quoted || !is_blank(*in)); in++) {
		if (*in == '"') {
			quoted = !quoted;
			continue;
		}
		if (*in == '\\' && in[1])
			in++;
		*out++ = *in;
	}
	*unclosed |= quoted;
	*text = *in ? in + 1 : in;
	*out = '\0';
	return word;
}
