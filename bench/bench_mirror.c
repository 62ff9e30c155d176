/*
 * Mirrors: what it costs to follow a space.
 *
 *   mirror_populate    mirror_fault of a range that is present: every page, or huge pages
 *   mirror_invalidate  a section, all of it, for a range of which nothing is mirrored: beyond all
 *                      that is; _hole: between; _near: in a gap so narrow that the mirror has to
 *                      be asked
 *   mirror_drop        a section for a range that is mirrored as a whole
 *   mirror_walk        1,000 pages, close together or strewn over up to 1 TiB
 *
 * In VT-d's format, for a device that forgets at no cost.
 */
#include <bench/scene.h>
#include <dev/vtd_table.h>
#include <lib/printk.h>

#define STREWN_PAGES 1000ull

static void forget_nothing(struct mirror *m, va_t start, va_t last, bool tables)
{
	(void)m, (void)start, (void)last, (void)tables;
}

static const struct mirror_device device = { .flush = forget_nothing };

static struct mirror *create_mirror(struct space *space)
{
	struct mirror *m = mirror_create(space, &vtd_mirror_format, 3, &device);

	ASSERT(m);
	return m;
}

static void fault_in(struct mirror *m, va_t start, uint64_t bytes)
{
	int err = mirror_fault(m, start, start + bytes, PT_R | PT_W);

	ASSERT_EQ(err, 0);
}

static uint64_t table_content(const struct mirror *m)
{
	uint64_t count = 0;

	for (unsigned level = 0; level < m->root.top.level; level++)
		count += m->owner.table_count[level];
	return count * bench_content[0].clear;
}

/* ---- Populating and dropping. ---- */

static void drop(struct mirror *m, const struct scene *s)
{
	struct notifier_section section;

	notifier_start(&m->space->notifier, &section, SCENE_BASE, SCENE_BASE + s->bytes,
		       NOTIFY_UNMAP, true);
	notifier_end(&m->space->notifier, &section);
}

static void measure_populate(const struct scene *s)
{
	struct bench_best fill = BENCH_BEST, section = BENCH_BEST;
	struct space *space = scene_create(s);
	struct mirror *m = create_mirror(space);
	uint64_t content = 0;

	for (unsigned i = 0; i < BENCH_REPEATS; i++) {
		bench_start(&fill);
		fault_in(m, SCENE_BASE, s->bytes);
		bench_stop(&fill);
		content = table_content(m);
		bench_start(&section);
		drop(m, s);
		bench_stop(&section);
	}
	ASSERT_EQ(m->stats.filled_leaves, BENCH_REPEATS * s->page_count);
	ASSERT_EQ(m->stats.dropped_leaves, BENCH_REPEATS * s->page_count);
	scene_report("mirror_populate", "generic", s, s->page_count, &fill, content);
	scene_report("mirror_drop", "generic", s, s->page_count, &section, 0);
	mirror_destroy(m);
	space_switch(NULL);
	space_destroy(space);
}

BENCH(mirror_populate, "mirror what a space has, and drop it")
{
	for (unsigned level = 0; level < 2; level++)
		for (unsigned i = 0; scene_size(i) && scene_size(i) <= SCENE_FULL_BYTES; i++)
			if (scene_size(i) >= pt_size(level)) {
				struct scene s = scene_of(scene_size(i), level);

				measure_populate(&s);
			}
}

/* ---- What is not mirrored. ---- */

static void measure_nothing(struct mirror *m, const struct scene *s, va_t start, bool called,
			    const char *name)
{
	struct bench_best section = BENCH_BEST;
	struct notifier *n = &m->space->notifier;
	uint64_t calls = m->stats.invalidate_count;

	for (unsigned i = 0; i < BENCH_REPEATS; i++) {
		struct notifier_section at;

		bench_start(&section);
		notifier_start(n, &at, start, start + s->bytes, NOTIFY_UNMAP, true);
		notifier_end(n, &at);
		bench_stop(&section);
	}
	ASSERT_EQ(m->stats.dropped_leaves, 0);
	ASSERT_EQ(m->stats.invalidate_count - calls, called ? BENCH_REPEATS : 0);
	scene_report(name, "generic", s, 1, &section, 0);
}

BENCH(mirror_invalidate, "a section where nothing is mirrored: elsewhere; between; near")
{
	struct scene s = scene_of(6ull << 20, 0);
	struct space *space = scene_create(&s);
	struct mirror *m = create_mirror(space);

	s.bytes = 2ull << 20;
	fault_in(m, SCENE_BASE, s.bytes - PAGE_SIZE);
	fault_in(m, SCENE_BASE + 2 * s.bytes, s.bytes);
	measure_nothing(m, &s, SCENE_BASE + 3 * s.bytes, false, "mirror_invalidate");
	measure_nothing(m, &s, SCENE_BASE + s.bytes, false, "mirror_invalidate_hole");
	s.bytes = PAGE_SIZE;
	measure_nothing(m, &s, SCENE_BASE + (2ull << 20) - PAGE_SIZE, true,
			"mirror_invalidate_near");
	mirror_destroy(m);
	space_switch(NULL);
	space_destroy(space);
}

/* ---- Walking what is strewn. ---- */

static int count_one(void *arg, const struct pt_span *span)
{
	(void)span;
	++*(uint64_t *)arg;
	return 0;
}

static void measure_walk(uint64_t stride)
{
	struct scene s = { STREWN_PAGES * stride, 0, STREWN_PAGES, stride };
	struct bench_best best = BENCH_BEST;
	struct space *space = space_create();
	struct mirror *m;

	ASSERT(space);
	scene_add_area(space, SCENE_BASE, s.bytes, 0);
	scene_write_all(&s, space);
	m = create_mirror(space);
	for (uint64_t i = 0; i < STREWN_PAGES; i++)
		fault_in(m, scene_page(&s, i), PAGE_SIZE);
	for (unsigned i = 0; i < BENCH_REPEATS; i++) {
		uint64_t found = 0;

		bench_start(&best);
		mirror_walk(m, SCENE_BASE, SCENE_BASE + s.bytes, count_one, &found);
		bench_stop(&best);
		ASSERT_EQ(found, STREWN_PAGES);
	}
	scene_report("mirror_walk", "generic", &s, STREWN_PAGES, &best, 0);
	mirror_destroy(m);
	space_switch(NULL);
	space_destroy(space);
}

BENCH(mirror_walk, "go over 1,000 mirrored pages, strewn wider and wider")
{
	measure_walk(PAGE_SIZE);
	for (uint64_t stride = PAGE_SIZE << 6; stride * STREWN_PAGES <= bench_size_max;
	     stride <<= 6)
		measure_walk(stride);
}
