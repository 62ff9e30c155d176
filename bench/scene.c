/* Spaces for workloads; see scene.h. */
#include <bench/scene.h>
#include <lib/printk.h>
#include <mm/copy.h>
#include <mm/fault.h>
#include <mm/share.h>

uint64_t scene_size(unsigned i)
{
	static const uint64_t sizes[] = SCENE_SIZES;

	return i < ARRAY_SIZE(sizes) && sizes[i] <= bench_size_max ? sizes[i] : 0;
}

struct scene scene_of(uint64_t bytes, unsigned leaf_level)
{
	uint64_t sparse = leaf_level ? SCENE_SPARSE_2M : SCENE_SPARSE_4K;
	uint64_t fitting = bytes >> pt_shift(leaf_level);
	uint64_t count = bytes <= SCENE_FULL_BYTES ? fitting : sparse;

	return (struct scene){ bytes, leaf_level, count, bytes / count };
}

void scene_add_area(struct space *space, va_t start, uint64_t bytes, unsigned leaf_level)
{
	struct area_spec spec = {
		.start = start,
		.end = start + bytes,
		.kind = AREA_ANON,
		.flags = leaf_level ? AREA_HUGE : 0,
		.rights = PT_R | PT_W,
	};
	int err = space_add_area(space, &spec);

	if (err)
		panic("bench: no area of %#lx bytes (%d)", bytes, err);
}

void scene_write_all(const struct scene *s, struct space *space)
{
	space_switch(space);
	arch_user_access_begin();
	for (uint64_t i = 0; i < s->page_count; i++)
		scene_write(scene_page(s, i));
	arch_user_access_end();
}

struct space *scene_create(const struct scene *s)
{
	struct space *space = space_create();

	if (!space)
		panic("bench: no memory for a space");
	scene_add_area(space, SCENE_BASE, s->bytes, s->leaf_level);
	scene_write_all(s, space);
	return space;
}

void scene_report(const char *name, const char *impl, const struct scene *s, uint64_t items,
		  const struct bench_best *best, uint64_t content)
{
	bench_report(&(struct bench_row){
		.name = name,
		.impl = impl,
		.page_bytes = scene_page_bytes(s),
		.size_bytes = s->bytes,
		.items = items,
		.instructions = best->least,
		.content = content,
	});
}

struct space *scene_fork(struct space *parent)
{
	struct space *child = space_fork(parent);

	if (!child)
		panic("bench: no memory to fork");
	return child;
}

uint64_t scene_table_content(const struct space *space)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < PT_LEVEL_MAX; i++)
		sum += space->family->owner.table_count[i];
	return sum * bench_content[0].clear;
}

uint64_t scene_content(const struct scene *s, const struct space *space)
{
	const struct bench_content *page = &bench_content[s->leaf_level];

	return scene_table_content(space) + space_fault_count(space, FAULT_FILLED) * page->clear +
	       space_fault_count(space, FAULT_COPIED) * page->copy;
}

void scene_both_strategies(void (*run)(const struct scene *s, struct space *parent,
				       const char *impl),
			   const struct scene *s, struct space *parent)
{
	bool before = fork_shares_tables;

	fork_shares_tables = false;
	run(s, parent, "eager");
	fork_shares_tables = true;
	run(s, parent, "shared");
	fork_shares_tables = before;
}
