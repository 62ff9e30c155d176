/*
 * Commands that show tables. Talks to: mm/show, dump, the registry of scratch spaces.
 */
#include <arch/mmu.h>
#include <lib/printk.h>
#include <lib/string.h>
#include <mm/kspace.h>
#include <mm/show.h>
#include <shell/dump.h>
#include <shell/kinds.h>
#include <shell/scratch.h>
#include <shell/shell.h>

SHELL_COMMAND(pt, "tables", "pt <va> [<space>]",
	      "the path of an address, level by level, and what it comes to")
{
	va_t va = arg_number(argv[1]);
	struct pt_root root;

	if (argc == 2) {
		show_current_walk(va);
		return true;
	}
	root = space_root_for(space_named(argv[2]), va);
	show_walk(&root, va);
	return true;
}

SHELL_COMMAND(ptdump, "tables", "ptdump [<space>] [linux|ranges|json]",
	      "all that a space maps: as Linux prints it, with memory, or table by table")
{
	const char *form = argc > 1 ? argv[argc - 1] : "linux";
	const struct space *s = argc > 1 ? space_named(argv[1]) : &kernel_space;
	const struct pt_root *root = &s->root;

	if (!strcmp(form, "json"))
		dump_json(s);
	else if (!strcmp(form, "ranges"))
		printk("%u ranges\n", show_dump(root, root->first, root->last + 1));
	else
		dump_linux(s);
	return true;
}

SHELL_COMMAND(levels, "tables", "levels", "what an entry of each level covers, here")
{
	static const char unit[] = "KMGTP";

	printk("level  covers   address bits   leaves   table covers\n");
	for (unsigned level = arch_mmu.top_level + 1; level--;) {
		unsigned kilo = (pt_shift(level) - 10) / 10, more = (pt_shift(level + 1) - 10) / 10;

		printk("%5u  %3lu %ciB   %6u..%-4u   %-6s   %3lu %ciB\n", level,
		       pt_size(level) >> (10 + 10 * kilo), unit[kilo], pt_shift(level + 1) - 1,
		       pt_shift(level), level <= arch_mmu.leaf_level_max ? "yes" : "no",
		       pt_size(level + 1) >> (10 + 10 * more), unit[more]);
	}
	return true;
}
