/*
 * Several threads explode, cover, uncover and free the same block at once. Host only.
 *
 * Each thread begins a round with one edge over the whole block and drops it at the end, so however
 * they interleave, the block must then be free in all its parts. A broken rule is a panic here.
 */
#include <pthread.h>
#include <stdlib.h>

#include <mm/frame.h>
#include <tests/kernel/test.h>

#define THREAD_COUNT 4
#define ROUND_COUNT 2000
#define STEP_COUNT 4
#define ORDER_MAX 7

static pthread_barrier_t round_edge;
static struct frame *block;
static unsigned block_order;

struct worker {
	pthread_t thread;
	unsigned random; /* test_random is one thread's */
};

/* A random part of the block: parts only ever get smaller, so a head stays a head. */
static struct frame *some_part(struct worker *w)
{
	struct frame *f = block, *end = block + (1u << block_order);

	for (unsigned n = rand_r(&w->random) % 8; n; n--) {
		struct frame *next = f + (1u << READ_ONCE(f->order));

		if (next >= end)
			break;
		f = next;
	}
	return f;
}

static void worker_step(struct worker *w)
{
	unsigned order = rand_r(&w->random) % (block_order + 1);
	struct frame *other;

	switch (rand_r(&w->random) % 4) {
	case 0:
		frame_explode(some_part(w), order);
		break;
	case 1:
		other = frame_alloc(order, FRAME_KERNEL);
		if (other)
			frame_free(other);
		break;
	default:
		frame_get_span(block, block_order);
		frame_put_span(block, block_order);
	}
}

static void *worker_run(void *arg)
{
	struct worker *w = arg;

	for (unsigned round = 0; round < ROUND_COUNT; round++) {
		pthread_barrier_wait(&round_edge);
		for (unsigned i = 0; i < STEP_COUNT; i++)
			worker_step(w);
		frame_put_span(block, block_order);
		pthread_barrier_wait(&round_edge);
	}
	return NULL;
}

/* Returns the free frames of after the round. */
static uint64_t run_round(unsigned order)
{
	block_order = order;
	block = frame_alloc(order, FRAME_DATA);
	for (unsigned i = 1; i < THREAD_COUNT; i++)
		frame_get_span(block, order);
	pthread_barrier_wait(&round_edge);
	pthread_barrier_wait(&round_edge);
	return frame_free_count();
}

// Explosions and spans of several threads over one block neither lose nor double an edge.
TEST(frame_threads, spans_race_explosions)
{
	struct worker worker[THREAD_COUNT];
	uint64_t before = frame_free_count(), wrong_count = 0;

	pthread_barrier_init(&round_edge, NULL, THREAD_COUNT + 1);
	for (unsigned i = 0; i < THREAD_COUNT; i++) {
		worker[i].random = (unsigned)test_random();
		REQUIRE_EQ(pthread_create(&worker[i].thread, NULL, worker_run, &worker[i]), 0);
	}
	for (unsigned round = 0; round < ROUND_COUNT; round++)
		wrong_count += run_round(1 + round % ORDER_MAX) != before;
	for (unsigned i = 0; i < THREAD_COUNT; i++)
		pthread_join(worker[i].thread, NULL);
	pthread_barrier_destroy(&round_edge);
	EXPECT_EQ(wrong_count, 0u);
	frame_check();
	test_note("%u rounds of %u threads", ROUND_COUNT, THREAD_COUNT);
}
