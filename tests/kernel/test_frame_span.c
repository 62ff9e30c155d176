/*
 * Leaves over several frames and the blocks under them: intact, exploded, exploded unevenly.
 */
#include <mm/frame.h>
#include <tests/kernel/test.h>

#define FRAMES(order) (1ull << (order))

static bool all_have(const struct frame *f, uint64_t count, uint64_t step, uint32_t edges)
{
	for (uint64_t i = 0; i < count; i += step)
		if (frame_edges(&f[i]) != edges)
			return false;
	return true;
}

// A leaf over an intact block is one edge at its head, and frees the block when it was the last.
TEST(frame_span, intact_block_counts_at_its_head)
{
	uint64_t before = frame_free_count();

	for (unsigned order = 0; order <= 10; order++) {
		struct frame *f = frame_alloc(order, FRAME_DATA);

		REQUIRE(f != NULL);
		EXPECT(frame_span_exclusive(f, order));
		frame_get_span(f, order);
		EXPECT_EQ(frame_edges(f), 2u);
		EXPECT(!frame_span_exclusive(f, order));
		EXPECT(order == 0 || frame_edges(f + 1) == 0);
		frame_put_span(f, order);
		EXPECT(frame_span_exclusive(f, order));
		frame_put_span(f, order);
		EXPECT_EQ(frame_free_count(), before);
	}
	frame_check();
}

/* Two leaves over the block, of `from`, then exploded to `to`: both leaves cover all the parts. */
static void check_explosion(struct frame *f, unsigned from, unsigned to)
{
	f->flags = 0x123;
	f->owner[1] = 0x456;
	frame_get_span(f, from);
	frame_explode(f, to);
	EXPECT(all_have(f, FRAMES(from), FRAMES(to), 2));
	for (uint64_t i = 0; i < FRAMES(from); i += FRAMES(to))
		if (f[i].order != to || f[i].kind != FRAME_KERNEL || f[i].flags != 0x123 ||
		    f[i].owner[1] != 0x456) {
			EXPECT_EQ(i, ~0ull);
			break;
		}
	EXPECT(!frame_span_exclusive(f, from));
	frame_put_span(f, from);
	EXPECT(all_have(f, FRAMES(from), FRAMES(to), 1));
	EXPECT(frame_span_exclusive(f, from));
	frame_explode(f, to);
	frame_explode(f, to + 1);
	EXPECT_EQ(f->order, to);
}

/* Freeing a gigabyte in small parts takes its time: from there only to somewhat smaller ones. */
static unsigned lowest_part(unsigned from)
{
	return from > 10 ? from - 4 : 0;
}

// The parts of an exploded block have the edges and the owner of the whole, from any order.
TEST(frame_span, parts_inherit_everything)
{
	uint64_t before = frame_free_count();
	unsigned pair_count = 0;

	for (unsigned from = 1; from <= FRAME_ORDER_MAX; from++)
		for (unsigned to = lowest_part(from); to < from; to++) {
			struct frame *f = frame_alloc(from, FRAME_KERNEL);

			if (!f)
				continue;
			check_explosion(f, from, to);
			frame_put_span(f, from);
			EXPECT_EQ(frame_free_count(), before);
			pair_count++;
		}
	frame_check();
	test_note("%u pairs of orders", pair_count);
}

// A part lives on its own, and a span over parts of many sizes counts each of them once.
TEST(frame_span, uneven_parts)
{
	uint64_t before = frame_free_count();
	struct frame *f = frame_alloc(9, FRAME_DATA);

	REQUIRE(f != NULL);
	frame_explode(f, 6);
	frame_explode(f + 64, 3);
	frame_explode(f + 64 + 8, 0);
	frame_get_span(f, 9);
	EXPECT_EQ(frame_edges(f), 2u);
	EXPECT_EQ(frame_edges(f + 64), 2u);
	EXPECT(all_have(f + 72, 8, 1, 2));
	EXPECT_EQ(frame_edges(f + 128), 2u);
	frame_put_span(f, 9);
	frame_get(f + 75);
	EXPECT(!frame_span_exclusive(f, 9));
	EXPECT(!frame_span_exclusive(f + 72, 3));
	EXPECT(frame_span_exclusive(f + 72, 1));
	EXPECT(frame_span_exclusive(f + 128, 6));
	frame_put_span(f, 9);
	EXPECT_EQ(frame_free_count(), before - 1);
	frame_check();
	EXPECT(frame_put(f + 75));
	EXPECT_EQ(frame_free_count(), before);
	frame_check();
}

// A span that does not begin at a block in use, or is smaller than its block, is a bug.
TEST(frame_span, wrong_spans_are_bugs)
{
	struct frame *f = frame_alloc(4, FRAME_DATA);

	REQUIRE(f != NULL);
	EXPECT_BUG(frame_get_span(f, 3));
	EXPECT_BUG(frame_put_span(f, 0));
	EXPECT_BUG(frame_get_span(f + 8, 3));
	EXPECT_BUG(frame_put_span(f + 1, 0));
	EXPECT_BUG(frame_explode(f + 8, 0));
	EXPECT_EQ(frame_edges(f), 1u);
	EXPECT_EQ(frame_edges(f + 8), 0u);
	frame_put_span(f, 4);
	EXPECT_BUG(frame_explode(f, 0));
	EXPECT_BUG(frame_put_span(f, 4));
	frame_check();
}

// A leaf may cover several blocks that were never one.
TEST(frame_span, parts_may_be_freed_and_reused)
{
	struct frame *f = frame_alloc(1, FRAME_DATA), *again;

	REQUIRE(f != NULL);
	frame_explode(f, 0);
	EXPECT(frame_put(f + 1));
	again = frame_alloc(0, FRAME_DATA);
	EXPECT(again == f + 1);
	frame_get_span(f, 1);
	EXPECT_EQ(frame_edges(f), 2u);
	EXPECT_EQ(frame_edges(again), 2u);
	frame_put_span(f, 1);
	frame_put_span(f, 1);
	frame_check();
}
