/*
 * Spaces and areas when there is no memory for their descriptions, and objects that do not fit.
 */
#include <mm/copy.h>
#include <mm/share.h>
#include <tests/kernel/oracle.h>
#include <tests/kernel/test.h>
#include <tests/kernel/touch.h>

#define BASE 0x40000000ull
#define PAGES(n) ((n)*PAGE_SIZE)
#define NO_MORE ~0ull /* allocations fail from here on */

static int add_object(struct space *s, struct object *o, enum area_kind kind, uint64_t offset,
		      uint64_t pages)
{
	struct area_spec spec = {
		BASE, BASE + PAGES(pages), kind, 0, PT_R | PT_W, o, offset, PA(0)
	};

	return space_add_area(s, &spec);
}

// An area of an object lies inside the object; an object goes with that kind of area, and with no
// other.
TEST(space, object_areas_lie_inside)
{
	struct space *s = space_create();
	struct object *o = object_create(4);

	REQUIRE(s && o);
	EXPECT_EQ(add_object(s, NULL, AREA_OBJECT, 0, 1), -EINVAL);
	EXPECT_EQ(add_object(s, o, AREA_ANON, 0, 1), -EINVAL);
	EXPECT_EQ(add_object(s, o, AREA_OBJECT, 5, 1), -EINVAL);
	EXPECT_EQ(add_object(s, o, AREA_OBJECT, 4, 1), -EINVAL);
	EXPECT_EQ(add_object(s, o, AREA_OBJECT, 1, 4), -EINVAL);
	EXPECT_EQ(add_object(s, o, AREA_OBJECT, 0, 5), -EINVAL);
	EXPECT_EQ(o->users, 1u);
	EXPECT_EQ(add_object(s, o, AREA_OBJECT, 1, 3), 0);
	EXPECT_EQ(o->users, 2u);
	space_destroy(s);
	object_put(o);
}

// An object has at least one page, and not more than one block has room to point to.
TEST(space, object_sizes)
{
	uint64_t most = (PAGE_SIZE << FRAME_ORDER_MAX) / sizeof(struct frame *);
	struct object *o;

	EXPECT(!object_create(0));
	EXPECT(!object_create(most + 1));
	frame_fail_after(0, NO_MORE);
	EXPECT(!object_create(1));
	frame_fail_after(0, 0);
	o = object_create(PAGE_SIZE / sizeof(struct frame *) + 1);
	REQUIRE(o);
	EXPECT_EQ(o->table_order, 1u);
	EXPECT(object_frame(o, o->page_count - 1));
	object_put(o);
}

// Rights that do not exist are no rights.
TEST(space, protect_refuses_unknown_rights)
{
	struct space *s = space_create();

	REQUIRE_EQ(add_object(s, NULL, AREA_ANON, 0, 2), 0);
	EXPECT_EQ(space_protect(s, BASE, BASE + PAGES(2), PT_R | PT_U), -EINVAL);
	EXPECT_EQ(space_protect(s, BASE, BASE + PAGES(2), PT_W), -EINVAL);
	EXPECT_EQ(space_protect(s, BASE, BASE + PAGES(2), PT_R | PT_X), 0);
	space_destroy(s);
}

// A search for a gap starts behind what ends before it, however high that reaches.
TEST(space, gap_above_an_area)
{
	struct space *s = space_create();

	REQUIRE_EQ(add_object(s, NULL, AREA_ANON, 0, 4), 0);
	EXPECT_EQ(space_find_gap(s, PAGES(2), PAGE_SIZE, BASE + PAGES(8), BASE + PAGES(10)),
		  BASE + PAGES(8));
	EXPECT_EQ(space_find_gap(s, PAGES(3), PAGE_SIZE, BASE + PAGES(8), BASE + PAGES(10)), 0u);
	EXPECT_EQ(space_find_gap(s, PAGES(2), PAGE_SIZE, BASE, BASE + PAGES(4)), 0u);
	EXPECT_EQ(space_find_gap(s, PAGES(2), PAGE_SIZE, BASE - PAGES(1), BASE + PAGES(4)), 0u);
	space_destroy(s);
}

// Whichever allocation of a new space fails, there is none, and nothing is left of it.
TEST(space, create_fails_cleanly)
{
	uint64_t free_before = frame_free_count(), failed_count = 0;
	struct space *s = NULL, *relative;

	for (; !s; failed_count += !s) {
		frame_fail_after(failed_count, 1);
		s = space_create();
		frame_fail_after(0, 0);
		EXPECT(s || frame_free_count() == free_before);
	}
	EXPECT(failed_count >= 1);
	frame_fail_after(0, NO_MORE);
	relative = space_create_related(s);
	frame_fail_after(0, 0);
	EXPECT(!relative);
	EXPECT_EQ(oracle_check(), 0u);
	space_destroy(s);
}

/* Pages are cut off the area one by one until there is no memory for a description; with the
 * allocations that are left failing. The number of areas by then. */
static unsigned cut_until_full(struct space *s, unsigned pages)
{
	for (unsigned i = 1; i < pages; i++) {
		int err = space_protect(s, BASE + PAGES(i), BASE + PAGES(i + 1), PT_R);

		if (!err)
			continue;
		EXPECT_EQ(err, -ENOMEM);
		return i;
	}
	return 0;
}

// Without memory for one more description an area is not cut, nor copied by a fork, and nothing has
// changed.
TEST(space, descriptions_run_out)
{
	const unsigned pages = 1000;
	struct space *s = space_create(), *child;
	bool shares = fork_shares_tables;
	unsigned cut;

	REQUIRE_EQ(add_object(s, NULL, AREA_ANON, 0, pages), 0);
	frame_fail_after(0, NO_MORE);
	cut = cut_until_full(s, pages);
	frame_fail_after(0, 0);
	EXPECT(cut > 0);
	EXPECT_EQ(space_find_area(s, BASE + PAGES(cut))->end, BASE + PAGES(pages));
	EXPECT(touch_write(s, BASE + PAGES(cut), 1));
	touch_done();
	EXPECT_EQ(oracle_check(), 0u);
	for (unsigned i = 0; i < 40;
	     i++) /* first the top table, then a page of descriptions, ... */
		for (unsigned strategy = 0; strategy < 2; strategy++) {
			fork_shares_tables = strategy;
			frame_fail_after(i, NO_MORE);
			child = space_fork(s);
			frame_fail_after(0, 0);
			if (child)
				space_destroy(child);
			EXPECT_EQ(oracle_check(), 0u);
		}
	fork_shares_tables = shares;
	EXPECT_EQ(space_protect(s, BASE + PAGES(cut), BASE + PAGES(cut + 1), PT_R), 0);
	space_destroy(s);
}

// A device window for whose tables there is no memory is not there.
TEST(space, device_window_fails_cleanly)
{
	struct space *s = space_create();
	struct area_spec spec = { .start = BASE,
				  .end = BASE + PAGES(2),
				  .kind = AREA_DEVICE,
				  .rights = PT_R | PT_W,
				  .pa = zero_page };
	uint64_t failed_count = 0;
	int err = -ENOMEM;

	for (; err; failed_count += !!err) {
		frame_fail_after(failed_count, 1);
		err = space_add_area(s, &spec);
		frame_fail_after(0, 0);
		EXPECT(!err || err == -ENOMEM);
		EXPECT_EQ(!err, !!space_find_area(s, BASE));
		EXPECT_EQ(oracle_check(), 0u);
	}
	EXPECT(failed_count >= 2);
	space_destroy(s);
}

// Copying one area of shared memory or private memory, whichever allocation fails: the destination
// has nothing of it, and the next attempt all.
TEST(space, copying_one_area_fails_cleanly)
{
	bool shares = fork_shares_tables;

	for (unsigned strategy = 0; strategy < 4; strategy++) {
		struct space *src = space_create(), *dst = space_create_related(src);
		struct area_spec spec = { BASE,        BASE + PAGES(600),
					  AREA_ANON,   strategy & 2 ? AREA_SHARED : 0,
					  PT_R | PT_W, NULL,
					  0,           PA(0) };
		struct area *area, *clone;
		uint64_t failed_count = 0;
		int err = -ENOMEM;

		REQUIRE_EQ(space_add_area(src, &spec), 0);
		EXPECT(touch_write(src, BASE + PAGES(5), 5) &&
		       touch_write(src, BASE + PAGES(599), 9));
		touch_done();
		fork_shares_tables = strategy & 1;
		area = space_find_area(src, BASE);
		REQUIRE_EQ(space_clone_area(dst, area, &clone), 0);
		for (; err; failed_count += !!err) {
			frame_fail_after(failed_count, 1);
			err = copy_page_range(dst, src, area);
			frame_fail_after(0, 0);
			EXPECT(!err || err == -ENOMEM);
			EXPECT(!err || pt_translate(&dst->root, BASE + PAGES(5)).kind == PT_NONE);
			EXPECT_EQ(oracle_check(), 0u);
		}
		EXPECT(failed_count >= 1);
		EXPECT(touch_reads(dst, BASE + PAGES(5), 5) &&
		       touch_reads(dst, BASE + PAGES(599), 9));
		touch_done();
		space_destroy(dst);
		space_destroy(src);
	}
	fork_shares_tables = shares;
}
