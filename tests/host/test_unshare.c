/*
 * What of shared tables is left behind as a whole when a range goes, and what is copied: by the
 * counts of share.h. That nobody sees another's pages, tests/kernel/test_share.c asks.
 */
#include <mm/copy.h>
#include <mm/share.h>
#include <tests/kernel/fork_as.h>
#include <tests/kernel/oracle.h>
#include <tests/kernel/page_room.h>
#include <tests/kernel/test.h>
#include <tests/kernel/touch.h>

static struct share_stats before;

static void add(struct space *s, unsigned from, unsigned to)
{
	struct area_spec spec = { .start = ROOM_PAGE(from),
				  .end = ROOM_PAGE(to),
				  .rights = PT_R | PT_W };

	EXPECT_EQ(space_add_area(s, &spec), 0);
	for (unsigned i = from; i < to; i++)
		EXPECT(touch_write(s, ROOM_PAGE(i), i));
	touch_done();
}

static struct space *fork_shared(struct space *s)
{
	struct space *child;

	child = fork_sharing(s);
	before = share_stats;
	return child;
}

/* Since the fork: so many tables copied, and left by that, and so many let go as a whole. */
static bool has(uint64_t copied, uint64_t whole)
{
	return EXPECT_EQ(share_stats.copied - before.copied, copied) &&
	       EXPECT_EQ(share_stats.dropped - before.dropped, copied + whole);
}

/* Unmap the pages of a child whose parent has areas of those in one bottom table. */
static void unmap_of(const unsigned area[][2], unsigned count, unsigned from, unsigned to,
		     uint64_t copied, uint64_t whole)
{
	struct space *s = space_create(), *child;

	REQUIRE(s);
	for (unsigned i = 0; i < count; i++)
		add(s, area[i][0], area[i][1]);
	child = fork_shared(s);
	REQUIRE(child);
	EXPECT_EQ(space_unmap(child, ROOM_PAGE(from), ROOM_PAGE(to)), 0);
	EXPECT(has(copied, whole));
	for (unsigned i = 0; i < count; i++)
		for (unsigned page = area[i][0]; page < area[i][1]; page++) {
			uint64_t value;

			EXPECT(touch_reads(s, ROOM_PAGE(page), page));
			EXPECT_EQ(touch_read(child, ROOM_PAGE(page), &value),
				  page < from || page >= to);
		}
	touch_done();
	EXPECT_EQ(oracle_check(), 0u);
	space_destroy(child);
	space_destroy(s);
}

// A shared table of which nothing stays is let go as a whole, wherever in it the areas lie; at the
// highest place there is.
TEST(unshare, what_goes_as_a_whole)
{
	static const unsigned middle[][2] = { { 10, 20 } }, begin[][2] = { { 0, 20 } };
	static const unsigned end[][2] = { { 500, 512 } }, two[][2] = { { 10, 20 }, { 30, 40 } };

	unmap_of(middle, 1, 10, 20, 0, 1);
	unmap_of(begin, 1, 0, 20, 0, 1);
	unmap_of(end, 1, 500, 512, 0, 1);
	unmap_of(two, 2, 10, 40, 0, 1);
	unmap_of(two, 2, 5, 45, 0, 1);
}

// If something stays, on either side, the tables on the way become the child's own.
TEST(unshare, what_stays_in_part)
{
	static const unsigned one[][2] = { { 10, 20 } }, two[][2] = { { 10, 20 }, { 30, 40 } };
	const unsigned top = arch_mmu.top_level;

	unmap_of(one, 1, 10, 19, top, 0);
	unmap_of(one, 1, 11, 20, top, 0);
	unmap_of(two, 2, 10, 20, top, 0);
	unmap_of(two, 2, 30, 40, top, 0);
	unmap_of(two, 2, 20, 40, top, 0);
	unmap_of(two, 2, 5, 30, top, 0);
}

// Of two tables the one that goes is let go, and the other one, of which a part stays, is copied.
TEST(unshare, one_of_two)
{
	static const unsigned across[][2] = { { 500, 520 } };
	static const unsigned each[][2] = { { 500, 512 }, { 512, 520 } };
	const unsigned top = arch_mmu.top_level;

	unmap_of(across, 1, 500, 515, top, 1);
	unmap_of(across, 1, 505, 520, top, 1);
	unmap_of(each, 2, 500, 512, top - 1, 1);
	unmap_of(each, 2, 512, 520, top - 1, 1);
	unmap_of(each, 2, 500, 520, 0, 1);
}
