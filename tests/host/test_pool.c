/*
 * Pools to the last object: how many fit in a frame, and when the frame goes.
 */
#include <lib/string.h>
#include <mm/frame.h>
#include <mm/pool.h>
#include <tests/kernel/test.h>

struct object {
	uint64_t word[2];
};

#define IN_A_FRAME 254 /* behind a header of 32 bytes, to the frame's last */

static struct pool pool = POOL_INIT(pool, struct object);

/* Take `count` objects, all apart and zero, and write to each. */
static void take(struct object **object, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		object[i] = pool_alloc(&pool);
		REQUIRE(object[i]);
		EXPECT_EQ(object[i]->word[0] | object[i]->word[1], 0u);
		object[i]->word[0] = object[i]->word[1] = i + 1;
	}
	for (unsigned i = 0; i < count; i++)
		EXPECT(object[i]->word[0] == i + 1 && object[i]->word[1] == i + 1);
	EXPECT_EQ(pool.used_count, count);
}

// A frame holds as many objects as fit, and one more takes the next; each goes with its last.
TEST(pool, frames_are_filled)
{
	static struct object *object[IN_A_FRAME + 1];
	uint64_t before = frame_free_count();

	take(object, IN_A_FRAME);
	EXPECT_EQ(frame_free_count(), before - 1);
	object[IN_A_FRAME] = pool_alloc(&pool);
	EXPECT_EQ(frame_free_count(), before - 2);
	pool_free(&pool, object[IN_A_FRAME]);
	EXPECT_EQ(frame_free_count(), before - 1);
	for (unsigned i = 0; i < IN_A_FRAME; i++) {
		EXPECT_EQ(frame_free_count(), before - 1);
		pool_free(&pool, object[i]);
	}
	EXPECT_EQ(frame_free_count(), before);
	EXPECT_EQ(pool.used_count, 0u);
}

// What is freed in a full frame is handed out again, zeroed, before another frame is taken.
TEST(pool, room_is_used_again)
{
	static struct object *object[IN_A_FRAME];
	uint64_t before = frame_free_count();

	take(object, IN_A_FRAME);
	for (unsigned i = 0; i < IN_A_FRAME; i += 3) {
		struct object *freed = object[i];

		pool_free(&pool, freed);
		pool_free(&pool, NULL);
		EXPECT_EQ(pool.used_count, IN_A_FRAME - 1);
		object[i] = pool_alloc(&pool);
		EXPECT(object[i] == freed);
		EXPECT_EQ(object[i]->word[0] | object[i]->word[1], 0u);
		EXPECT_EQ(frame_free_count(), before - 1);
	}
	for (unsigned i = 0; i < IN_A_FRAME; i++)
		pool_free(&pool, object[i]);
	EXPECT_EQ(frame_free_count(), before);
}

// Without a frame there is no object, and the pool is as it was.
TEST(pool, out_of_memory)
{
	struct object *object;

	frame_fail_after(0, 1);
	EXPECT(!pool_alloc(&pool));
	frame_fail_after(0, 0);
	EXPECT_EQ(pool.used_count, 0u);
	object = pool_alloc(&pool);
	EXPECT(object);
	pool_free(&pool, object);
}
