/*
 * What spaces there are, and what is in them. Talks to: mm/space, mm/kspace.
 */
#include <lib/printk.h>
#include <lib/spinlock.h>
#include <mm/kspace.h>
#include <mm/show.h>
#include <shell/scratch.h>
#include <shell/shell.h>

static uint64_t table_count(const struct space *s)
{
	uint64_t count = 0;

	for (unsigned level = 0; level < PT_LEVEL_MAX; level++)
		count += s->root.owner->table_count[level];
	return count;
}

static void print_space(const char *name, const struct space *s)
{
	unsigned areas = 0;
	const struct area *area;
	int64_t pages = 0;

	list_for_each(area, &s->areas, link)
		areas++;
	for (unsigned kind = 0; kind < MAPPED_SWAP; kind++)
		pages += space_mapped(s, kind);
	printk("%-12s %#12lx %7u %8ld %7ld %7lu\n", name, s->root.top.pa.value, areas, pages,
	       space_mapped(s, MAPPED_SWAP), table_count(s));
}

static void print_scratch(void *arg, const char *name)
{
	struct space *s = scratch_find(name);

	(void)arg;
	rw_write_lock(&s->lock);
	print_space(name, s);
	rw_write_unlock(&s->lock);
}

SHELL_COMMAND(spaces, "scratch", "spaces", "every space: its areas, pages and tables")
{
	const struct space *s;
	unsigned others = 0;

	printk("%-12s %12s %7s %8s %7s %7s\n", "space", "top table", "areas", "pages", "swapped",
	       "tables");
	printk("%-12s %#12lx %7s %8s %7s %7lu\n", "kernel", kernel_space.root.top.pa.value, "-",
	       "-", "-", table_count(&kernel_space));
	scratch_each(print_scratch, NULL);
	spin_lock(&space_list_lock);
	list_for_each(s, &space_list, link)
		others += s != &kernel_space && !scratch_name(s);
	spin_unlock(&space_list_lock);
	if (others)
		printk("and %u that the monitor has no name for\n", others);
	printk("(tables: of all spaces that forks have related, each counted once)\n");
	return true;
}

static void print_area(const struct area *area)
{
	static const char *const kind[] = { "anonymous", "object", "device" };
	static const char *const mapped[] = { "anonymous", "object", "device", "zero", "swapped" };
	char attr[32];

	printk("0x%016lx-0x%016lx %.3s %s%s%s%s:", area->start, area->end,
	       show_attr(area->rights, attr), kind[area->kind],
	       area->flags & AREA_SHARED ? " shared" : "",
	       area->flags & AREA_NOFORK ? " nofork" : "", area->flags & AREA_HUGE ? " huge" : "");
	for (unsigned i = 0; i < MAPPED_KIND_COUNT; i++)
		if (area->mapped[i])
			printk(" %ld %s", area->mapped[i], mapped[i]);
	printk("\n");
}

SHELL_COMMAND(areas, "scratch", "areas <scratch>", "the areas of a space, and their pages by kind")
{
	struct space *s = scratch_find(argv[1]);
	struct area *area;

	rw_write_lock(&s->lock);
	list_for_each(area, &s->areas, link) {
		area_collect(area);
		print_area(area);
	}
	rw_write_unlock(&s->lock);
	return true;
}
