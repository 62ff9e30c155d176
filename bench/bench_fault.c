/*
 * Faults through the MMU, from the store to the instruction behind it: trap, space_fault, and back.
 *
 *   fault_anon    first write to a page whose bottom table is there already
 *   fault_cow     first write to a page that a child has as well, its tables exclusive already
 *   mmap_munmap   add an area, write its pages, unmap it
 *   first_write   the child's very first write after a shared fork
 *   first_write_N, _p50, _max  of all its writes in random order: those that had N tables copied
 */
#include <bench/scene.h>
#include <lib/printk.h>
#include <mm/fault.h>
#include <mm/share.h>

/* ---- One page at a time. ---- */

/* Write each of FAULT_PAGES pages once; the least that one took. */
static void measure_faults(struct bench_best *best)
{
	arch_user_access_begin();
	for (uint64_t i = 0; i < FAULT_PAGES; i++) {
		bench_start(best);
		scene_write(SCENE_BASE + i * PAGE_SIZE);
		bench_stop(best);
	}
	arch_user_access_end();
}

static void report_page(const char *name, const char *impl, const struct bench_best *best,
			uint64_t content)
{
	bench_report(&(struct bench_row){
		.name = name,
		.impl = impl,
		.page_bytes = PAGE_SIZE,
		.size_bytes = PAGE_SIZE,
		.items = 1,
		.instructions = best->least,
		.content = content,
	});
}

BENCH(fault_anon, "first write to a page")
{
	struct bench_best best = BENCH_BEST;
	struct space *space = space_create();

	ASSERT(space);
	scene_add_area(space, SCENE_BASE, FAULT_PAGES * PAGE_SIZE, 0);
	space_switch(space);
	measure_faults(&best);
	space_switch(NULL);
	space_destroy(space);
	report_page("fault_anon", "generic", &best, bench_content[0].clear);
}

static void run_fault_cow(const struct scene *s, struct space *parent, const char *impl)
{
	struct bench_best best = BENCH_BEST;
	struct space *child;

	scene_write_all(s, parent);
	child = scene_fork(parent);
	space_switch(child);
	measure_faults(&best);
	space_switch(parent);
	ASSERT_EQ(space_fault_count(child, FAULT_COPIED), FAULT_PAGES);
	space_destroy(child);
	report_page("fault_cow", impl, &best, bench_content[0].copy);
}

BENCH(fault_cow, "first write to a page that a child has, too")
{
	struct scene s = scene_of(FAULT_PAGES * PAGE_SIZE, 0);
	struct space *parent = scene_create(&s);

	scene_both_strategies(run_fault_cow, &s, parent);
	space_switch(NULL);
	space_destroy(parent);
}

/* ---- An area's life. ---- */

static void run_mmap_munmap(struct space *space, const struct scene *s)
{
	struct bench_best best = BENCH_BEST;
	uint64_t content = 0;

	for (unsigned i = 0; i < BENCH_REPEATS; i++) {
		uint64_t before = scene_content(s, space);
		int err;

		bench_start(&best);
		scene_add_area(space, SCENE_BASE, s->bytes, s->leaf_level);
		scene_write_all(s, space);
		content = scene_content(s, space) - before;
		err = space_unmap(space, SCENE_BASE, SCENE_BASE + s->bytes);
		bench_stop(&best);
		ASSERT_EQ(err, 0);
	}
	scene_report("mmap_munmap", "generic", s, s->page_count, &best, content);
}

BENCH(mmap_munmap, "add an area, write every page of it, unmap it")
{
	struct space *space = space_create();

	ASSERT(space);
	space_switch(space);
	for (unsigned i = 0; scene_size(i) && scene_size(i) <= SCENE_FULL_BYTES; i++) {
		struct scene s = scene_of(scene_size(i), 0);

		run_mmap_munmap(space, &s);
	}
	space_switch(NULL);
	space_destroy(space);
}

/* ---- Writes after a shared fork. ---- */

struct write {
	uint64_t instructions;
	unsigned tables; /* that were copied for it */
};
static struct write writes[WRITE_COUNT];
static struct bench_best write_clock = { .least = ~0ull };

static void write_in_child(const struct scene *s, struct space *child)
{
	space_switch(child);
	for (unsigned i = 0; i < WRITE_COUNT; i++) {
		uint64_t copied = share_stats.copied;

		arch_user_access_begin();
		bench_start(&write_clock);
		scene_write(scene_page(s, WRITE_ORDER(i, s->page_count)));
		writes[i].instructions = bench_stop(&write_clock);
		arch_user_access_end();
		writes[i].tables = (unsigned)(share_stats.copied - copied);
	}
}

static void sort_writes(void)
{
	for (unsigned i = 1; i < WRITE_COUNT; i++) {
		struct write w = writes[i];
		unsigned j = i;

		for (; j && writes[j - 1].instructions > w.instructions; j--)
			writes[j] = writes[j - 1];
		writes[j] = w;
	}
}

static void report_write(const char *name, const struct scene *s, struct write w)
{
	bench_report(&(struct bench_row){
		.name = name,
		.impl = "shared",
		.page_bytes = PAGE_SIZE,
		.size_bytes = s->bytes,
		.items = 1,
		.instructions = w.instructions,
		.content = bench_content[0].copy + w.tables * bench_content[0].clear,
	});
}

/* Sorted: the dearest write for each number of tables copied, the middle one, the dearest. */
static void report_writes(const struct scene *s)
{
	static const char *const name[] = { "first_write_0", "first_write_1", "first_write_2",
					    "first_write_3", "first_write_4" };

	for (unsigned tables = 0; tables < ARRAY_SIZE(name); tables++) {
		unsigned i = WRITE_COUNT;

		while (i && writes[i - 1].tables != tables)
			i--;
		if (i)
			report_write(name[tables], s, writes[i - 1]);
	}
	report_write("first_write_p50", s, writes[WRITE_COUNT / 2]);
	report_write("first_write_max", s, writes[WRITE_COUNT - 1]);
}

BENCH(first_write, "writes of the child after a shared fork, pages in random order")
{
	bool before = fork_shares_tables;

	fork_shares_tables = true;
	for (unsigned i = 0; scene_size(i); i++) {
		struct scene s = scene_of(scene_size(i), 0);
		struct space *parent = scene_create(&s), *child = scene_fork(parent);

		write_in_child(&s, child);
		report_write("first_write", &s, writes[0]);
		sort_writes();
		report_writes(&s);
		space_switch(NULL);
		space_destroy(child);
		space_destroy(parent);
	}
	fork_shares_tables = before;
}
