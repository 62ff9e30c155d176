/* Usage lines as grammar; see words.h. Forms are tried in order, by recursion over their words. */
#include <lib/printk.h>
#include <lib/string.h>
#include <shell/kinds.h>
#include <shell/words.h>

#define ITEM_BYTES 24

/* One word of a form, without its brackets. */
struct word {
	const char *text;
	size_t length;
	bool optional;
};

struct match {
	int argc;
	char *const *argv;
	/* what stopped the form that got furthest, the first of those that did */
	int furthest;
	struct word expected; /* length 0: nothing more */
	/* completion: what begins with prefix at argv[argc] is told to found */
	const char *prefix;
	void (*found)(void *arg, const char *word);
	void *arg;
};

/* Cut the next word off a form. False at its end. */
static bool next_word(const char **form, struct word *w)
{
	const char *p = *form;

	while (*p == ' ')
		p++;
	if (!*p || (p[0] == '|' && p[1] == ' '))
		return false;
	w->optional = *p == '[';
	w->text = p += w->optional;
	while (*p && *p != ' ' && *p != ']')
		p++;
	w->length = (size_t)(p - w->text);
	*form = *p == ']' ? p + 1 : p;
	return true;
}

/* Copy the alternative that begins at *offset, without <>, and go on behind it. */
static bool next_item(const struct word *w, size_t *offset, char item[static ITEM_BYTES],
		      bool *is_kind)
{
	size_t start = *offset, end = start;

	if (start >= w->length)
		return false;
	while (end < w->length && w->text[end] != '|')
		end++;
	*offset = end + 1;
	*is_kind = w->text[start] == '<';
	start += *is_kind;
	end -= *is_kind;
	ksnprintf(item, ITEM_BYTES, "%.*s", (int)(end - start), w->text + start);
	return true;
}

static bool word_fits(const struct word *w, const char *text)
{
	char item[ITEM_BYTES];
	size_t offset = 0;
	bool is_kind;

	while (next_item(w, &offset, item, &is_kind))
		if (is_kind ? kind_fits(item, text) : !strcmp(item, text))
			return true;
	return false;
}

/* A kind's words are offered to match_offer, like literal ones. */
static void match_offer(void *arg, const char *word)
{
	const struct match *m = arg;

	if (!strncmp(word, m->prefix, strlen(m->prefix)))
		m->found(m->arg, word);
}

static void match_offer_word(struct match *m, const struct word *w)
{
	char item[ITEM_BYTES];
	size_t offset = 0;
	bool is_kind;

	while (next_item(w, &offset, item, &is_kind)) {
		if (is_kind)
			kind_each(item, match_offer, m);
		else
			match_offer(m, item);
	}
}

static void match_note(struct match *m, int i, const struct word *expected)
{
	if (i <= m->furthest)
		return;
	m->furthest = i;
	m->expected = *expected;
}

/* Do the arguments from i on fit the rest of a form? */
static bool match_form(struct match *m, const char *form, int i)
{
	struct word w = { .length = 0 };

	if (!next_word(&form, &w)) {
		match_note(m, i, &w);
		return i == m->argc;
	}
	if (i == m->argc && m->found)
		match_offer_word(m, &w);
	if (i < m->argc && word_fits(&w, m->argv[i]) && match_form(m, form, i + 1))
		return true;
	match_note(m, i, &w);
	return w.optional && match_form(m, form, i);
}

static const char *next_form(const char *form)
{
	for (; *form; form++)
		if (!strncmp(form, " | ", 3))
			return form + 3;
	return NULL;
}

bool words_check(const char *usage, int argc, char *const *argv)
{
	struct match m = { .argc = argc, .argv = argv, .furthest = -1 };

	for (const char *form = usage; form; form = next_form(form))
		if (match_form(&m, form, 0))
			return true;
	if (m.furthest < argc && m.expected.length)
		printk("\"%s\" is not %.*s; ", argv[m.furthest], (int)m.expected.length,
		       m.expected.text);
	printk("usage: %s\n", usage);
	return false;
}

void words_each_next(const char *usage, int argc, char *const *argv, const char *prefix,
		     void (*found)(void *arg, const char *word), void *arg)
{
	struct match m = {
		.argc = argc, .argv = argv, .prefix = prefix, .found = found, .arg = arg
	};

	for (const char *form = usage; form; form = next_form(form))
		match_form(&m, form, 0);
}
