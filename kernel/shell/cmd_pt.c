/*
 * Monitor commands that show tables. Talks to: mm/show.
 */
#include <lib/parse.h>
#include <lib/printk.h>
#include <mm/kspace.h>
#include <mm/show.h>
#include <shell/shell.h>

SHELL_COMMAND(pt, "pt <va>", "walk an address, level by level")
{
	uint64_t va;

	if (argc != 2 || !parse_number(argv[1], &va))
		return shell_usage("pt");
	show_current_walk(va);
	return true;
}

SHELL_COMMAND(ptdump, "ptdump", "the kernel's own tables, neighbouring pages merged")
{
	const struct pt_root *root = &kernel_space.root;

	(void)argv;
	if (argc != 1)
		return shell_usage("ptdump");
	printk("%u ranges\n", show_dump(root, root->first, root->last + 1));
	return true;
}
