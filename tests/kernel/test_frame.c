/*
 * Handing out, counting edges, giving back: the contract of frame.h at every order.
 */
#include <lib/string.h>
#include <mm/frame.h>
#include <tests/kernel/test.h>

#define FRAMES(order) (1ull << (order))

/* What a fresh block of this order must look like, and what an edge more and less does to it. */
static void check_contract(struct frame *f, unsigned order, uint64_t free_before)
{
	EXPECT_EQ(frame_to_pa(f).value % (FRAMES(order) * PAGE_SIZE), 0u);
	EXPECT_EQ(frame_edges(f), 1u);
	EXPECT_EQ(f->kind, FRAME_DATA);
	EXPECT_EQ(f->order, order);
	EXPECT_EQ(f->flags, 0);
	EXPECT_EQ(f->owner[0] | f->owner[1], 0u);
	EXPECT(pa_to_frame(frame_to_pa(f)) == f);
	EXPECT_EQ(frame_free_count(), free_before - FRAMES(order));
	frame_get(f);
	EXPECT_EQ(frame_edges(f), 2u);
	EXPECT(!frame_put(f));
	EXPECT_EQ(frame_edges(f), 1u);
	EXPECT_EQ(frame_free_count(), free_before - FRAMES(order));
}

// A block of any order is aligned and has one edge; the last edge, and only that, frees it.
TEST(frame, contract_at_every_order)
{
	uint64_t free_before = frame_free_count();
	unsigned order_count = 0;

	for (unsigned order = 0; order <= FRAME_ORDER_MAX; order++) {
		struct frame *f = frame_alloc(order, FRAME_DATA);

		if (!f)
			continue; /* a small machine has no large blocks */
		check_contract(f, order, free_before);
		EXPECT(frame_put(f));
		EXPECT_EQ(frame_free_count(), free_before);
		order_count++;
	}
	frame_check();
	EXPECT(order_count >= 10);
	test_note("%u of %u orders; %lu MiB, %lu MiB free", order_count, FRAME_ORDER_MAX + 1,
		  frame_total_count() >> 8, frame_free_count() >> 8);
}

// Each kind that can be asked for is what one gets, and the owner's words begin as zero.
TEST(frame, kinds_are_kept)
{
	for (unsigned kind = FRAME_DATA; kind < FRAME_KIND_COUNT; kind++) {
		struct frame *f = frame_alloc(0, kind);

		REQUIRE(f != NULL);
		EXPECT_EQ(f->kind, kind);
		f->flags = 0x7fff;
		f->owner[0] = f->owner[1] = ~0ull;
		frame_free(f);
		f = frame_alloc(0, FRAME_DATA);
		REQUIRE(f != NULL);
		EXPECT_EQ(f->owner[0] | f->owner[1] | f->flags, 0u);
		frame_free(f);
	}
}

// frame_alloc_zeroed gives zeroes, also where somebody wrote before.
TEST(frame, zeroed_means_zero)
{
	for (unsigned order = 0; order <= 5; order++) {
		size_t bytes = FRAMES(order) * PAGE_SIZE;
		struct frame *f = frame_alloc(order, FRAME_DATA);
		uint64_t *word;
		uint64_t sum = 0;

		REQUIRE(f != NULL);
		memset(pa_to_ptr(frame_to_pa(f)), 0xa5, bytes);
		frame_free(f);
		f = frame_alloc_zeroed(order, FRAME_DATA);
		REQUIRE(f != NULL);
		word = pa_to_ptr(frame_to_pa(f));
		for (size_t i = 0; i < bytes / sizeof(*word); i++)
			sum |= word[i];
		EXPECT_EQ(sum, 0u);
		frame_free(f);
	}
}

// The frame freed last is handed out first, while it is still in the cache.
TEST(frame, last_freed_is_first_out)
{
	struct frame *a = frame_alloc(0, FRAME_DATA), *b = frame_alloc(0, FRAME_DATA);

	REQUIRE(a && b);
	frame_free(b);
	frame_free(a);
	EXPECT(frame_alloc(0, FRAME_DATA) == a);
	EXPECT(frame_alloc(0, FRAME_DATA) == b);
	frame_free(b);
	frame_free(a);
}

// The block remembers who was handed it, and who freed it, by line.
TEST(frame, site_is_kept)
{
	struct frame *f = frame_alloc(0, FRAME_DATA);
	int line = __LINE__ - 1;

	REQUIRE(f != NULL);
	EXPECT_EQ(f->site & 0xffff, (uint64_t)line);
	EXPECT(!strcmp((const char *)((int64_t)f->site >> 16), __FILE__));
	frame_free(f);
	line = __LINE__ - 1;
	EXPECT_EQ(f->site & 0xffff, (uint64_t)line);
}

/* Every free frame, in the largest blocks there are; chained by owner[0]. */
struct hoard {
	struct frame *last;
	uint64_t blocks[FRAME_ORDER_MAX + 1];
	uint64_t frame_count;
};

static void hoard_add(struct hoard *h, struct frame *f)
{
	f->owner[0] = (uint64_t)h->last;
	h->last = f;
	h->blocks[f->order]++;
	h->frame_count += FRAMES(f->order);
}

static void hoard_all(struct hoard *h)
{
	memset(h, 0, sizeof(*h));
	for (unsigned order = FRAME_ORDER_MAX + 1; order-- > 0;)
		for (;;) {
			struct frame *f = frame_alloc(order, FRAME_DATA);

			if (!f)
				break;
			hoard_add(h, f);
		}
}

static void hoard_free(struct hoard *h)
{
	while (h->last) {
		struct frame *f = h->last;

		h->last = (struct frame *)f->owner[0];
		frame_free(f);
	}
}

// All memory can be handed out; then NULL, at every order; and all of it comes back.
TEST(frame, exhaustion_and_recovery)
{
	uint64_t free_before = frame_free_count();
	struct hoard h;

	hoard_all(&h);
	EXPECT_EQ(h.frame_count, free_before);
	EXPECT_EQ(frame_free_count(), 0u);
	for (unsigned order = 0; order <= FRAME_ORDER_MAX; order++)
		EXPECT(frame_alloc(order, FRAME_DATA) == NULL);
	frame_check();
	hoard_free(&h);
	EXPECT_EQ(frame_free_count(), free_before);
	frame_check();
	test_note("%lu frames, %lu blocks of the highest order", h.frame_count,
		  h.blocks[FRAME_ORDER_MAX]);
}

#define SHATTER_MAX 3000

// Memory broken into single frames and freed in random order is as whole as it was.
TEST(frame, coalesces_to_the_initial_state)
{
	static struct frame *single[SHATTER_MAX];
	struct hoard before, after;
	unsigned count = 0;

	hoard_all(&before);
	hoard_free(&before);
	while (count < SHATTER_MAX && (single[count] = frame_alloc(0, FRAME_DATA)))
		count++;
	for (unsigned left = count; left; left--) {
		unsigned pick = test_random() % left;

		frame_free(single[pick]);
		single[pick] = single[left - 1];
	}
	frame_check();
	hoard_all(&after);
	hoard_free(&after);
	for (unsigned order = 0; order <= FRAME_ORDER_MAX; order++)
		EXPECT_EQ(after.blocks[order], before.blocks[order]);
	test_note("%u frames freed in random order", count);
}

// An injected failure comes after exactly `skip` allocations, `count` times, and is counted.
TEST(frame, injected_failures_are_exact)
{
	struct frame *f[6];
	uint64_t calls = frame_alloc_calls();

	frame_fail_after(3, 2);
	for (unsigned i = 0; i < ARRAY_SIZE(f); i++)
		f[i] = i % 2 ? frame_alloc(0, FRAME_DATA) : frame_alloc_zeroed(i, FRAME_KERNEL);
	for (unsigned i = 0; i < ARRAY_SIZE(f); i++)
		EXPECT_EQ(f[i] == NULL, i == 3 || i == 4);
	EXPECT_EQ(frame_alloc_calls(), calls + ARRAY_SIZE(f));
	frame_fail_after(0, 7);
	frame_fail_after(0, 0);
	for (unsigned i = 0; i < ARRAY_SIZE(f); i++)
		if (f[i])
			frame_free(f[i]);
	f[0] = frame_alloc(0, FRAME_DATA);
	EXPECT(f[0] && frame_put(f[0]));
}
