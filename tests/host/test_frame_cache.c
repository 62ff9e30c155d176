/*
 * A CPU's cache of frames: how much it takes from the lists at once, from which block, and how much
 * goes back. On machines of their own, whose lists are known.
 */
#include <mm/frame_internal.h>
#include <tests/host/host.h>
#include <tests/kernel/test.h>

#define MIB (1ull << 20)
#define BLOCKS_MAX 64

static struct frame *block[BLOCKS_MAX];
static unsigned block_count;

static void boot_small(void)
{
	static const struct host_bank bank[] = { { MIB, 15 * MIB } };

	EXPECT_EQ(host_boot(bank, ARRAY_SIZE(bank)), 0);
	block_count = 0;
}

static bool hold(unsigned order)
{
	struct frame *f = block_count < BLOCKS_MAX ? frame_alloc(order, FRAME_DATA) : NULL;

	if (f)
		block[block_count++] = f;
	return f;
}

static void free_held(void)
{
	while (block_count)
		frame_free(block[--block_count]);
}

/* From here on no block from a pair up to a batch is smaller than of this order. */
static void leave_smallest(unsigned order)
{
	for (unsigned small = 1; small <= order; small++)
		while (buddy.nonempty & 1u << small)
			if (!EXPECT(hold(small)))
				return;
	EXPECT(hold(order));
	EXPECT_EQ(__builtin_ctz(buddy.nonempty & ~1u), order);
}

// An empty cache takes the smallest block there is from two frames up, and no more than a batch of
// a larger one; it hands them out in order.
TEST(frame_cache, a_batch_is_the_smallest_block)
{
	for (unsigned order = 1; order <= FRAME_BATCH_ORDER + 1; order++) {
		unsigned batch = 1u << (order < FRAME_BATCH_ORDER ? order : FRAME_BATCH_ORDER);
		struct frame *f[1u << FRAME_BATCH_ORDER];
		uint64_t listed;

		boot_small();
		leave_smallest(order);
		listed = buddy.free_count;
		for (unsigned i = 0; i < batch; i++) {
			REQUIRE((f[i] = frame_alloc(0, FRAME_DATA)));
			EXPECT(f[i] == f[0] + i);
			EXPECT_EQ(listed - buddy.free_count, batch);
			EXPECT_EQ(frame_cache_count(), batch - 1 - i);
		}
		frame_check();
		for (unsigned i = 0; i < batch; i++)
			frame_free(f[i]);
		free_held();
		frame_check();
	}
	host_boot_default();
}

// A frame whose buddy is in use is taken alone only if there is nothing else.
TEST(frame_cache, singles_come_last)
{
	struct frame *single, *f;

	boot_small();
	for (unsigned order = FRAME_ORDER_MAX; order > 0; order--)
		while (hold(order))
			;
	frame_explode(block[block_count - 1], 0);
	single = block[block_count - 1] + 1;
	frame_free(single);
	frame_cache_drain_all();
	EXPECT_EQ(buddy.nonempty, 1u);
	EXPECT(frame_alloc(0, FRAME_DATA) == single);
	frame_free(single);
	EXPECT_EQ(frame_cache_drain_all(), 1u);
	frame_free(block[0]);
	f = frame_alloc(0, FRAME_DATA);
	EXPECT(f && f != single);
	EXPECT_EQ(single->order, 0);
	EXPECT_EQ(single->kind, FRAME_FREE);
	frame_check();
	host_boot_default();
}

// What all caches have goes to the lists at once, and it is said how much that was.
TEST(frame_cache, drained_frames_are_counted)
{
	struct frame *f[3];
	uint64_t free_before, cached;

	boot_small();
	free_before = frame_free_count();
	EXPECT_EQ(frame_cache_drain_all(), 0u);
	for (unsigned i = 0; i < ARRAY_SIZE(f); i++)
		REQUIRE((f[i] = frame_alloc(0, FRAME_DATA)));
	for (unsigned i = 0; i < ARRAY_SIZE(f); i++)
		frame_free(f[i]);
	cached = frame_cache_count();
	EXPECT(cached >= ARRAY_SIZE(f));
	EXPECT_EQ(frame_cache_drain_all(), cached);
	EXPECT_EQ(frame_cache_count(), 0u);
	EXPECT_EQ(buddy.free_count, free_before);
	EXPECT_EQ(frame_cache_drain_all(), 0u);
	frame_check();
	host_boot_default();
}

// What waits in a cache is merged when a larger block is wanted and there is no other.
TEST(frame_cache, gives_way_to_a_larger_block)
{
	struct frame *f;

	boot_small();
	for (unsigned order = FRAME_ORDER_MAX; order > 0; order--)
		while (hold(order))
			;
	while (hold(0))
		;
	f = block[0];
	EXPECT(f->order > 3);
	frame_explode(f, 0);
	EXPECT(!frame_alloc(1, FRAME_DATA));
	for (unsigned i = 0; i < 4; i++)
		frame_free(f + i);
	EXPECT_EQ(frame_cache_count(), 4u);
	EXPECT(frame_alloc(2, FRAME_DATA) == f);
	EXPECT_EQ(frame_free_count(), 0u);
	EXPECT(!frame_alloc(0, FRAME_DATA));
	frame_free(f);
	EXPECT(frame_alloc(0, FRAME_DATA));
	EXPECT_EQ(frame_free_count(), 3u);
	frame_check();
	host_boot_default();
}

// A full cache keeps the half that was freed last, which comes out first, the last of all at first.
TEST(frame_cache, a_full_cache_keeps_what_is_hot)
{
	static struct frame *f[FRAME_CACHE_MAX + 1];
	uint64_t calls = frame_alloc_calls();

	boot_small();
	calls = frame_alloc_calls();
	for (unsigned i = 0; i < ARRAY_SIZE(f); i++)
		REQUIRE((f[i] = frame_alloc(0, FRAME_DATA)));
	EXPECT_EQ(frame_alloc_calls() - calls, ARRAY_SIZE(f));
	frame_cache_drain_all();
	for (unsigned i = 0; i < FRAME_CACHE_MAX; i++)
		frame_free(f[i]);
	EXPECT_EQ(frame_cache_count(), FRAME_CACHE_MAX);
	frame_free(f[FRAME_CACHE_MAX]);
	EXPECT_EQ(frame_cache_count(), FRAME_CACHE_MAX / 2 + 1);
	frame_check();
	for (unsigned i = FRAME_CACHE_MAX; i >= FRAME_CACHE_MAX / 2; i--)
		EXPECT(frame_alloc(0, FRAME_DATA) == f[i]);
	EXPECT_EQ(frame_cache_count(), 0u);
	host_boot_default();
}

// A block that is handed out has no flags of those who had it, in none of its frames.
TEST(frame_cache, no_flags_are_left)
{
	struct frame *f;

	boot_small();
	for (unsigned order = 0; order <= 5; order++) {
		for (unsigned round = 0; round < 2; round++) {
			f = frame_alloc(order, FRAME_DATA);
			REQUIRE(f);
			for (unsigned i = 0; i < block_frames(order); i++)
				EXPECT_EQ(f[i].flags, 0);
			f->flags = FRAME_FLAG_OBJECT;
			frame_free(f);
		}
	}
	host_boot_default();
}
