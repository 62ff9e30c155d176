/*
 * The demonstration's first part: the tables the kernel runs on, condensed to a line a region.
 */
#include <arch/image.h>
#include <lib/printk.h>
#include <mm/kspace.h>
#include <mm/show.h>
#include <shell/demo.h>

/* A part of the kernel half. */
struct region {
	const char *name;
	const void *start, *end;
};

static const struct region region[] = {
	{ "all of RAM", (void *)DIRECT_BASE, (void *)DIRECT_END },
	{ "dynamic", (void *)DYNAMIC_BASE, (void *)DYNAMIC_END },
	{ "kernel text", image_text_start, image_text_end },
	{ "constants", image_rodata_start, image_rodata_end },
	{ "data", image_data_start, image_data_end },
};

/* What the dump found in one. */
struct found {
	va_t first;
	uint64_t bytes, leaves[PT_LEVEL_MAX];
	pt_attr_t attr;
};

static void found_add(void *arg, const struct pt_span *s)
{
	struct found *found = arg;

	for (unsigned i = 0; i < ARRAY_SIZE(region); i++) {
		struct found *f = &found[i];

		if (s->va < (va_t)region[i].start || s->va >= (va_t)region[i].end)
			continue;
		if (!f->bytes)
			f->first = s->va;
		f->bytes += s->last - s->va + 1;
		f->leaves[s->level] += (s->last - s->va + 1) >> pt_shift(s->level);
		f->attr |= s->attr;
	}
}

static void print_size(uint64_t bytes)
{
	if (bytes >= 16ull << 20)
		printk("%8lu MiB", bytes >> 20);
	else
		printk("%8lu KiB", bytes >> 10);
}

static void print_region(const char *name, const struct found *f)
{
	char attr[32];

	if (!f->bytes)
		return;
	printk("  %-12s %#18lx", name, f->first);
	print_size(f->bytes);
	printk("  %7lu %7lu %5lu   %.3s\n", f->leaves[0], f->leaves[1], f->leaves[2],
	       show_attr(f->attr, attr));
}

bool demo_kernel_tables(void)
{
	const struct pt_root *root = &kernel_space.root;
	struct found found[ARRAY_SIZE(region)] = { 0 };

	demo_title("1. My own tables: %u levels, the top one at %#lx", root->top.level + 1,
		   root->top.pa.value);
	pt_dump(root, root->first, root->last + 1, found_add, found);
	printk("  %-12s %18s%12s  %7s %7s %5s   %s\n", "", "from", "size", "4K", "2M", "1G", "may");
	for (unsigned i = 0; i < ARRAY_SIZE(region); i++)
		print_region(region[i].name, &found[i]);
	printk("\n%lu KiB of tables; leaves that are writable and executable: %u.\n"
	       "How the CPU finds the code that is running:\n\n",
	       kspace_table_bytes() >> 10, kspace_check_rights());
	show_current_walk((va_t)demo_kernel_tables);
	return true;
}
