/* Kinds of arguments; see kinds.h: one table row a kind. */
#include <lib/parse.h>
#include <lib/printk.h>
#include <lib/string.h>
#include <shell/kinds.h>
#include <shell/scratch.h>
#include <shell/shell.h>
#include <tests/kernel/test.h>

static bool is_number(const char *text)
{
	uint64_t value;

	return parse_number(text, &value);
}

/* A number, perhaps with a unit behind it. */
static bool parse_bytes(const char *text, uint64_t *bytes)
{
	static const char units[] = "KMGT";
	size_t length = strlen(text);
	const char *unit = length ? strchr(units, text[length - 1]) : NULL;
	unsigned shift = unit ? 10 * (unsigned)(unit - units + 1) : 0;
	char digits[24];

	if (length >= sizeof(digits))
		return false;
	memcpy(digits, text, length + 1);
	if (unit)
		digits[length - 1] = '\0';
	if (!parse_number(digits, bytes) || *bytes > ~0ull >> shift)
		return false;
	*bytes <<= shift;
	return true;
}

static bool is_bytes(const char *text)
{
	uint64_t bytes;

	return parse_bytes(text, &bytes);
}

static bool is_command(const char *text)
{
	return shell_find_command(text);
}

static bool is_scratch(const char *text)
{
	return scratch_find(text);
}

static bool is_space(const char *text)
{
	return is_scratch(text) || !strcmp(text, "kernel");
}

static void each_space(void (*found)(void *arg, const char *word), void *arg)
{
	scratch_each(found, arg);
	found(arg, "kernel");
}

/* One that can be told from every other word. */
static bool is_new_name(const char *text)
{
	size_t length = strlen(text);

	if (!length || length >= SCRATCH_NAME_BYTES || is_space(text) || is_number(text))
		return false;
	for (; *text; text++)
		if (!(*text >= 'a' && *text <= 'z') && !(*text >= '0' && *text <= '9'))
			return false;
	return true;
}

static const struct kind {
	const char *name;
	bool (*fits)(const char *text);
	void (*each)(void (*found)(void *arg, const char *word), void *arg);
} table[] = {
	{ "va", is_number, NULL },
	{ "pa", is_number, NULL },
	{ "number", is_number, NULL },
	{ "bytes", is_bytes, NULL },
	{ "space", is_space, each_space },
	{ "scratch", is_scratch, scratch_each },
	{ "newname", is_new_name, NULL },
	{ "command", is_command, shell_each_command },
	{ "topic", shell_is_topic, shell_each_topic },
#if PTOLEMY_TEST
	{ "globs", NULL, test_each_suite },
#endif
};

static const struct kind *find_kind(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (!strcmp(table[i].name, name))
			return &table[i];
	return NULL;
}

bool kind_fits(const char *kind, const char *text)
{
	const struct kind *k = find_kind(kind);

	return !k || !k->fits || k->fits(text);
}

void kind_each(const char *kind, void (*found)(void *arg, const char *word), void *arg)
{
	const struct kind *k = find_kind(kind);

	if (k && k->each)
		k->each(found, arg);
}

uint64_t arg_number(const char *text)
{
	uint64_t value = 0;
	bool fits = parse_number(text, &value);

	ASSERT(fits);
	return value;
}

uint64_t arg_bytes(const char *text)
{
	uint64_t value = 0;
	bool fits = parse_bytes(text, &value);

	ASSERT(fits);
	return value;
}

pt_attr_t arg_rights(const char *text)
{
	return (strchr(text, 'r') ? PT_R : 0) | (strchr(text, 'w') ? PT_W : 0) |
	       (strchr(text, 'x') ? PT_X : 0);
}
