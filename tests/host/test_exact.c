/*
 * Memory of the allocator and of swap, to the frame.
 */
#include <mm/frame_internal.h>
#include <mm/memmap.h>
#include <mm/swap.h>
#include <tests/host/host.h>
#include <tests/kernel/test.h>

#define MIB (1ull << 20)

/* Frames of the map of so many slots: 16 bytes each, and for each 1,024 of them. */
static uint64_t swap_map_frames(uint64_t slot_count)
{
	uint64_t before = frame_free_count(), used;

	EXPECT_EQ(swap_init(slot_count), 0);
	used = before - frame_free_count() - slot_count;
	swap_fini();
	EXPECT_EQ(frame_free_count(), before);
	return used;
}

// The map of swap takes no more frames than it fills, rounded up to a block.
TEST(exact, swap_map)
{
	EXPECT_EQ(swap_map_frames(1), 1u);
	EXPECT_EQ(swap_map_frames(255), 1u);
	EXPECT_EQ(swap_map_frames(256), 2u);
	EXPECT_EQ(swap_map_frames(511), 2u);
	EXPECT_EQ(swap_map_frames(512), 4u);
	EXPECT_EQ(swap_map_frames(1022), 4u);
	EXPECT_EQ(swap_map_frames(1023), 4u);
	EXPECT_EQ(swap_map_frames(1024), 8u);
}

// The array may lie in the first range of the map, if that is the only one.
TEST(exact, array_in_the_first_range)
{
	static struct memmap map;

	EXPECT_EQ(host_boot(NULL, 0), -ENOMEM); /* the memory is nobody's */
	map.count = 0;
	EXPECT_EQ(memmap_add(&map, MIB, 15 * MIB, MEMMAP_USABLE, 16 * MIB), 0);
	EXPECT_EQ(frame_init(&map), 0);
	EXPECT_EQ(frame_limit, 16 * MIB >> PAGE_SHIFT);
	host_boot_default();
}

// The self-check looks at the list of the largest blocks, too.
TEST(exact, check_sees_the_largest_list)
{
	uint32_t first = buddy.first[FRAME_ORDER_MAX];
	uint32_t prev;

	REQUIRE(first);
	frame_check();
	prev = frame_array[first].free.prev;
	frame_array[first].free.prev = 1;
	EXPECT_BUG(frame_check());
	frame_array[first].free.prev = prev;
	frame_check();
}

// Whoever lets the last edge of a span go is who freed it.
TEST(exact, site_of_a_span)
{
	for (unsigned order = 0; order <= 3; order++) {
		struct frame *f = frame_alloc(order, FRAME_DATA);
		int line;

		REQUIRE(f);
		frame_get_span(f, order);
		frame_put_span(f, order);
		EXPECT(f->site & 0xffff);
		frame_put_span(f, order), line = __LINE__;
		EXPECT_EQ(f->site & 0xffff, (uint64_t)line);
	}
}
