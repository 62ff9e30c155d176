/*
 * Areas and objects at their borders: what fails cleanly, what is cut, and what is kept to itself.
 */
#include <mm/copy.h>
#include <mm/fault.h>
#include <mm/share.h>
#include <tests/kernel/fork_as.h>
#include <tests/kernel/oracle.h>
#include <tests/kernel/page_room.h>
#include <tests/kernel/test.h>
#include <tests/kernel/touch.h>

#define BASE 0x40000000ull
#define PAGES(n) ((n)*PAGE_SIZE)

static int add(struct space *s, va_t start, uint64_t pages, enum area_kind kind, unsigned flags,
	       struct object *object, uint64_t offset)
{
	struct area_spec spec = {
		start, start + PAGES(pages), kind, flags, PT_R | PT_W, object, offset, PA(0)
	};

	return space_add_area(s, &spec);
}

// Objects without pages, or with more than a table has room for, are refused, and so are they when
// there is no memory; nothing is kept.
TEST(area, objects_fail_cleanly)
{
	uint64_t largest = (PAGE_SIZE << FRAME_ORDER_MAX) / sizeof(struct frame *);
	uint64_t free_before = frame_free_count();
	struct object *o = NULL;

	EXPECT(!object_create(0));
	EXPECT(!object_create(largest + 1));
	EXPECT_EQ(frame_free_count(), free_before);
	for (unsigned n = 0; !o; n++) {
		frame_fail_after(n, 1);
		o = object_create(1);
		frame_fail_after(0, 0);
		EXPECT(o || frame_free_count() == free_before);
	}
	EXPECT_EQ(free_before - frame_free_count(), 2u); /* a pool's page, and the table */
	object_put(o);
	o = object_create(PAGE_SIZE / sizeof(struct frame *));
	EXPECT_EQ(free_before - frame_free_count(), 2u);
	object_put(o);
	o = object_create(PAGE_SIZE / sizeof(struct frame *) + 1);
	EXPECT_EQ(free_before - frame_free_count(), 3u);
	object_put(o);
	EXPECT_EQ(frame_free_count(), free_before);
}

// An object over memory that is there holds each frame once, and lets all go.
TEST(area, object_of_frames)
{
	struct frame *f = frame_alloc(0, FRAME_DATA), *g = f + 1;
	struct object *o;

	REQUIRE(f);
	o = object_create_at(frame_to_pa(f), 1);
	REQUIRE(o);
	EXPECT(object_frame(o, 0) == f);
	EXPECT_EQ(frame_edges(f), 2u);
	EXPECT(f->flags & FRAME_FLAG_OBJECT);
	object_get(o);
	object_put(o);
	EXPECT_EQ(frame_edges(f), 2u);
	EXPECT_BUG(object_frame(o, 1));
	object_put(o);
	EXPECT_EQ(frame_edges(f), 1u);
	frame_free(f);
	(void)g;
}

// Over several frames it shows each at its place, and holds each of them once.
TEST(area, object_of_many_frames)
{
	struct frame *f = frame_alloc(2, FRAME_DATA);
	struct object *o;

	REQUIRE(f);
	frame_explode(f, 0);
	o = object_create_at(frame_to_pa(f), 3);
	REQUIRE(o);
	for (unsigned i = 0; i < 4; i++) {
		EXPECT(i == 3 || object_frame(o, i) == f + i);
		EXPECT_EQ(frame_edges(f + i), i < 3 ? 2u : 1u);
		EXPECT_EQ(f[i].flags & FRAME_FLAG_OBJECT, i < 3 ? FRAME_FLAG_OBJECT : 0u);
	}
	object_put(o);
	for (unsigned i = 0; i < 4; i++)
		frame_free(f + i);
}

// A view of an object must lie inside it; what kind an area is and whether it has one must agree.
TEST(area, views_lie_inside)
{
	struct space *s = space_create();
	struct object *o = object_create(4);

	EXPECT_EQ(add(s, BASE, 4, AREA_OBJECT, AREA_SHARED, o, 1), -EINVAL);
	EXPECT_EQ(add(s, BASE, 5, AREA_OBJECT, AREA_SHARED, o, 0), -EINVAL);
	EXPECT_EQ(add(s, BASE, 1, AREA_OBJECT, AREA_SHARED, o, 4), -EINVAL);
	EXPECT_EQ(add(s, BASE, 1, AREA_OBJECT, AREA_SHARED, o, 5), -EINVAL);
	EXPECT_EQ(add(s, BASE, 1, AREA_OBJECT, AREA_SHARED, o, ~0ull), -EINVAL);
	EXPECT_EQ(add(s, BASE, 1, AREA_OBJECT, AREA_SHARED, NULL, 0), -EINVAL);
	EXPECT_EQ(add(s, BASE, 1, AREA_ANON, 0, o, 0), -EINVAL);
	EXPECT_EQ(o->users, 1u);
	EXPECT_EQ(add(s, BASE, 4, AREA_OBJECT, AREA_SHARED, o, 0), 0);
	EXPECT_EQ(add(s, BASE + PAGES(8), 1, AREA_OBJECT, 0, o, 3), 0);
	EXPECT_EQ(o->users, 3u);
	EXPECT(touch_write(s, BASE + PAGES(3), 42));
	EXPECT(touch_reads(s, BASE + PAGES(8), 42));
	touch_done();
	space_destroy(s);
	EXPECT_EQ(o->users, 1u);
	object_put(o);
}

// A page of an object, and a private copy of one, that there is no memory for is -ENOMEM; what can
// be had later is.
TEST(area, object_faults_fail_cleanly)
{
	for (unsigned shared = 0; shared < 2; shared++) {
		struct space *s = space_create();
		struct object *o = object_create(1);
		int err = -ENOMEM;

		EXPECT_EQ(add(s, BASE, 1, AREA_OBJECT, shared ? AREA_SHARED : 0, o, 0), 0);
		EXPECT_EQ(pt_reserve(&s->root, BASE, BASE + PAGES(1), 0), 0);
		for (unsigned n = 0; err; n++) {
			frame_fail_after(n, 1);
			err = space_fault(s, BASE, PT_W);
			frame_fail_after(0, 0);
			EXPECT_EQ(err, n < (shared ? 1 : 2) ? -ENOMEM : 0);
			EXPECT_EQ(space_mapped(s, MAPPED_OBJECT) + space_mapped(s, MAPPED_ANON),
				  !err);
		}
		EXPECT(pt_translate(&s->root, BASE).attr & PT_W);
		EXPECT_EQ(space_mapped(s, shared ? MAPPED_OBJECT : MAPPED_ANON), 1);
		EXPECT_EQ(oracle_check(), 0u);
		space_destroy(s);
		object_put(o);
	}
}

// Cutting a view keeps each page where it was in the object, and books both parts.
TEST(area, cut_views)
{
	for (unsigned cut = 1; cut < 6; cut++) {
		struct space *s = space_create();
		struct object *o = object_create(8);

		EXPECT_EQ(add(s, BASE, 6, AREA_OBJECT, AREA_SHARED, o, 2), 0);
		for (unsigned i = 0; i < 6; i++)
			EXPECT(touch_write(s, BASE + PAGES(i), i));
		EXPECT_EQ(space_cut_area(s, BASE + PAGES(cut)), 0);
		EXPECT_EQ(space_cut_area(s, BASE + PAGES(cut)), 0);
		EXPECT_EQ(o->users, 3u);
		EXPECT_EQ(space_find_area(s, BASE)->mapped[MAPPED_OBJECT], cut);
		EXPECT_EQ(space_find_area(s, BASE + PAGES(5))->mapped[MAPPED_OBJECT], 6 - cut);
		EXPECT_EQ(space_find_area(s, BASE + PAGES(5))->offset_pages, 2 + cut);
		EXPECT_EQ(space_fault_count(s, FAULT_FILLED), 6u);
		EXPECT_EQ(oracle_check(), 0u);
		touch_done();
		space_destroy(s);
		object_put(o);
	}
}

// Device windows that are cut show the same addresses.
TEST(area, cut_windows)
{
	struct space *s = space_create();
	struct area_spec spec = { BASE, BASE + PAGES(4), AREA_DEVICE, 0, PT_R, NULL,
				  0,    PA(0x100000000) };

	EXPECT_EQ(space_add_area(s, &spec), 0);
	EXPECT_EQ(pt_translate(&s->root, BASE).attr,
		  PT_R | PT_U | PT_UC | PT_DEVMAP | PT_YOUNG | PT_DIRTY);
	EXPECT_EQ(space_cut_area(s, BASE + PAGES(3)), 0);
	EXPECT_EQ(space_find_area(s, BASE + PAGES(3))->pa.value, 0x100003000ull);
	EXPECT_EQ(space_find_area(s, BASE)->mapped[MAPPED_DEVICE], 3);
	EXPECT_EQ(pt_translate(&s->root, BASE + PAGES(3)).pa.value, 0x100003000ull);
	EXPECT_EQ(space_unmap(s, BASE, BASE + PAGES(1)), 0);
	EXPECT_EQ(space_find_area(s, BASE + PAGES(1))->pa.value, 0x100001000ull);
	space_destroy(s);
}

// A window is inherited as it is: both sides may write to the device.
TEST(area, windows_after_a_fork)
{
	for (unsigned shared = 0; shared < 2; shared++) {
		struct space *s = space_create(), *child;
		struct area_spec spec = { BASE, BASE + PAGES(2), AREA_DEVICE, 0, PT_R | PT_W, NULL,
					  0,    PA(0x100000000) };

		EXPECT_EQ(space_add_area(s, &spec), 0);
		child = fork_as(s, shared);
		REQUIRE(child);
		for (unsigned i = 0; i < 2; i++) {
			struct pt_span of_child = pt_translate(&child->root, BASE + PAGES(i));

			EXPECT(pt_translate(&s->root, BASE + PAGES(i)).attr & PT_W);
			EXPECT(of_child.attr & PT_W);
			EXPECT_EQ(of_child.pa.value, 0x100000000ull + PAGES(i));
		}
		EXPECT_EQ(space_mapped(child, MAPPED_DEVICE), 2);
		EXPECT_EQ(oracle_check(), 0u);
		space_destroy(child);
		space_destroy(s);
	}
}

// Gaps: aligned, to the last byte, and none below the low end.
TEST(area, gaps)
{
	struct space *s = space_create();

	EXPECT_EQ(add(s, BASE + PAGES(1), 1, AREA_ANON, 0, NULL, 0), 0);
	EXPECT_EQ(add(s, BASE + PAGES(8), 1, AREA_ANON, 0, NULL, 0), 0);
	EXPECT_EQ(space_find_gap(s, PAGES(1), PAGES(1), BASE, BASE + PAGES(16)), BASE);
	EXPECT_EQ(space_find_gap(s, PAGES(2), PAGES(4), BASE, BASE + PAGES(16)), BASE + PAGES(4));
	EXPECT_EQ(space_find_gap(s, PAGES(6), PAGES(1), BASE, BASE + PAGES(16)), BASE + PAGES(2));
	EXPECT_EQ(space_find_gap(s, PAGES(7), PAGES(1), BASE, BASE + PAGES(16)), BASE + PAGES(9));
	EXPECT_EQ(space_find_gap(s, PAGES(8), PAGES(1), BASE, BASE + PAGES(16)), 0u);
	EXPECT_EQ(space_find_gap(s, PAGES(1), PAGES(1), BASE + 1, BASE + PAGES(2)), 0u);
	EXPECT_EQ(space_find_gap(s, PAGES(1), PAGES(1), BASE + PAGES(16), BASE + PAGES(16)), 0u);
	EXPECT_EQ(space_find_gap(s, 0, PAGES(1), BASE + PAGES(16), BASE + PAGES(16)), 0u);
	space_destroy(s);
}

// After a fork, a part of what nobody has touched can be unmapped and protected: there is no table
// to make one's own.
TEST(area, untouched_after_a_fork)
{
	for (unsigned shared = 0; shared < 2; shared++) {
		struct space *s = room_create(1024, 0), *child = fork_as(s, shared);

		REQUIRE(s && child);
		EXPECT_EQ(space_unmap(child, ROOM_PAGE(10), ROOM_PAGE(20)), 0);
		EXPECT_EQ(space_protect(s, ROOM_PAGE(600), ROOM_PAGE(601), PT_R), 0);
		EXPECT(!space_find_area(child, ROOM_PAGE(10)));
		EXPECT(space_find_area(s, ROOM_PAGE(10)));
		EXPECT_EQ(oracle_check(), 0u);
		space_destroy(child);
		space_destroy(s);
	}
}

/* Fork a space whose private area is entries [first, end) of a table, in small pages,
 * beside shared memory on both sides. How many tables are shared? */
static uint64_t shared_by_fork(va_t start, va_t end)
{
	struct space *s = space_create(), *child;
	uint64_t before = share_stats.shared;

	EXPECT_EQ(add(s, start - PAGES(1), 1, AREA_ANON, AREA_SHARED, NULL, 0), 0);
	EXPECT_EQ(add(s, end, 1, AREA_ANON, AREA_SHARED, NULL, 0), 0);
	EXPECT_EQ(add(s, start, (end - start) / PAGE_SIZE, AREA_ANON, 0, NULL, 0), 0);
	for (va_t va = start; va < end; va += PAGES(256))
		EXPECT(touch_write(s, va, va));
	child = fork_sharing(s);
	for (va_t va = start; va < end; va += PAGES(256))
		EXPECT(touch_reads(child, va, va));
	EXPECT_EQ(oracle_check(), 0u);
	touch_done();
	space_destroy(child);
	space_destroy(s);
	return share_stats.shared - before;
}

// What a private area covers of whole entries is shared, be it one entry; at its ends no more is.
TEST(area, whole_entries_are_shared)
{
	const uint64_t entry = pt_size(1);

	EXPECT_EQ(shared_by_fork(BASE + entry, BASE + 2 * entry), 1u);
	EXPECT_EQ(shared_by_fork(BASE + entry, BASE + 4 * entry), 3u);
	EXPECT_EQ(shared_by_fork(BASE + entry - PAGES(2), BASE + 2 * entry), 1u);
	EXPECT_EQ(shared_by_fork(BASE + entry, BASE + 2 * entry + PAGES(2)), 1u);
	EXPECT_EQ(shared_by_fork(BASE + entry - PAGES(2), BASE + 2 * entry + PAGES(2)), 1u);
	EXPECT_EQ(shared_by_fork(BASE + PAGES(2), BASE + PAGES(9)), 0u);
}

// Changing what a space has for itself leaves the table beside it shared: the range ends with its
// own.
TEST(area, neighbours_stay_shared)
{
	struct space *s = room_create(512, 0), *child;
	struct pt_way way;
	ptv_t v;

	REQUIRE(s);
	EXPECT_EQ(add(s, ROOM_PAGE(512), 512, AREA_ANON, 0, NULL, 0), 0);
	for (unsigned i = 511; i < 1024; i += 256)
		EXPECT(touch_write(s, ROOM_PAGE(i), i));
	child = fork_sharing(s);
	REQUIRE(child);
	EXPECT(touch_write(child, ROOM_PAGE(511),
			   1)); /* its table is the child's own from now on */
	pt_descend(&child->root, ROOM_PAGE(512), 1, &way);
	v = way.v;
	EXPECT(ptv_is_table(v) && !(ptv_attr(v) & PT_W));
	EXPECT_EQ(space_protect(child, ROOM_PAGE(510), ROOM_PAGE(512), PT_R), 0);
	pt_descend(&child->root, ROOM_PAGE(512), 1, &way);
	v = way.v;
	EXPECT(ptv_is_table(v) && !(ptv_attr(v) & PT_W));
	EXPECT_EQ(oracle_check(), 0u);
	touch_done();
	space_destroy(child);
	space_destroy(s);
}

/* Copy one private area [start, start + bytes), all of it written, to a relative. Tables shared. */
static uint64_t shared_by_copy(va_t start, uint64_t bytes, unsigned flags)
{
	struct space *s = space_create(), *copy = space_create_related(s);
	uint64_t before = share_stats.shared;
	bool shares = fork_shares_tables;
	struct area *clone;

	EXPECT_EQ(add(s, start, bytes / PAGE_SIZE, AREA_ANON, flags, NULL, 0), 0);
	for (va_t va = start; va < start + bytes; va += PAGES(128))
		EXPECT(touch_write(s, va, va));
	EXPECT_EQ(space_clone_area(copy, space_find_area(s, start), &clone), 0);
	fork_shares_tables = true;
	EXPECT_EQ(copy_page_range(copy, s, clone), 0);
	fork_shares_tables = shares;
	for (va_t va = start; va < start + bytes; va += PAGES(128))
		EXPECT(touch_reads(copy, va, va));
	EXPECT_EQ(oracle_check(), 0u);
	touch_done();
	space_destroy(copy);
	space_destroy(s);
	return share_stats.shared - before;
}

// Areas that are copied one after another meet in tables that the first one's copy has made.
TEST(area, one_after_another)
{
	struct space *s = space_create(), *copy = space_create_related(s);
	bool shares = fork_shares_tables;
	struct area *clone;

	for (va_t va = BASE; va < BASE + PAGES(40); va += PAGES(20)) {
		EXPECT_EQ(add(s, va, 10, AREA_ANON, 0, NULL, 0), 0);
		EXPECT(touch_write(s, va, va));
	}
	fork_shares_tables = true;
	for (va_t va = BASE; va < BASE + PAGES(40); va += PAGES(20)) {
		EXPECT_EQ(space_clone_area(copy, space_find_area(s, va), &clone), 0);
		EXPECT_EQ(copy_page_range(copy, s, clone), 0);
		EXPECT(touch_reads(copy, va, va));
	}
	fork_shares_tables = shares;
	EXPECT_EQ(oracle_check(), 0u);
	touch_done();
	space_destroy(copy);
	space_destroy(s);
}

// An area that is copied alone is shared where it is whole entries, be it one.
TEST(area, one_area_is_shared)
{
	const uint64_t entry = pt_size(1);

	EXPECT_EQ(shared_by_copy(BASE, entry, 0), 1u);
	EXPECT_EQ(shared_by_copy(BASE, 2 * entry, 0), 2u);
	EXPECT_EQ(shared_by_copy(BASE, entry - PAGES(1), 0), 0u);
	EXPECT_EQ(shared_by_copy(BASE + PAGES(1), entry - PAGES(1), 0), 0u);
	EXPECT_EQ(shared_by_copy(BASE + PAGES(1), entry, 0), 0u);
	EXPECT_EQ(shared_by_copy(BASE + PAGES(1), 2 * entry, 0), 1u);
}

// Huge pages of an area that is copied alone are copied, be they one or several of a table.
TEST(area, one_area_of_huge_pages)
{
	const uint64_t entry = pt_size(1);

	EXPECT_EQ(shared_by_copy(BASE, entry, AREA_HUGE), 0u);
	EXPECT_EQ(shared_by_copy(BASE + entry, 3 * entry, AREA_HUGE), 0u);
	EXPECT_EQ(shared_by_copy(BASE + entry - PAGES(128), 2 * entry, AREA_HUGE), 0u);
}

// A copy of one area has no table where the area is not, whatever lies behind it.
TEST(area, no_table_behind_a_copied_area)
{
	struct space *s = space_create(), *copy = space_create_related(s);
	const va_t end = 2 * pt_size(2), start = end - pt_size(2);
	bool shares = fork_shares_tables;
	struct area *clone;
	struct pt_way way;

	EXPECT_EQ(add(s, start, pt_size(2) / PAGE_SIZE, AREA_ANON, 0, NULL, 0), 0);
	EXPECT_EQ(add(s, end, 512, AREA_ANON, 0, NULL, 0), 0);
	EXPECT(touch_write(s, start, 1) && touch_write(s, end, 2));
	EXPECT_EQ(space_clone_area(copy, space_find_area(s, start), &clone), 0);
	fork_shares_tables = true;
	EXPECT_EQ(copy_page_range(copy, s, clone), 0);
	fork_shares_tables = shares;
	pt_descend(&copy->root, end, 0, &way);
	EXPECT_EQ(way.table.level, 2u);
	EXPECT(ptv_none(way.v));
	EXPECT(touch_reads(copy, start, 1));
	EXPECT_EQ(oracle_check(), 0u);
	touch_done();
	space_destroy(copy);
	space_destroy(s);
}
