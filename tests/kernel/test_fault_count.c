/*
 * What a fault is counted as, by its space and its area, and what it makes of the page.
 */
#include <mm/copy.h>
#include <mm/fault.h>
#include <mm/reclaim.h>
#include <tests/kernel/page_room.h>
#include <tests/kernel/test.h>

static uint64_t before[FAULT_RESULT_COUNT];

static void note(const struct space *s)
{
	for (unsigned i = 0; i < FAULT_RESULT_COUNT; i++)
		before[i] = space_fault_count(s, i);
}

/* Is that how it ends, and is it counted as that and nothing else? */
static bool fault_is(struct space *s, va_t va, pt_attr_t access, enum fault_result result)
{
	bool good = true;

	note(s);
	good &= EXPECT_EQ(space_fault(s, va, access), 0);
	for (unsigned i = 0; i < FAULT_RESULT_COUNT; i++)
		good &= EXPECT_EQ(space_fault_count(s, i) - before[i], i == result);
	return good;
}

/* And a refused one is no fault at all. */
static bool fault_fails(struct space *s, va_t va, pt_attr_t access, int err)
{
	bool good = true;

	note(s);
	good &= EXPECT_EQ(space_fault(s, va, access), err);
	for (unsigned i = 0; i < FAULT_RESULT_COUNT; i++)
		good &= EXPECT_EQ(space_fault_count(s, i) - before[i], 0);
	return good;
}

// Memory that is new is filled, be it read or written first; a second fault there was stale.
TEST(fault_count, of_anonymous_memory)
{
	struct space *s = room_create(3, 0);

	REQUIRE(s);
	EXPECT(fault_is(s, ROOM_PAGE(0), PT_W, FAULT_FILLED));
	EXPECT(fault_is(s, ROOM_PAGE(0), PT_W, FAULT_STALE));
	EXPECT(fault_is(s, ROOM_PAGE(1), PT_R, FAULT_FILLED));
	EXPECT(fault_is(s, ROOM_PAGE(1), PT_R, FAULT_STALE));
	EXPECT(fault_is(s, ROOM_PAGE(1), PT_W, FAULT_COPIED)); /* of the zero page */
	EXPECT(fault_fails(s, ROOM_PAGE(3), PT_R, -EFAULT));
	EXPECT(fault_fails(s, ROOM_PAGE(2), PT_X, -EFAULT));
	frame_fail_after(0, 1);
	EXPECT(fault_fails(s, ROOM_PAGE(2), PT_W, -ENOMEM));
	frame_fail_after(0, 0);
	EXPECT_EQ(space_mapped(s, MAPPED_ANON), 2);
	EXPECT_EQ(space_mapped(s, MAPPED_ZERO), 0);
	space_destroy(s);
}

// After a fork the first to write copies, and the last owner takes the page back.
TEST(fault_count, after_a_fork)
{
	struct space *s = room_create(2, 0), *child;

	REQUIRE(s);
	EXPECT(room_fill(s, ROOM_PAGE(0), 1));
	child = space_fork(s);
	REQUIRE(child);
	EXPECT(fault_is(child, ROOM_PAGE(0), PT_W, FAULT_COPIED));
	EXPECT(fault_is(s, ROOM_PAGE(0), PT_W, FAULT_REUSED));
	space_destroy(child);
	space_destroy(s);
}

// Pages of an object are filled, and a private one is copied as it is written first.
TEST(fault_count, of_an_object)
{
	struct object *o = object_create(2);
	struct space *s = space_create();

	REQUIRE(s && o);
	for (unsigned private = 0; private < 2; private ++) {
		struct area_spec spec = { .start = ROOM_PAGE(10 * private),
					  .end = ROOM_PAGE(10 * private + 2),
					  .kind = AREA_OBJECT,
					  .flags = private ? 0 : AREA_SHARED,
					  .rights = PT_R | PT_W,
					  .object = o };

		EXPECT_EQ(space_add_area(s, &spec), 0);
		EXPECT(fault_is(s, spec.start, PT_W, FAULT_FILLED));
		EXPECT(fault_is(s, spec.start + PAGE_SIZE, PT_R, FAULT_FILLED));
		EXPECT(fault_is(s, spec.start + PAGE_SIZE, PT_R, FAULT_STALE));
		EXPECT(fault_is(s, spec.start + PAGE_SIZE, PT_W,
				private ? FAULT_COPIED : FAULT_REUSED));
	}
	space_destroy(s);
	object_put(o);
}

// A page that comes back from swap is filled.
TEST(fault_count, of_swapped_memory)
{
	struct space *s = room_create_filled(2, 4);

	REQUIRE(s);
	for (unsigned i = 0; i < 2; i++)
		EXPECT_EQ(space_swap_out(s, ROOM_PAGE(i)), 0);
	EXPECT(fault_is(s, ROOM_PAGE(0), PT_R, FAULT_FILLED));
	EXPECT(fault_is(s, ROOM_PAGE(1), PT_W, FAULT_FILLED));
	EXPECT_EQ(space_fault_count(s, FAULT_STALE), 0);
	room_close_filled(s);
}

// What the faults of an area came to is not forgotten when the area goes.
TEST(fault_count, outlives_the_area)
{
	struct space *s = room_create(4, 0);

	REQUIRE(s);
	EXPECT(fault_is(s, ROOM_PAGE(0), PT_W, FAULT_FILLED));
	EXPECT(fault_is(s, ROOM_PAGE(3), PT_W, FAULT_FILLED));
	EXPECT_EQ(space_unmap(s, ROOM_PAGE(2), ROOM_PAGE(4)), 0);
	EXPECT_EQ(space_fault_count(s, FAULT_FILLED), 2);
	EXPECT_EQ(space_unmap(s, ROOM_PAGE(0), ROOM_PAGE(2)), 0);
	EXPECT_EQ(space_fault_count(s, FAULT_FILLED), 2);
	space_destroy(s);
}
