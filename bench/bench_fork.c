/*
 * Fork and what follows it, at every size, with both strategies, with pages of both sizes.
 *
 *   fork             space_fork of a whole space
 *   fork_exit        and destroy the child, which did nothing
 *   fork_unmap       and unmap everything in the child, as exec does, but keep it
 *   fork_write_exit  and write every page in the child, through the MMU, before it is destroyed
 *   second_fork      fork once more while a first child is alive
 *   fork_area        copy_page_range of one area whose ends lie inside pages of every level
 */
#include <bench/scene.h>
#include <lib/printk.h>
#include <mm/copy.h>

/* Every size, with pages of 4K and of 2M. */
static void at_every_size(void (*run)(const struct scene *, struct space *, const char *))
{
	for (unsigned level = 0; level < 2; level++)
		for (unsigned i = 0; scene_size(i); i++) {
			struct scene s = scene_of(scene_size(i), level);
			struct space *parent = scene_create(&s);

			scene_both_strategies(run, &s, parent);
			space_switch(NULL);
			space_destroy(parent);
		}
}

static void run_fork(const struct scene *s, struct space *parent, const char *impl)
{
	struct bench_best fork = BENCH_BEST, both = BENCH_BEST;
	uint64_t content = 0;

	for (unsigned i = 0; i < BENCH_REPEATS; i++) {
		uint64_t before = scene_table_content(parent);
		struct space *child;

		scene_write_all(s, parent); /* all of it writable, as before the first fork */
		bench_start(&fork);
		both.begun = fork.begun;
		child = scene_fork(parent);
		bench_stop(&fork);
		content = scene_content(s, child) - before;
		space_destroy(child);
		bench_stop(&both);
	}
	scene_report("fork", impl, s, s->page_count, &fork, content);
	scene_report("fork_exit", impl, s, s->page_count, &both, content);
}

BENCH(fork, "fork of a whole space; with the child's exit")
{
	at_every_size(run_fork);
}

static void run_fork_unmap(const struct scene *s, struct space *parent, const char *impl)
{
	struct bench_best best = BENCH_BEST;
	uint64_t content = 0;

	for (unsigned i = 0; i < BENCH_REPEATS; i++) {
		uint64_t before = scene_table_content(parent);
		struct space *child;
		int err;

		scene_write_all(s, parent);
		bench_start(&best);
		child = scene_fork(parent);
		content = scene_content(s, child) - before;
		err = space_unmap(child, SCENE_BASE, SCENE_BASE + s->bytes);
		bench_stop(&best);
		ASSERT_EQ(err, 0);
		space_destroy(child);
	}
	scene_report("fork_unmap", impl, s, s->page_count, &best, content);
}

BENCH(fork_unmap, "fork, then the child unmaps everything, as exec does")
{
	at_every_size(run_fork_unmap);
}

static void run_fork_write_exit(const struct scene *s, struct space *parent, const char *impl)
{
	struct bench_best best = BENCH_BEST;
	uint64_t content = 0;

	for (unsigned i = 0; i < BENCH_REPEATS; i++) {
		uint64_t before = scene_table_content(parent);
		struct space *child;

		scene_write_all(s, parent);
		bench_start(&best);
		child = scene_fork(parent);
		scene_write_all(s, child);
		content = scene_content(s, child) - before;
		space_switch(parent);
		space_destroy(child);
		bench_stop(&best);
	}
	scene_report("fork_write_exit", impl, s, s->page_count, &best, content);
}

BENCH(fork_write_exit, "fork, the child writes every page and exits")
{
	at_every_size(run_fork_write_exit);
}

static void run_second_fork(const struct scene *s, struct space *parent, const char *impl)
{
	struct bench_best best = BENCH_BEST;
	uint64_t content = 0;

	for (unsigned i = 0; i < BENCH_REPEATS; i++) {
		struct space *first, *second;
		uint64_t before;

		scene_write_all(s, parent);
		first = scene_fork(parent);
		before = scene_table_content(parent);
		bench_start(&best);
		second = scene_fork(parent);
		bench_stop(&best);
		content = scene_content(s, second) - before;
		space_destroy(first);
		space_destroy(second);
	}
	scene_report("second_fork", impl, s, s->page_count, &best, content);
}

BENCH(second_fork, "fork once more while a first child is alive")
{
	at_every_size(run_second_fork);
}

/* ---- One area alone. ---- */

/* A space whose area begins and ends one page inside the scene, with neighbours on both sides. */
static struct space *create_unaligned(const struct scene *s)
{
	struct space *space = space_create();

	ASSERT(space);
	scene_add_area(space, SCENE_BASE - PAGE_SIZE, 2 * PAGE_SIZE, 0);
	scene_add_area(space, SCENE_BASE + PAGE_SIZE, s->bytes - 2 * PAGE_SIZE, 0);
	scene_add_area(space, SCENE_BASE + s->bytes - PAGE_SIZE, 2 * PAGE_SIZE, 0);
	scene_write_all(s, space);
	return space;
}

static void run_fork_area(const struct scene *s, struct space *parent, const char *impl)
{
	struct bench_best best = BENCH_BEST;
	const struct area *area = space_find_area(parent, SCENE_BASE + PAGE_SIZE);
	uint64_t content = 0;

	for (unsigned i = 0; i < BENCH_REPEATS; i++) {
		struct space *child = space_create_related(parent);
		struct area *clone;
		uint64_t before;
		int err;

		ASSERT(child);
		err = space_clone_area(child, area, &clone);
		ASSERT_EQ(err, 0);
		scene_write_all(s, parent);
		before = scene_table_content(parent);
		bench_start(&best);
		err = copy_page_range(child, parent, area);
		bench_stop(&best);
		ASSERT_EQ(err, 0);
		content = scene_content(s, child) - before;
		space_destroy(child);
	}
	scene_report("fork_area", impl, s, s->page_count, &best, content);
}

BENCH(fork_area, "copy one area that begins and ends inside a page of every level")
{
	for (unsigned i = 1; scene_size(i); i++) {
		struct scene s = scene_of(scene_size(i), 0);
		struct space *parent = create_unaligned(&s);

		scene_both_strategies(run_fork_area, &s, parent);
		space_switch(NULL);
		space_destroy(parent);
	}
}
