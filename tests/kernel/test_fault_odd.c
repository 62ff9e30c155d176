/*
 * Faults on what is rarely there: a window whose leaf is gone, a bad entry on the path, and memory
 * that ends in the middle of a copy.
 */
#include <mm/copy.h>
#include <mm/fault.h>
#include <tests/kernel/oracle.h>
#include <tests/kernel/test.h>
#include <tests/kernel/touch.h>

#define BASE 0x7f0000000000ull
#define PAGES(n) ((n)*PAGE_SIZE)

static struct space *space_of(struct area_spec spec)
{
	struct space *s = space_create();

	spec.start = BASE;
	spec.end = spec.end ? spec.end : BASE + PAGES(4);
	spec.rights = PT_R | PT_W;
	EXPECT_EQ(space_add_area(s, &spec), 0);
	return s;
}

// A device window's page that is not mapped is mapped by a fault, as it was.
TEST(fault, device_page_comes_back)
{
	struct space *s = space_of((struct area_spec){ .kind = AREA_DEVICE, .pa = PA(0xfed00000) });
	pt_attr_t device = PT_R | PT_W | PT_U | PT_UC | PT_DEVMAP;
	struct area *area = space_find_area(s, BASE);
	ptv_t v;

	ptp_change(pt_find(&s->root, BASE + PAGES(2), &v), ptv_make_none(0));
	area_account(area, MAPPED_DEVICE, -1);
	EXPECT_EQ(space_fault(s, BASE + PAGES(2) + 7, PT_W), 0);
	EXPECT_EQ(pt_translate(&s->root, BASE + PAGES(2)).pa.value, 0xfed02000u);
	EXPECT_EQ(pt_translate(&s->root, BASE + PAGES(2)).attr & device, device);
	EXPECT_EQ(oracle_check(), 0u);
	space_destroy(s);
}

// A bad entry on the way, at any level, is reported and cleared, and the fault served.
TEST(fault, bad_entry_is_cleared)
{
	for (unsigned level = 0; level <= 1; level++) {
		struct space *s = space_of((struct area_spec){ .kind = AREA_ANON });
		uint64_t bad = pt_bad_count;
		struct pt_way way;

		EXPECT_EQ(pt_reserve(&s->root, BASE, BASE + PAGES(4), level), 0);
		pt_descend(&s->root, BASE, level, &way);
		REQUIRE_EQ(way.table.level, level);
		ptp_change(way.p[level], ptv_make_leaf(PA(pt_pa_limit()), PT_R, level));
		EXPECT_EQ(space_fault(s, BASE, PT_W), 0);
		EXPECT_EQ(pt_bad_count, bad + 1);
		EXPECT(touch_write(s, BASE, 3) && touch_reads(s, BASE, 3));
		touch_done();
		EXPECT_EQ(oracle_check(), 0u);
		space_destroy(s);
	}
}

/* space_fault with its first allocation failing, then its second, ...: how many could. */
static uint64_t fail_in_turn(struct space *s, va_t va)
{
	uint64_t failed_count = 0;
	int err;

	for (;; failed_count++) {
		frame_fail_after(failed_count, 1);
		err = space_fault(s, va, PT_W);
		frame_fail_after(0, 0);
		if (!err)
			return failed_count;
		EXPECT_EQ(err, -ENOMEM);
		EXPECT_EQ(oracle_check(), 0u);
	}
}

// A write to a private page of an object needs the object's page and one of its own; whichever is
// not to be had, the fault fails and can be repeated.
TEST(fault, object_without_memory)
{
	struct object *o = object_create(4);
	struct space *s = space_of((struct area_spec){ .kind = AREA_OBJECT, .object = o });

	EXPECT(touch_write(s, BASE + PAGES(3), 1)); /* the tables */
	touch_done();
	EXPECT_EQ(fail_in_turn(s, BASE), 2u);
	EXPECT(touch_reads(s, BASE, 0));
	touch_done();
	space_destroy(s);
	object_put(o);
}

// A huge page that is not ours alone, with memory neither for a copy nor for a table to split it
// with: the write fails, both see what they saw, and the next attempt succeeds.
TEST(fault, huge_copy_without_memory)
{
	struct space *s = space_of((struct area_spec){
		.kind = AREA_ANON, .flags = AREA_HUGE, .end = BASE + PAGES(512) });
	struct space *child;
	int err = -ENOMEM;

	EXPECT(touch_write(s, BASE, 1));
	touch_done();
	REQUIRE_EQ(pt_translate(&s->root, BASE).level, 1u);
	child = space_fork(s);
	REQUIRE(child);
	for (uint64_t skip = 0; skip < 8 && err; skip++) {
		frame_fail_after(skip, ~0ull);
		err = space_fault(child, BASE, PT_W);
		frame_fail_after(0, 0);
		EXPECT(!err || err == -ENOMEM);
		EXPECT(touch_reads(s, BASE, 1));
		EXPECT_EQ(oracle_check(), 0u);
	}
	EXPECT_EQ(err, 0);
	EXPECT(touch_write(child, BASE, 2) && touch_reads(s, BASE, 1));
	touch_done();
	space_destroy(child);
	space_destroy(s);
}
