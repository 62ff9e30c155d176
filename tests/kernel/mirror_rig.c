/* The rig for tests of mirrors; see mirror_rig.h. */
#include <dev/vtd_table.h>
#include <tests/kernel/mirror_rig.h>
#include <tests/kernel/oracle.h>
#include <tests/kernel/test.h>

void rig_add_area(struct space *s, va_t start, uint64_t pages, unsigned flags)
{
	struct area_spec spec = {
		start, start + PAGES(pages), AREA_ANON, flags, RW, NULL, 0, PA(0)
	};

	EXPECT_EQ(space_add_area(s, &spec), 0);
}

void rig_attach(struct rig *r, struct space *space, bool tracks)
{
	r->space = space;
	soft_device_init(&r->dev, tracks);
	r->m = r->dev.mirror = mirror_create(space, &vtd_mirror_format, RIG_TOP_LEVEL, &r->dev.ops);
	if (!EXPECT(r->m))
		__builtin_trap();
}

void rig_open(struct rig *r, uint64_t pages, unsigned flags)
{
	struct space *s = space_create();

	rig_add_area(s, RIG_BASE, pages, flags);
	rig_attach(r, s, false);
}

void rig_open_written(struct rig *r, uint64_t pages, unsigned flags)
{
	rig_open(r, pages, flags);
	for (uint64_t i = 0; i < pages; i++)
		EXPECT(touch_write(r->space, RIG_PAGE(i), i + 1));
}

void rig_detach(struct rig *r)
{
	mirror_destroy(r->m);
	r->m = NULL;
}

void rig_close(struct rig *r)
{
	touch_done();
	EXPECT_EQ(oracle_check(), 0u);
	if (r->m)
		rig_detach(r);
	space_destroy(r->space);
}

uint64_t rig_leaves(struct rig *r, unsigned level)
{
	uint64_t leaf[PT_LEVEL_MAX];

	mirror_count(r->m, leaf);
	return leaf[level];
}

uint64_t rig_tables(struct rig *r)
{
	uint64_t sum = 0;

	for (unsigned level = 0; level < PT_LEVEL_MAX; level++)
		sum += r->m->owner.table_count[level];
	return sum;
}

pt_attr_t rig_rights(struct rig *r, va_t va)
{
	struct pt_span span = mirror_translate(r->m, va);

	return span.kind == PT_LEAF ? span.attr & RW : 0;
}
