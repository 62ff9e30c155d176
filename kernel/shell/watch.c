/* Watched addresses; see watch.h. A watch remembers the value of every entry on the path. */
#include <lib/printk.h>
#include <lib/string.h>
#include <mm/show.h>
#include <shell/kinds.h>
#include <shell/scratch.h>
#include <shell/shell.h>
#include <shell/watch.h>

#define WATCH_MAX 8

struct path {
	unsigned bottom; /* level of the last entry */
	ptv_t v[PT_LEVEL_MAX];
};

static struct watch {
	const struct space *space; /* NULL: not in use */
	va_t va;
	struct path path;
} table[WATCH_MAX];

static struct path read_path(const struct space *s, va_t va)
{
	struct pt_root root = space_root_for(s, va);
	unsigned level = root.top.level;
	struct path path = { 0 };
	ptp_t p = pt_top(&root, va);

	path.v[level] = ptp_get(p);
	while (ptv_is_table(path.v[level])) {
		p = pt_walk(path.v[level], va);
		path.v[--level] = ptp_get(p);
	}
	path.bottom = level;
	return path;
}

static const char *describe(const struct path *path, unsigned level, char text[static 64])
{
	ptv_t v = path->v[level];
	char attr[32];

	if (level < path->bottom || ptv_none(v))
		return "nothing";
	if (ptv_is_soft(v))
		ksnprintf(text, 64, "soft %#lx", ptv_soft_data(v));
	else
		ksnprintf(text, 64, "%#lx %s", ptv_pa(v).value, show_attr(ptv_attr(v), attr));
	return text;
}

static bool is_same(const struct path *a, const struct path *b, unsigned level)
{
	bool in_a = level >= a->bottom, in_b = level >= b->bottom;

	return in_a == in_b && (!in_a || ptv_raw(a->v[level]) == ptv_raw(b->v[level]));
}

static void report(struct watch *w)
{
	struct path now = read_path(w->space, w->va);
	char before[64], after[64];

	for (unsigned level = w->space->root.top.level + 1; level--;) {
		if (is_same(&w->path, &now, level))
			continue;
		printk("watch %s %#lx: level %u was %s, is %s\n", scratch_name(w->space), w->va,
		       level, describe(&w->path, level, before), describe(&now, level, after));
	}
	w->path = now;
}

void watch_report(void)
{
	for (unsigned i = 0; i < WATCH_MAX; i++)
		if (table[i].space)
			report(&table[i]);
}

void watch_forget(const struct space *s)
{
	for (unsigned i = 0; i < WATCH_MAX; i++)
		if (table[i].space == s)
			table[i].space = NULL;
}

static bool add(const struct space *s, va_t va)
{
	struct pt_root root = space_root_for(s, va);

	if (!pt_root_covers(&root, va, va))
		return shell_say_error("watch", -ERANGE);
	for (unsigned i = 0; i < WATCH_MAX; i++) {
		if (table[i].space)
			continue;
		table[i] = (struct watch){ s, va, read_path(s, va) };
		return true;
	}
	printk("watch: there are %d already\n", WATCH_MAX);
	return false;
}

SHELL_COMMAND(watch, "tables", "watch | watch <scratch> <va> | watch off",
	      "after each command, say what has changed on the path of an address")
{
	for (unsigned i = 0; i < WATCH_MAX && argc < 3; i++) {
		if (!table[i].space)
			continue;
		if (argc == 1)
			printk("watch %s %#lx\n", scratch_name(table[i].space), table[i].va);
		else
			table[i].space = NULL;
	}
	return argc < 3 || add(scratch_find(argv[1]), arg_number(argv[2]));
}
