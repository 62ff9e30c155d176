/*
 * Bottom tables that hold everything at once: what copy_table_leaves takes, what it leaves to the
 * walk, and where an area begins and ends inside a table.
 */
#include <mm/copy.h>
#include <mm/reclaim.h>
#include <mm/share.h>
#include <mm/swap.h>
#include <tests/kernel/fork_as.h>
#include <tests/kernel/oracle.h>
#include <tests/kernel/page_room.h>
#include <tests/kernel/test.h>

#define PAGE_COUNT 1100ull /* more than two tables, the last one in part */
#define SLOT_COUNT 64ull

/* Everything about page i that a fork must hand on. */
static bool same_page(const struct space *a, const struct space *b, uint64_t i, bool cow)
{
	struct pt_span x = pt_translate(&a->root, ROOM_PAGE(i));
	struct pt_span y = pt_translate(&b->root, ROOM_PAGE(i));
	pt_attr_t lost = PT_YOUNG | (cow ? PT_W : PT_DIRTY);

	if (x.kind != y.kind || x.soft != y.soft || x.pa.value != y.pa.value)
		return false;
	return y.attr == (x.attr & ~lost) && (!cow || !(x.attr & PT_W));
}

/* Pages of all kinds, mixed: written, zero, none, without rights, and some in swap. */
static void make_mixture(struct space *space)
{
	uint64_t value;
	int err = 0;

	for (uint64_t i = 0; i < PAGE_COUNT; i++) {
		if (i % 7 == 3 || (i > 600 && i < 700))
			continue;
		if (i % 5 == 1)
			EXPECT(room_read(space, ROOM_PAGE(i), &value));
		else
			EXPECT(room_fill(space, ROOM_PAGE(i), i));
	}
	for (uint64_t i = 20; i < PAGE_COUNT; i += 100)
		err |= space_protect(space, ROOM_PAGE(i), ROOM_PAGE(i + 2), 0);
	EXPECT_EQ(err, 0);
}

static void check_fork(struct space *parent)
{
	const struct frame *zero = pa_to_frame(zero_page);
	uint32_t zero_edges = frame_edges(zero);
	struct space *child;

	child = fork_eagerly(parent);
	REQUIRE(child);
	EXPECT_EQ(frame_edges(zero), zero_edges); /* nobody counts it */
	for (uint64_t i = 0; i < PAGE_COUNT; i++)
		if (!same_page(parent, child, i, true))
			EXPECT_EQ(i, PAGE_COUNT); /* prints which */
	EXPECT_EQ(oracle_check(), 0u);
	for (uint64_t i = 0; i < PAGE_COUNT; i += 5)
		EXPECT(i % 7 == 3 || i % 100 == 20 || (i > 600 && i < 700) ||
		       room_holds(child, ROOM_PAGE(i), i));
	EXPECT_EQ(oracle_check(), 0u);
	space_destroy(child);
}

// A table of written, zero, absent, inaccessible and swapped pages, of many areas, stays the same.
TEST(copy_table, all_kinds_at_once)
{
	struct space *parent = room_create(PAGE_COUNT, 0);

	REQUIRE(parent);
	REQUIRE_EQ(swap_init(SLOT_COUNT), 0);
	make_mixture(parent);
	check_fork(parent);
	EXPECT_OP(space_reclaim(parent, SLOT_COUNT), >, 0);
	EXPECT_OP(space_mapped(parent, MAPPED_SWAP), >, 0);
	check_fork(parent);
	check_fork(parent); /* once more, without W on the parent's side */
	room_close_filled(parent);
}

// Shared memory: both keep W, and the child's pages are old and clean.
TEST(copy_table, shared_memory_keeps_w)
{
	struct space *parent = room_create(PAGE_COUNT, AREA_SHARED), *child;

	REQUIRE(parent);
	for (uint64_t i = 0; i < PAGE_COUNT; i += 3)
		EXPECT(room_fill(parent, ROOM_PAGE(i), i));
	child = space_fork(parent);
	REQUIRE(child);
	for (uint64_t i = 0; i < PAGE_COUNT; i += 3)
		EXPECT(same_page(parent, child, i, false));
	EXPECT_EQ(oracle_check(), 0u);
	space_destroy(child);
	space_destroy(parent);
}

// An area in the middle of a table is copied alone: its neighbours in the table stay out.
TEST(copy_table, only_the_area)
{
	struct space *parent = room_create(300, 0), *child;
	bool before = fork_shares_tables;
	struct area *clone;

	REQUIRE(parent);
	for (uint64_t i = 0; i < 300; i++)
		EXPECT(room_fill(parent, ROOM_PAGE(i), i));
	EXPECT_EQ(space_protect(parent, ROOM_PAGE(99), ROOM_PAGE(202), PT_R | PT_W | PT_X), 0);
	child = space_create_related(parent);
	REQUIRE(child);
	fork_shares_tables = false;
	EXPECT_EQ(space_clone_area(child, space_find_area(parent, ROOM_PAGE(99)), &clone), 0);
	EXPECT_EQ(copy_page_range(child, parent, space_find_area(parent, ROOM_PAGE(99))), 0);
	fork_shares_tables = before;
	for (uint64_t i = 0; i < 300; i++)
		EXPECT_EQ(room_kind(child, ROOM_PAGE(i)), i < 99 || i >= 202 ? PT_NONE : PT_LEAF);
	EXPECT_EQ(oracle_check(), 0u);
	space_destroy(child);
	space_destroy(parent);
}
