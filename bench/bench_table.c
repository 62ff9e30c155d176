/*
 * The library against hand-written code: what a level-generic API costs.
 *
 *   walk, walk_huge    pt_find, 512 addresses a measurement
 *   map, unmap         a range of pages of one size; one page beside others; into empty tables
 *   copy               copy_page_range, eager
 *
 * generic is the library, handwritten and classic are folded.h's.
 */
#include <bench/folded.h>
#include <bench/scene.h>
#include <lib/printk.h>
#include <mm/copy.h>
#include <mm/flush.h>
#include <mm/share.h>

#define WALK_COUNT 512ull

static const struct folded generic = { NULL, NULL, pt_map, pt_unmap, copy_page_range };

/* ---- Walk. ---- */

/* Addresses all over the scene, each with a page. */
static va_t walk_va[WALK_COUNT];

static void walk_generic(const struct pt_root *root, const struct scene *s)
{
	struct bench_best best = BENCH_BEST;

	for (unsigned n = 0; n < BENCH_REPEATS; n++) {
		bench_start(&best);
		for (uint64_t i = 0; i < WALK_COUNT; i++) {
			ptv_t v;
			ptp_t p = pt_find(root, walk_va[i], &v);

			__asm__ volatile("" : : "r"(p.slot), "r"(v.bits));
		}
		bench_stop(&best);
	}
	scene_report("walk", "generic", s, WALK_COUNT, &best, 0);
}

static void walk_folded(const struct folded *f, const char *impl, const struct pt_root *root,
			const struct scene *s)
{
	struct bench_best best = BENCH_BEST;

	f->prepare();
	for (unsigned n = 0; n < BENCH_REPEATS; n++) {
		bench_start(&best);
		for (uint64_t i = 0; i < WALK_COUNT; i++) {
			uint64_t value;
			unsigned level;
			void *p = f->find(root, walk_va[i], &value, &level);

			__asm__ volatile("" : : "r"(p), "r"(value));
		}
		bench_stop(&best);
	}
	scene_report("walk", impl, s, WALK_COUNT, &best, 0);
}

BENCH(walk, "find the entry of an address")
{
	struct scene s = scene_of(16ull << 20, 0);
	struct space *space = scene_create(&s);

	for (uint64_t i = 0; i < WALK_COUNT; i++)
		walk_va[i] = scene_page(&s, i * (s.page_count / WALK_COUNT));
	space_switch(NULL);
	walk_generic(&space->root, &s);
	walk_folded(folded_handwritten(), "handwritten", &space->root, &s);
	walk_folded(&folded_classic, "classic", &space->root, &s);
	space_destroy(space);
}

/* ---- Map and unmap. ---- */

/* Of a range in an empty space, or of one that has neighbours so that its tables are there. */
static void run_map(const struct folded *f, const char *impl, const struct scene *s, bool empty)
{
	struct bench_best map = BENCH_BEST, unmap = BENCH_BEST;
	const uint64_t page = scene_page_bytes(s);
	struct space *space = space_create();
	uint64_t content = 0;
	struct pt_batch batch;
	pa_t pa = PA(page); /* mapped where a larger leaf never fits */
	int err = 0;

	ASSERT(space);
	if (!empty)
		err = pt_map(&space->root, SCENE_BASE - page, PA(0), page, PT_R, NULL) |
		      pt_map(&space->root, SCENE_BASE + s->bytes, PA(0), page, PT_R, NULL);
	flush_begin(&batch, space);
	for (unsigned i = 0; i < BENCH_REPEATS; i++) {
		uint64_t before = scene_table_content(space);

		bench_start(&map);
		err |= f->map(&space->root, SCENE_BASE, pa, s->bytes, PT_R | PT_W, &batch);
		bench_stop(&map);
		content = scene_table_content(space) - before;
		bench_start(&unmap);
		err |= f->unmap(&space->root, SCENE_BASE, SCENE_BASE + s->bytes, NULL, &batch);
		bench_stop(&unmap);
		flush_now(&batch);
	}
	ASSERT_EQ(err, 0);
	if (!empty)
		err = pt_unmap(&space->root, SCENE_BASE - page, SCENE_BASE + s->bytes + page, NULL,
			       &batch);
	flush_end(&batch);
	ASSERT_EQ(err, 0);
	space_destroy(space);
	scene_report("map", impl, s, s->page_count, &map, content);
	scene_report("unmap", impl, s, s->page_count, &unmap, 0);
}

static void run_map_each(uint64_t bytes, unsigned leaf_level, bool empty)
{
	struct scene s = { bytes, leaf_level, bytes >> pt_shift(leaf_level), 0 };

	run_map(&generic, "generic", &s, empty);
	run_map(folded_handwritten(), "handwritten", &s, empty);
	run_map(&folded_classic, "classic", &s, empty);
}

BENCH(map, "map and unmap: one page beside others, then ranges into an empty space")
{
	run_map_each(PAGE_SIZE, 0, false);
	run_map_each(16 * PAGE_SIZE, 0, false);
	for (unsigned i = 0; scene_size(i) && scene_size(i) <= SCENE_FULL_BYTES; i++) {
		run_map_each(scene_size(i), 0, true);
		run_map_each(scene_size(i), 1, true);
	}
}

/* ---- Copy. ---- */

static void run_copy(const struct folded *f, const char *impl, const struct scene *s,
		     struct space *parent)
{
	const struct area *area = space_find_area(parent, SCENE_BASE);
	struct bench_best best = BENCH_BEST;
	uint64_t content = 0;

	for (unsigned i = 0; i < BENCH_REPEATS; i++) {
		struct space *child = space_create_related(parent);
		struct area *clone;
		uint64_t before;
		int err = child ? space_clone_area(child, area, &clone) : -ENOMEM;

		ASSERT_EQ(err, 0);
		scene_write_all(s, parent);
		before = scene_table_content(parent);
		bench_start(&best);
		err = f->copy(child, parent, area);
		bench_stop(&best);
		ASSERT_EQ(err, 0);
		content = scene_table_content(parent) - before;
		space_destroy(child);
	}
	scene_report("copy", impl, s, s->page_count, &best, content);
}

static void run_copy_each(const struct scene *s)
{
	struct space *parent = scene_create(s);

	run_copy(&generic, "generic", s, parent);
	run_copy(folded_handwritten(), "handwritten", s, parent);
	run_copy(&folded_classic, "classic", s, parent);
	space_switch(NULL);
	space_destroy(parent);
}

BENCH(copy, "copy_page_range, every leaf")
{
	bool before = fork_shares_tables;

	fork_shares_tables = false;
	for (unsigned level = 0; level < 2; level++)
		for (unsigned i = 0; scene_size(i) && scene_size(i) <= SCENE_FULL_BYTES; i++) {
			struct scene s = scene_of(scene_size(i), level);

			run_copy_each(&s);
		}
	fork_shares_tables = before;
}
