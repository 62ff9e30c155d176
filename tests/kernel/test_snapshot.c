/*
 * Snapshots of a space: what its tables say, without their format (mm/snapshot.h).
 */
#include <mm/pagetable.h>
#include <tests/kernel/mirror_rig.h>
#include <tests/kernel/test.h>

#define HUGE 512

static unsigned snapshot_of(struct rig *r, struct space_snapshot *out, va_t *va, va_t end,
			    pt_attr_t need)
{
	space_snapshot(r->space, va, end - 1, need, out);
	return out->count;
}

// space_snapshot reports every page with its leaf's level, its address and its rights, cut to the
// range; pages that are alike in one span.
TEST(snapshot, reports)
{
	struct space_snapshot seen;
	const struct space_span *span = seen.span;
	struct rig r;
	va_t va = RIG_PAGE(1);
	uint64_t value;

	rig_open_written(&r, 4, 0);
	rig_add_area(r.space, RIG_PAGE(HUGE), HUGE, AREA_HUGE);
	EXPECT(touch_write(r.space, RIG_PAGE(HUGE), 1));
	rig_add_area(r.space, RIG_PAGE(4), 1, 0);
	EXPECT(touch_read(r.space, RIG_PAGE(4), &value));
	EXPECT_EQ(snapshot_of(&r, &seen, &va, RIG_PAGE(HUGE + 2), 0), 3u);
	EXPECT_EQ(va, RIG_PAGE(HUGE + 2));
	EXPECT_EQ(span[0].va, RIG_PAGE(1));
	EXPECT_EQ(span[0].last, RIG_PAGE(4) - 1);
	EXPECT_EQ(span[0].attr & RW, RW);
	for (unsigned i = 1; i < 4; i++)
		EXPECT(pa_equal(space_span_pa(&span[0], RIG_PAGE(i)),
				pt_translate(&r.space->root, RIG_PAGE(i)).pa));
	EXPECT_EQ(span[1].attr & RW, PT_R);
	EXPECT(pa_equal(span[1].pa, zero_page));
	EXPECT_EQ(span[2].level, 1u);
	EXPECT_EQ(span[2].last, RIG_PAGE(HUGE + 2) - 1);
	va = RIG_PAGE(HUGE + 2);
	EXPECT_EQ(snapshot_of(&r, &seen, &va, RIG_PAGE(HUGE + 4), PT_R), 1u);
	EXPECT(pa_equal(span[0].pa, pt_translate(&r.space->root, RIG_PAGE(HUGE + 2)).pa));
	rig_close(&r);
}

// It stops in front of what lacks a right, and at the end of the room, be it for pages or spans.
TEST(snapshot, stops)
{
	struct space_snapshot seen;
	struct rig r;
	va_t va = RIG_PAGE(0);

	rig_open_written(&r, SNAPSHOT_PAGES + 20, 0);
	EXPECT_EQ(snapshot_of(&r, &seen, &va, RIG_PAGE(SNAPSHOT_PAGES + 20), RW), 1u);
	EXPECT_EQ(va, RIG_PAGE(SNAPSHOT_PAGES));
	touch_done();
	for (unsigned i = 1; i < 2 * SNAPSHOT_SPANS; i += 2)
		EXPECT_EQ(space_protect(r.space, RIG_PAGE(i), RIG_PAGE(i + 1), PT_R), 0);
	for (unsigned way = 0; way < 2; way++) {
		va = RIG_PAGE(0);
		EXPECT_EQ(snapshot_of(&r, &seen, &va, RIG_PAGE(100), way ? PT_R : 0),
			  SNAPSHOT_SPANS);
		EXPECT_EQ(va, RIG_PAGE(SNAPSHOT_SPANS));
	}
	va = RIG_PAGE(0);
	EXPECT_EQ(snapshot_of(&r, &seen, &va, RIG_PAGE(100), RW), 1u);
	EXPECT_EQ(va, RIG_PAGE(1));
	EXPECT_EQ(snapshot_of(&r, &seen, &va, RIG_PAGE(100), RW), 0u);
	EXPECT_EQ(va, RIG_PAGE(1));
	rig_close(&r);
}
