/*
 * What a mirror has its device forget, to the page; and that it does not when there is nothing.
 */
#include <tests/kernel/mirror_rig.h>
#include <tests/kernel/test.h>

static struct {
	unsigned count;
	va_t start, last;
	bool tables;
} seen;

static void (*really)(struct mirror *m, va_t start, va_t last, bool tables);

static void note(struct mirror *m, va_t start, va_t last, bool tables)
{
	seen.count++;
	seen.start = start;
	seen.last = last;
	seen.tables = tables;
	really(m, start, last, tables);
}

static void open_noted(struct rig *r, uint64_t pages, bool tracks)
{
	rig_open_written(r, pages, 0);
	rig_detach(r);
	rig_attach(r, r->space, tracks);
	really = r->dev.ops.flush;
	r->dev.ops.flush = note;
	seen.count = 0;
}

/* One flush more, of these pages. */
static bool flushed(unsigned first, unsigned end, bool tables)
{
	unsigned count = seen.count;

	seen.count = 0;
	return EXPECT_EQ(count, 1u) && EXPECT_EQ(seen.start, RIG_PAGE(first)) &&
	       EXPECT_EQ(seen.last, RIG_PAGE(end) - 1) && EXPECT_EQ(seen.tables, tables);
}

// A mirror with nothing in it has nothing to forget.
TEST(mirror_flush, nothing)
{
	struct rig r;

	open_noted(&r, 8, true);
	EXPECT_EQ(mirror_harvest(r.m, RIG_PAGE(0), RIG_PAGE(8)), 0);
	EXPECT(!notifier_test_young(&r.space->notifier, RIG_PAGE(0), RIG_PAGE(8), true));
	EXPECT_EQ(space_unmap(r.space, RIG_PAGE(0), RIG_PAGE(1)), 0);
	rig_close(&r);
	EXPECT_EQ(seen.count, 0u);
}

// What is dropped is flushed, from the first leaf that was there to the last.
TEST(mirror_flush, dropped_leaves)
{
	struct rig r;

	open_noted(&r, 600, true);
	EXPECT_EQ(mirror_fault(r.m, RIG_PAGE(100), RIG_PAGE(110), PT_R | PT_W), 0);
	EXPECT_EQ(mirror_fault(r.m, RIG_PAGE(520), RIG_PAGE(530), PT_R | PT_W), 0);
	EXPECT_EQ(seen.count, 0u);
	EXPECT_EQ(space_protect(r.space, RIG_PAGE(102), RIG_PAGE(104), PT_R), 0);
	EXPECT(flushed(102, 104, false));
	EXPECT_EQ(space_protect(r.space, RIG_PAGE(0), RIG_PAGE(102), PT_R), 0);
	EXPECT(flushed(100, 102, false));
	EXPECT_EQ(space_protect(r.space, RIG_PAGE(109), RIG_PAGE(521), PT_R), 0);
	EXPECT(flushed(109, 521, false));
	rig_close(&r);
	EXPECT(flushed(104, 530, true));
}

// What is harvested or asked for its age is flushed where bits were taken.
TEST(mirror_flush, taken_bits)
{
	struct rig r;

	open_noted(&r, 16, true);
	EXPECT_EQ(mirror_fault(r.m, RIG_PAGE(0), RIG_PAGE(16), PT_R | PT_W), 0);
	EXPECT_EQ(soft_device_write(&r.dev, RIG_PAGE(5), 1), 0);
	EXPECT_EQ(mirror_harvest(r.m, RIG_PAGE(4), RIG_PAGE(8)), 0);
	EXPECT(flushed(5, 6, false));
	EXPECT_EQ(mirror_harvest(r.m, RIG_PAGE(4), RIG_PAGE(8)), 0);
	EXPECT_EQ(seen.count, 0u);
	EXPECT(soft_device_reads(&r.dev, RIG_PAGE(9), 10));
	EXPECT(notifier_test_young(&r.space->notifier, RIG_PAGE(8), RIG_PAGE(12), false));
	EXPECT_EQ(seen.count, 0u);
	EXPECT(notifier_test_young(&r.space->notifier, RIG_PAGE(8), RIG_PAGE(12), true));
	EXPECT(flushed(9, 10, false));
	EXPECT_EQ(mirror_harvest(r.m, RIG_PAGE(4), RIG_PAGE(4)), -EINVAL);
	EXPECT_EQ(mirror_harvest(r.m, RIG_PAGE(4) + 1, RIG_PAGE(5)), -EINVAL);
	EXPECT_EQ(mirror_harvest(r.m, RIG_PAGE(4), r.m->root.last + 1 + PAGE_SIZE), -ERANGE);
	rig_close(&r);
}

// Sections that end before what the mirror has looked at, or begin behind it, are not told to it.
TEST(mirror_flush, neighbours)
{
	struct rig r;

	open_noted(&r, 16, true);
	EXPECT_EQ(mirror_fault(r.m, RIG_PAGE(5), RIG_PAGE(7), PT_R | PT_W), 0);
	EXPECT_EQ(space_unmap(r.space, RIG_PAGE(4), RIG_PAGE(5)), 0);
	EXPECT_EQ(space_unmap(r.space, RIG_PAGE(7), RIG_PAGE(8)), 0);
	EXPECT(!notifier_test_young(&r.space->notifier, RIG_PAGE(4), RIG_PAGE(5), false));
	EXPECT_EQ(r.m->stats.invalidate_count, 0u);
	EXPECT_EQ(seen.count, 0u);
	EXPECT_EQ(space_unmap(r.space, RIG_PAGE(6), RIG_PAGE(9)), 0);
	EXPECT_EQ(r.m->stats.invalidate_count, 1u);
	EXPECT(flushed(6, 7, false));
	EXPECT_EQ(space_unmap(r.space, RIG_PAGE(3), RIG_PAGE(6)), 0);
	EXPECT_EQ(r.m->stats.invalidate_count, 2u);
	EXPECT(flushed(5, 6, true));
	rig_close(&r);
}
