/*
 * Where an operation on a range begins: not lower than it must, and not higher.
 */
#include <mm/flush.h>
#include <mm/space.h>
#include <tests/kernel/page_room.h>
#include <tests/kernel/test.h>

#define GIB (1ull << 30)

static unsigned cover(const struct space *s, va_t start, va_t end)
{
	struct pt_way way;

	return pt_descend(&s->root, start, pt_cover_level(start, end - 1), &way).level;
}

// The lowest table that has the whole range in it.
TEST(cover, lowest_table)
{
	struct space *s = space_create();
	const va_t two_mib = 2ull << 20;

	REQUIRE(s);
	EXPECT_EQ(cover(s, GIB, GIB + PAGE_SIZE), s->root.top.level);
	EXPECT_EQ(pt_reserve(&s->root, GIB, GIB + 4 * two_mib, 0), 0);
	EXPECT_EQ(cover(s, GIB, GIB + PAGE_SIZE), 0u);
	EXPECT_EQ(cover(s, GIB + two_mib - PAGE_SIZE, GIB + two_mib), 0u);
	EXPECT_EQ(cover(s, GIB + PAGE_SIZE, GIB + two_mib), 0u);
	EXPECT_EQ(cover(s, GIB, GIB + two_mib), 0u);
	EXPECT_EQ(cover(s, GIB + two_mib - PAGE_SIZE, GIB + two_mib + PAGE_SIZE), 1u);
	EXPECT_EQ(cover(s, GIB, GIB + 4 * two_mib), 1u);
	EXPECT_EQ(cover(s, GIB - PAGE_SIZE, GIB + PAGE_SIZE), 2u);
	EXPECT_EQ(cover(s, GIB, 2 * GIB), 1u);
	EXPECT_EQ(cover(s, 0, 512 * GIB), 2u);
	EXPECT_EQ(cover(s, 0, 1024 * GIB), 3u);
	EXPECT_EQ(cover(s, 0, s->root.last + 1), s->root.top.level);
	space_destroy(s);
}

// Reserving makes every table of the range, also behind a huge leaf, which stays; and no other.
TEST(cover, reserving_goes_on_behind_a_huge_leaf)
{
	struct space *s = space_create();
	const va_t two_mib = 2ull << 20;
	FLUSH_BATCH(batch);

	REQUIRE(s);
	flush_begin(&batch, s);
	EXPECT_EQ(pt_map(&s->root, GIB, PA(GIB), two_mib, PT_R | PT_DEVMAP, &batch), 0);
	EXPECT_EQ(pt_reserve(&s->root, GIB, GIB + 2 * two_mib + PAGE_SIZE, 0), 0);
	EXPECT_EQ(pt_translate(&s->root, GIB).level, 1u);
	EXPECT_EQ(cover(s, GIB + two_mib, GIB + two_mib + PAGE_SIZE), 0u);
	EXPECT_EQ(cover(s, GIB + 2 * two_mib, GIB + 2 * two_mib + PAGE_SIZE), 0u);
	EXPECT_EQ(cover(s, GIB + 3 * two_mib, GIB + 3 * two_mib + PAGE_SIZE), 1u);
	EXPECT_EQ(pt_reserve(&s->root, 2 * GIB - PAGE_SIZE, 2 * GIB + PAGE_SIZE, 1), 0);
	EXPECT_EQ(cover(s, 2 * GIB - PAGE_SIZE, 2 * GIB), 1u);
	EXPECT_EQ(cover(s, 2 * GIB, 2 * GIB + PAGE_SIZE), 1u);
	EXPECT_EQ(cover(s, 3 * GIB, 3 * GIB + PAGE_SIZE), 2u);
	EXPECT_EQ(pt_unmap(&s->root, GIB, 4 * GIB, NULL, &batch), 0);
	EXPECT_EQ(cover(s, GIB, GIB + PAGE_SIZE), s->root.top.level);
	flush_end(&batch);
	space_destroy(s);
}

// What a huge leaf translates an address to is about that address, to the end of the leaf.
TEST(cover, translate_inside_a_huge_leaf)
{
	struct space *s = space_create();
	struct pt_span span;
	FLUSH_BATCH(batch);

	REQUIRE(s);
	flush_begin(&batch, s);
	EXPECT_EQ(pt_map(&s->root, GIB, PA(GIB), 2ull << 20, PT_R | PT_DEVMAP, &batch), 0);
	span = pt_translate(&s->root, GIB + 0x12345);
	EXPECT_EQ(span.kind, (enum pt_kind)PT_LEAF);
	EXPECT_EQ(span.level, 1u);
	EXPECT_EQ(span.va, GIB + 0x12345);
	EXPECT_EQ(span.pa.value, GIB + 0x12345);
	EXPECT_EQ(span.last, GIB + (2ull << 20) - 1);
	span = pt_translate(&s->root, s->root.last + 5);
	EXPECT_EQ(span.kind, (enum pt_kind)PT_NONE);
	EXPECT(span.va == s->root.last + 5 && span.last == s->root.last + 5);
	EXPECT_EQ(pt_unmap(&s->root, GIB, GIB + (2ull << 20), NULL, &batch), 0);
	flush_end(&batch);
	space_destroy(s);
}
