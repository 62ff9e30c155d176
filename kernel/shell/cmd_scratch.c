/*
 * Experiments on scratch spaces: making, forking, mapping, touching.
 *
 * Accesses go through the CPU's MMU with the space loaded, and page faults through mm/fault, as a
 * program's would. Talks to: mm/space, mm/copy, mm/share, arch/trap.
 */
#include <arch/trap.h>
#include <lib/printk.h>
#include <lib/string.h>
#include <mm/copy.h>
#include <mm/frame.h>
#include <mm/share.h>
#include <shell/device.h>
#include <shell/kinds.h>
#include <shell/scratch.h>
#include <shell/shell.h>
#include <shell/watch.h>

/* Name a space that was made for it, or let it go again. */
static bool adopt(const char *name, struct space *s)
{
	if (!s) {
		printk("%s: out of memory\n", name);
		return false;
	}
	if (scratch_add(name, s))
		return true;
	space_destroy(s);
	printk("%s: there are %d scratch spaces already\n", name, SCRATCH_MAX);
	return false;
}

static bool fork_scratch(struct space *parent, const char *name, const char *strategy)
{
	struct share_stats before = share_stats;
	uint64_t free_count = frame_free_count();
	bool usual = fork_shares_tables;
	struct space *child;

	if (strategy)
		fork_shares_tables = !strcmp(strategy, "shared");
	child = space_fork(parent);
	if (adopt(name, child))
		printk("%s: forked %s; %lu tables shared, %lu frames taken\n", name,
		       fork_shares_tables ? "by sharing" : "eagerly",
		       share_stats.shared - before.shared, free_count - frame_free_count());
	fork_shares_tables = usual;
	return child;
}

static bool free_scratch(struct space *s)
{
	uint64_t free_count = frame_free_count();
	const char *name = scratch_name(s);

	if (space_current() == s)
		space_switch(NULL);
	watch_forget(s);
	device_forget(s);
	scratch_remove(s);
	space_destroy(s);
	printk("%s: gone, %lu frames came back\n", name, frame_free_count() - free_count);
	return true;
}

SHELL_COMMAND(space, "scratch",
	      "space new <newname> | space fork <scratch> <newname> [eager|shared] |"
	      " space free <scratch>",
	      "make a space, fork one, let one go")
{
	if (!strcmp(argv[1], "new"))
		return adopt(argv[2], space_create());
	if (!strcmp(argv[1], "fork"))
		return fork_scratch(scratch_find(argv[2]), argv[3], argc > 4 ? argv[4] : NULL);
	return free_scratch(scratch_find(argv[2]));
}

SHELL_COMMAND(map, "scratch", "map <scratch> <va> <bytes> [r|rw|rx|rwx] [huge] [shared]",
	      "add an area of memory that is zero until it is written")
{
	struct area_spec spec = {
		.start = arg_number(argv[2]),
		.end = arg_number(argv[2]) + arg_bytes(argv[3]),
		.kind = AREA_ANON,
		.rights = PT_R | PT_W,
	};

	for (int i = 4; i < argc; i++) {
		if (!strcmp(argv[i], "huge"))
			spec.flags |= AREA_HUGE;
		else if (!strcmp(argv[i], "shared"))
			spec.flags |= AREA_SHARED;
		else
			spec.rights = arg_rights(argv[i]);
	}
	return shell_say_error("map", space_add_area(scratch_find(argv[1]), &spec));
}

SHELL_COMMAND(unmap, "scratch", "unmap <scratch> <va> <bytes>",
	      "remove all areas and pages from a range")
{
	va_t start = arg_number(argv[2]);

	return shell_say_error(
		"unmap", space_unmap(scratch_find(argv[1]), start, start + arg_bytes(argv[3])));
}

SHELL_COMMAND(protect, "scratch", "protect <scratch> <va> <bytes> r|rw|rx|rwx",
	      "give a range other rights")
{
	va_t start = arg_number(argv[2]);

	return shell_say_error("protect",
			       space_protect(scratch_find(argv[1]), start,
					     start + arg_bytes(argv[3]), arg_rights(argv[4])));
}

static void print_faults(const struct space *s, const uint64_t before[FAULT_RESULT_COUNT])
{
	static const char *const name[] = { "stale", "filled", "reused", "copied" };
	bool any = false;

	for (unsigned i = 0; i < FAULT_RESULT_COUNT; i++) {
		if (space_fault_count(s, i) == before[i])
			continue;
		printk("; page fault: %s", name[i]);
		any = true;
	}
	printk("%s\n", any ? "" : "; no fault");
}

static void print_refusal(const struct trap_info *trap)
{
	if (trap->vector != TRAP_PF) {
		printk("refused: trap %u, error %#lx\n", trap->vector, trap->error);
		return;
	}
	printk("refused: page fault at %#lx, error %#lx (%s, %s)\n", trap->va, trap->error,
	       trap->error & PF_P ? "not allowed" : "not present",
	       trap->error & PF_W ? "write" : "read");
}

static bool touch(struct space *s, struct access *a)
{
	uint64_t before[FAULT_RESULT_COUNT];
	struct trap_info trap;

	for (unsigned i = 0; i < FAULT_RESULT_COUNT; i++)
		before[i] = space_fault_count(s, i);
	space_switch(s);
	trap = arch_access(a);
	space_switch(NULL);
	if (trap.vector != TRAP_NONE) {
		print_refusal(&trap);
		return false;
	}
	printk("%#lx: %s %#lx", a->va, a->kind == ACCESS_READ ? "reads" : "written", a->value);
	print_faults(s, before);
	return true;
}

SHELL_COMMAND(touch, "scratch", "touch <scratch> <va> [read] | touch <scratch> <va> write <number>",
	      "read or write 8 bytes through the MMU, as a program would")
{
	struct space *s = scratch_find(argv[1]);
	struct access a = { .va = arg_number(argv[2]), .smap_open = true };

	if (argc == 5) {
		a.kind = ACCESS_WRITE;
		a.value = arg_number(argv[4]);
	}
	if (!pt_root_covers(&s->root, a.va, a.va + 7))
		return shell_say_error("touch", -ERANGE);
	return touch(s, &a);
}
