/*
 * Faults: every reason there is for one, and what it leaves, on the MMU.
 */
#include <mm/fault.h>
#include <tests/kernel/oracle.h>
#include <tests/kernel/test.h>
#include <tests/kernel/touch.h>

#define BASE 0x7f0000000000ull
#define PAGES(n) ((n)*PAGE_SIZE)

static struct space *space_with(enum area_kind kind, unsigned flags, pt_attr_t rights,
				uint64_t pages, struct object *object)
{
	struct space *s = space_create();
	struct area_spec spec = {
		BASE, BASE + PAGES(pages), kind, flags, rights, object, 0, PA(0)
	};

	if (!EXPECT_EQ(space_add_area(s, &spec), 0)) {
		space_destroy(s);
		return NULL;
	}
	return s;
}

// Reading untouched memory gives zeroes from the one zero page; writing it gives a page of its own.
TEST(fault, demand_zero)
{
	struct space *s = space_with(AREA_ANON, 0, PT_R | PT_W, 4, NULL);
	uint64_t value = 1;

	EXPECT(touch_read(s, BASE, &value));
	EXPECT_EQ(value, 0ull);
	EXPECT_EQ(pt_translate(&s->root, BASE).pa.value, zero_page.value);
	EXPECT_EQ(space_mapped(s, MAPPED_ZERO), 1);
	EXPECT(touch_write(s, BASE, 42));
	EXPECT_NE(pt_translate(&s->root, BASE).pa.value, zero_page.value);
	EXPECT(touch_reads(s, BASE, 42));
	EXPECT(touch_reads(s, BASE + 8, 0));
	EXPECT_EQ(space_mapped(s, MAPPED_ZERO), 0);
	EXPECT_EQ(space_mapped(s, MAPPED_ANON), 1);
	EXPECT(touch_write(s, BASE + PAGES(3), 43));
	EXPECT_EQ(space_fault_count(s, FAULT_FILLED), 2ull);
	EXPECT_EQ(space_fault_count(s, FAULT_COPIED), 1ull);
	EXPECT_EQ(oracle_check(), 0u);
	touch_done();
	space_destroy(s);
}

// Outside every area, and without the right, an access is refused and nothing is mapped.
TEST(fault, refused)
{
	struct space *s = space_with(AREA_ANON, 0, PT_R, 2, NULL);
	uint64_t value;

	EXPECT(!touch_read(s, BASE - 8, &value));
	EXPECT(!touch_read(s, BASE + PAGES(2), &value));
	EXPECT(!touch_write(s, BASE, 1));
	EXPECT_EQ(space_fault(s, BASE, PT_X), -EFAULT);
	EXPECT_EQ(space_mapped(s, MAPPED_ANON) + space_mapped(s, MAPPED_ZERO), 0);
	EXPECT(touch_read(s, BASE, &value));
	touch_done();
	space_destroy(s);
}

// A huge page comes where it fits and memory is there; where the area's border is in the way, small
// ones.
TEST(fault, huge_where_it_fits)
{
	struct space *s = space_with(AREA_ANON, AREA_HUGE, PT_R | PT_W, 512 + 511, NULL);

	EXPECT(touch_write(s, BASE + PAGES(17), 1));
	EXPECT_EQ(pt_translate(&s->root, BASE).level, 1u);
	EXPECT(touch_reads(s, BASE, 0));
	EXPECT(touch_write(s, BASE + PAGES(512), 2));
	EXPECT_EQ(pt_translate(&s->root, BASE + PAGES(512)).level, 0u);
	EXPECT_EQ(space_mapped(s, MAPPED_ANON), 513);
	EXPECT_EQ(oracle_check(), 0u);
	touch_done();
	space_destroy(s);
}

// When no huge block is free a small page does.
TEST(fault, huge_falls_back)
{
	struct space *s = space_with(AREA_ANON, AREA_HUGE, PT_R | PT_W, 512, NULL);

	frame_fail_after(3, 1); /* the tables of levels 3 to 1 exist or are made first */
	while (!touch_write(s, BASE, 1))
		;
	frame_fail_after(0, 0);
	EXPECT(touch_reads(s, BASE, 1));
	EXPECT_EQ(oracle_check(), 0u);
	touch_done();
	space_destroy(s);
}

// Shared pages of an object are the same memory in two spaces; private ones are copied by a write.
TEST(fault, objects)
{
	struct object *o = object_create(3);
	struct space *shared = space_with(AREA_OBJECT, AREA_SHARED, PT_R | PT_W, 3, o);
	struct space *private = space_with(AREA_OBJECT, 0, PT_R | PT_W, 3, o);

	EXPECT(touch_write(shared, BASE, 1));
	EXPECT(touch_reads(private, BASE, 1));
	EXPECT(touch_write(shared, BASE, 2));
	EXPECT(touch_reads(private, BASE, 2));
	EXPECT(touch_write(private, BASE, 3));
	EXPECT(touch_reads(shared, BASE, 2));
	EXPECT(touch_write(private, BASE + PAGES(1), 4));
	EXPECT(touch_reads(shared, BASE + PAGES(1), 0));
	EXPECT_EQ(space_mapped(private, MAPPED_ANON), 2);
	EXPECT_EQ(space_mapped(shared, MAPPED_OBJECT), 2);
	EXPECT_EQ(oracle_check(), 0u);
	touch_done();
	space_destroy(private);
	space_destroy(shared);
	object_put(o);
}

// Out of memory in a fault leaves everything as it was, at every single allocation.
TEST(fault, out_of_memory_changes_nothing)
{
	struct space *s = space_with(AREA_ANON, 0, PT_R | PT_W, 4, NULL);
	uint64_t failed_count = 0;

	for (;; failed_count++) {
		int err;

		frame_fail_after(failed_count, 1);
		err = space_fault(s, BASE, PT_W);
		frame_fail_after(0, 0);
		if (!err)
			break;
		EXPECT_EQ(err, -ENOMEM);
		EXPECT_EQ(pt_translate(&s->root, BASE).kind, (enum pt_kind)PT_NONE);
		EXPECT_EQ(oracle_check(), 0u);
	}
	EXPECT(failed_count >= 1); /* tables that an attempt has made stay for the next */
	EXPECT(touch_reads(s, BASE, 0));
	test_note("%lu allocations failed in turn", failed_count);
	touch_done();
	space_destroy(s);
}

// A page that only its own table points to gets W back without a copy (nanvix#2512's neighbour).
TEST(fault, last_owner_reuses)
{
	struct space *s = space_with(AREA_ANON, 0, PT_R | PT_W, 1, NULL);
	pa_t pa;

	REQUIRE(touch_write(s, BASE, 7));
	pa = pt_translate(&s->root, BASE).pa;
	EXPECT_EQ(space_protect(s, BASE, BASE + PAGES(1), PT_R), 0);
	EXPECT_EQ(space_protect(s, BASE, BASE + PAGES(1), PT_R | PT_W), 0);
	EXPECT(touch_write(s, BASE, 8));
	EXPECT_EQ(pt_translate(&s->root, BASE).pa.value, pa.value);
	EXPECT_EQ(space_fault_count(s, FAULT_REUSED), 1ull);
	touch_done();
	space_destroy(s);
}
