/* Names for spaces; see scratch.h. */
#include <lib/printk.h>
#include <lib/string.h>
#include <mm/kspace.h>
#include <shell/scratch.h>

static struct {
	char name[SCRATCH_NAME_BYTES];
	struct space *space; /* NULL: not in use */
} table[SCRATCH_MAX];

struct space *scratch_find(const char *name)
{
	for (unsigned i = 0; i < SCRATCH_MAX; i++)
		if (table[i].space && !strcmp(table[i].name, name))
			return table[i].space;
	return NULL;
}

const char *scratch_name(const struct space *s)
{
	for (unsigned i = 0; i < SCRATCH_MAX; i++)
		if (table[i].space == s)
			return table[i].name;
	return NULL;
}

void scratch_each(void (*found)(void *arg, const char *name), void *arg)
{
	for (unsigned i = 0; i < SCRATCH_MAX; i++)
		if (table[i].space)
			found(arg, table[i].name);
}

bool scratch_add(const char *name, struct space *s)
{
	for (unsigned i = 0; i < SCRATCH_MAX; i++) {
		if (table[i].space)
			continue;
		ksnprintf(table[i].name, SCRATCH_NAME_BYTES, "%s", name);
		table[i].space = s;
		return true;
	}
	return false;
}

void scratch_remove(const struct space *s)
{
	for (unsigned i = 0; i < SCRATCH_MAX; i++)
		if (table[i].space == s)
			table[i].space = NULL;
}

struct space *space_named(const char *name)
{
	struct space *s = scratch_find(name);

	return s ? s : &kernel_space;
}

struct pt_root space_root_for(const struct space *s, va_t va)
{
	struct pt_root root = s->root;

	if (s != &kernel_space && va >= kernel_space.root.first) {
		root = kernel_space.root;
		root.top = s->root.top;
	}
	return root;
}
