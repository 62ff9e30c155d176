/*
 * The guided demonstration, see demo.h: its order, and the parts about fork.
 */
#include <arch/cpu.h>
#include <arch/trap.h>
#include <lib/printk.h>
#include <mm/copy.h>
#include <mm/frame.h>
#include <mm/share.h>
#include <shell/demo.h>
#include <shell/shell.h>

#define PAGE_COUNT (DEMO_BYTES >> PAGE_SHIFT)

/* ---- What the parts work on. ---- */

static bool demo_access(struct space *s, struct access *a)
{
	if (space_current() != s)
		space_switch(s);
	a->smap_open = true;
	return arch_access(a).vector == TRAP_NONE;
}

bool demo_write(struct space *s, va_t va, uint64_t value)
{
	struct access a = { .va = va, .kind = ACCESS_WRITE, .value = value };

	return demo_access(s, &a);
}

bool demo_read(struct space *s, va_t va, uint64_t *value)
{
	struct access a = { .va = va, .kind = ACCESS_READ };
	bool ok = demo_access(s, &a);

	*value = a.value;
	return ok;
}

static bool fill(struct space *s)
{
	struct area_spec spec = {
		.start = DEMO_START,
		.end = DEMO_START + DEMO_BYTES,
		.kind = AREA_ANON,
		.rights = PT_R | PT_W,
	};
	bool ok = !space_add_area(s, &spec);

	for (va_t va = spec.start; va < spec.end && ok; va += PAGE_SIZE)
		ok = demo_write(s, va, 1);
	return ok;
}

struct space *demo_create_space(void)
{
	struct space *s = space_create();

	if (s && fill(s))
		return s;
	printk("  not enough memory to show it\n");
	demo_destroy(s, NULL);
	return NULL;
}

void demo_destroy(struct space *a, struct space *b)
{
	space_switch(NULL);
	if (a)
		space_destroy(a);
	if (b)
		space_destroy(b);
}

uint64_t demo_table_count(const struct space *s)
{
	uint64_t count = 0;

	for (unsigned level = 0; level < PT_LEVEL_MAX; level++)
		count += s->family->owner.table_count[level];
	return count;
}

/* ---- Fork. ---- */

static struct space *fork_or_say(struct space *parent)
{
	struct space *child;

	space_switch(parent);
	child = space_fork(parent);
	if (!child)
		printk("  not enough memory to fork\n");
	return child;
}

static bool write_or_say(struct space *s, uint64_t value)
{
	bool ok = demo_write(s, DEMO_VA, value);

	if (!ok)
		printk("  not enough memory for the write\n");
	return ok;
}

static bool show_child_write(struct space *parent, struct space *child)
{
	struct share_stats before = share_stats;
	uint64_t tables = demo_table_count(parent);

	if (!write_or_say(child, 2))
		return false;
	printk("The child writes 2 to that page. One page fault unshares the path from the top,\n"
	       "a table a level: %lu tables copied, 1 page copied, %lu tables more than "
	       "before:\n\n",
	       share_stats.copied - before.copied, demo_table_count(parent) - tables);
	demo_draw_paths(parent, "parent", child, "child", DEMO_VA);
	return true;
}

static bool show_parent_write(struct space *parent, struct space *child)
{
	struct share_stats before = share_stats;
	uint64_t tables = demo_table_count(parent);

	if (!write_or_say(parent, 3))
		return false;
	printk("The parent writes 3. Nobody else goes this way any more: %lu tables copied, W\n"
	       "given back in %lu entries, %lu tables more; what lies beside stays shared:\n\n",
	       share_stats.copied - before.copied, share_stats.reused - before.reused,
	       demo_table_count(parent) - tables);
	demo_draw_paths(parent, "parent", child, "child", DEMO_VA);
	return true;
}

static bool show_shared(struct space *parent)
{
	struct share_stats before = share_stats;
	struct space *child;
	bool ok;

	printk("A space has written 1 to each of %llu pages at %#llx, under %lu tables:\n\n",
	       PAGE_COUNT, DEMO_START, demo_table_count(parent));
	demo_draw_paths(parent, "parent", NULL, NULL, DEMO_VA);
	child = fork_or_say(parent);
	if (!child)
		return false;
	printk("It forks: %lu table gets a second edge, and with it all below is shared; nothing\n"
	       "is copied. The two entries above it lose W, which write-protects all of it:\n\n",
	       share_stats.shared - before.shared);
	demo_draw_paths(parent, "parent", child, "child", DEMO_VA);
	ok = show_child_write(parent, child) && show_parent_write(parent, child);
	demo_destroy(child, NULL);
	return ok;
}

/* A parent, and the strategy for its fork; both are as before afterwards. */
static bool with_parent(bool shares, bool (*show)(struct space *parent))
{
	uint64_t free_count = frame_free_count();
	struct space *parent = demo_create_space();
	bool before = fork_shares_tables, ok;

	if (!parent)
		return false;
	fork_shares_tables = shares;
	ok = show(parent);
	fork_shares_tables = before;
	demo_destroy(parent, NULL);
	printk("Both spaces are gone; frames that did not come back: %ld.\n",
	       (long)(free_count - frame_free_count()));
	return ok;
}

bool demo_fork_shared(void)
{
	demo_title("2. Fork shares a tree; a write unshares it, level by level");
	return with_parent(true, show_shared);
}

/* ---- The two strategies. ---- */

#define REPEAT_COUNT 5

/* The least that a fork and the first write after it took, in ticks of the time stamp counter. */
struct fork_cost {
	uint64_t fork, write;
};

static bool measure_once(struct space *parent, struct fork_cost *least)
{
	uint64_t start = arch_read_tsc(), forked, written;
	struct space *child = fork_or_say(parent);
	bool ok;

	if (!child)
		return false;
	forked = arch_read_tsc();
	ok = write_or_say(child, 2);
	written = arch_read_tsc();
	if (forked - start < least->fork)
		least->fork = forked - start;
	if (written - forked < least->write)
		least->write = written - forked;
	demo_destroy(child, NULL);
	return ok;
}

static bool measure(struct space *parent, bool shares, struct fork_cost *least)
{
	bool ok = true;

	*least = (struct fork_cost){ ~0ull, ~0ull };
	fork_shares_tables = shares;
	for (unsigned i = 0; i < REPEAT_COUNT && ok; i++)
		ok = measure_once(parent, least);
	return ok;
}

static void print_cost(const char *name, const struct fork_cost *cost, uint64_t unit)
{
	printk("  %-8s %10lu ticks %10lu ticks", name, cost->fork, cost->write);
	if (unit)
		printk("      fork: %lu times as long", cost->fork / unit);
	printk("\n");
}

static bool show_eager(struct space *parent)
{
	struct fork_cost eager, shared;
	struct space *child = fork_or_say(parent);

	if (!child)
		return false;
	demo_draw_paths(parent, "parent", child, "child", DEMO_VA);
	demo_destroy(child, NULL);
	if (!measure(parent, true, &shared) || !measure(parent, false, &eager))
		return false;
	printk("  %-8s %16s %16s      (least of %d)\n", "", "fork", "first write", REPEAT_COUNT);
	print_cost("shared", &shared, 0);
	print_cost("eager", &eager, shared.fork);
	printk("\n");
	return true;
}

bool demo_fork_eager(void)
{
	demo_title("3. The usual fork, to compare: every entry is copied at once");
	return with_parent(false, show_eager);
}

/* ---- All of it. ---- */

bool demo_run(void)
{
	bool ok = demo_kernel_tables();

	ok &= demo_fork_shared();
	ok &= demo_fork_eager();
	ok &= demo_device();
	return ok;
}

SHELL_COMMAND(demo, "start", "demo",
	      "a guided tour: the kernel's tables, fork, sharing, a device, drawn as they are")
{
	return demo_run();
}
