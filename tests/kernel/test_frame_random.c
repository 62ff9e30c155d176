/*
 * Random operations against a model that is nothing but arrays of numbers.
 *
 * A region is one allocation of up to 2^REGION_ORDER_MAX frames; the model keeps for each frame in
 * it whether a block begins there, of what order, and with how many edges.
 */
#include <lib/string.h>
#include <mm/frame.h>
#include <tests/kernel/test.h>

#define REGION_MAX 48
#define REGION_ORDER_MAX 6
#define REGION_FRAMES (1u << REGION_ORDER_MAX)
#define EDGES_MAX 5

struct region {
	struct frame *frame; /* NULL: unused */
	unsigned order;
	uint64_t tag; /* written to each frame, to see that nobody else gets it */
	unsigned block_order[REGION_FRAMES];
	uint32_t edges[REGION_FRAMES]; /* 0: no block begins here, or it is free */
};

static struct region regions[REGION_MAX];
static uint64_t live_frames; /* by the model */

static unsigned frames(unsigned order)
{
	return 1u << order;
}

static uint64_t *tag_of(const struct region *r, unsigned i)
{
	return (uint64_t *)pa_to_ptr(frame_to_pa(r->frame + i)) + i;
}

static void region_alloc(struct region *r)
{
	unsigned order = test_random() % (REGION_ORDER_MAX + 1);

	memset(r, 0, sizeof(*r));
	r->frame = frame_alloc(order, FRAME_DATA);
	REQUIRE(r->frame != NULL);
	r->order = order;
	r->tag = test_random();
	r->block_order[0] = order;
	r->edges[0] = 1;
	live_frames += frames(order);
	for (unsigned i = 0; i < frames(order); i++)
		*tag_of(r, i) = r->tag + i;
}

/* The model loses an edge at block i. */
static void model_put(struct region *r, unsigned i)
{
	if (--r->edges[i] == 0)
		live_frames -= frames(r->block_order[i]);
}

/* Nobody has written to the block's frames. */
static bool tags_intact(const struct region *r, unsigned i, unsigned order)
{
	for (unsigned n = i; n < i + frames(order); n++)
		if (*tag_of(r, n) != r->tag + n)
			return false;
	return true;
}

/* A random block in use; false if the region has none left. */
static bool region_pick(const struct region *r, unsigned *i)
{
	unsigned start = test_random() % frames(r->order);

	for (unsigned n = 0; n < frames(r->order); n++) {
		*i = (start + n) % frames(r->order);
		if (r->edges[*i])
			return true;
	}
	return false;
}

/* Is [i, i + 2^order) made of whole blocks, all in use, none with EDGES_MAX? */
static bool span_is_live(const struct region *r, unsigned i, unsigned order)
{
	for (unsigned n = i; n < i + frames(order); n += frames(r->block_order[n]))
		if (!r->edges[n] || r->edges[n] >= EDGES_MAX ||
		    n + frames(r->block_order[n]) > i + frames(order))
			return false;
	return true;
}

static void region_get(struct region *r, unsigned i)
{
	if (r->edges[i] >= EDGES_MAX)
		return;
	frame_get(r->frame + i);
	r->edges[i]++;
}

static void region_put(struct region *r, unsigned i)
{
	bool last = r->edges[i] == 1;

	REQUIRE(tags_intact(r, i, r->block_order[i]));
	EXPECT_EQ(frame_put(r->frame + i), last);
	model_put(r, i);
}

static void region_span(struct region *r, unsigned i, bool get)
{
	unsigned order = r->block_order[i];

	while (order < r->order && !(i & frames(order)) && test_random() % 4)
		order++;
	if (!span_is_live(r, i, order))
		return;
	if (get)
		frame_get_span(r->frame + i, order);
	else
		frame_put_span(r->frame + i, order);
	for (unsigned n = i; n < i + frames(order); n += frames(r->block_order[n])) {
		if (get)
			r->edges[n]++;
		else
			model_put(r, n);
	}
}

static void region_explode(struct region *r, unsigned i)
{
	unsigned from = r->block_order[i], to = test_random() % (REGION_ORDER_MAX + 1);

	frame_explode(r->frame + i, to);
	if (to >= from)
		return;
	for (unsigned n = i; n < i + frames(from); n += frames(to)) {
		r->block_order[n] = to;
		r->edges[n] = r->edges[i];
	}
}

/* The allocator says of every block what the model says. */
static bool region_agrees(const struct region *r)
{
	for (unsigned i = 0; i < frames(r->order); i++) {
		const struct frame *f = r->frame + i;

		if (r->edges[i] && (frame_edges(f) != r->edges[i] ||
				    f->order != r->block_order[i] || f->kind != FRAME_DATA))
			return false;
	}
	return true;
}

static bool exclusive_agrees(const struct region *r)
{
	bool want = true;

	if (!span_is_live(r, 0, r->order))
		return true;
	for (unsigned n = 0; n < frames(r->order); n += frames(r->block_order[n]))
		want = want && r->edges[n] == 1;
	return frame_span_exclusive(r->frame, r->order) == want;
}

static void region_step(struct region *r)
{
	unsigned i;

	if (!r->frame) {
		region_alloc(r);
		return;
	}
	if (!region_pick(r, &i)) {
		r->frame = NULL;
		return;
	}
	switch (test_random() % 8) {
	case 0:
		region_get(r, i);
		break;
	case 1:
		region_span(r, i, true);
		break;
	case 2:
		region_explode(r, i);
		break;
	case 3:
	case 4:
		region_span(r, i, false);
		break;
	default:
		region_put(r, i);
	}
}

static void regions_drop(void)
{
	for (struct region *r = regions; r < regions + REGION_MAX; r++) {
		unsigned i;

		while (r->frame && region_pick(r, &i))
			region_put(r, i);
		r->frame = NULL;
	}
}

// Any sequence of alloc, get, put, spans and explosions leaves what the model says, and no overlap.
TEST(frame_random, operations_match_the_model)
{
	uint64_t before = frame_free_count();
	unsigned step_count = 30000;

	memset(regions, 0, sizeof(regions));
	live_frames = 0;
	for (unsigned step = 0; step < step_count; step++) {
		struct region *r = &regions[test_random() % REGION_MAX];

		region_step(r);
		REQUIRE_EQ(frame_free_count(), before - live_frames);
		REQUIRE(!r->frame || region_agrees(r));
		REQUIRE(!r->frame || exclusive_agrees(r));
		if (step % 2000 == 0)
			frame_check();
	}
	regions_drop();
	EXPECT_EQ(frame_free_count(), before);
	frame_check();
	test_note("%u operations", step_count);
}
