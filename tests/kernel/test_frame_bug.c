/*
 * Misuse of frames is caught at the call that does it, and leaves the allocator as it was. And
 * frame_check, which the other tests rely on, sees every kind of damage.
 */
#include <mm/frame_internal.h>
#include <tests/kernel/test.h>

/* Write to memory that is not ours, unseen by AddressSanitizer: that is what is being tested. */
__attribute__((no_sanitize("address"))) static void stray_write(struct frame *f, size_t word,
								uint64_t value)
{
	*((volatile uint64_t *)pa_to_ptr(frame_to_pa(f)) + word) = value;
}

// A second frame_put, frame_free or frame_get of a freed frame is a bug.
TEST(frame_bug, use_after_free_of_a_block)
{
	for (unsigned order = 0; order <= 3; order++) {
		struct frame *f = frame_alloc(order, FRAME_DATA);

		REQUIRE(f != NULL);
		EXPECT(frame_put(f));
		EXPECT_BUG(frame_put(f));
		EXPECT_BUG(frame_free(f));
		EXPECT_BUG(frame_get(f));
		EXPECT_EQ(frame_edges(f), 0u);
		frame_check();
	}
}

// Frames that are not RAM have no edges to take or give.
TEST(frame_bug, reserved_frames_stay_out_of_it)
{
	struct frame *f = &frame_array[0];

	EXPECT_EQ(f->kind, FRAME_RESERVED);
	EXPECT_BUG(frame_get(f));
	EXPECT_BUG(frame_put(f));
	EXPECT_BUG(frame_free(f));
	EXPECT_EQ(frame_edges(f), 0u);
}

// The inside of a block is not a block.
TEST(frame_bug, tails_are_not_blocks)
{
	struct frame *f = frame_alloc(2, FRAME_DATA);

	REQUIRE(f != NULL);
	for (unsigned i = 1; i < 4; i++) {
		EXPECT_EQ(f[i].kind, FRAME_TAIL);
		EXPECT_BUG(frame_get(f + i));
		EXPECT_BUG(frame_put(f + i));
	}
	EXPECT(frame_put(f));
	frame_check();
}

// frame_free of a block with more edges than the caller's is a bug and frees nothing.
TEST(frame_bug, free_with_edges)
{
	struct frame *f = frame_alloc(0, FRAME_DATA);

	REQUIRE(f != NULL);
	frame_get(f);
	EXPECT_BUG(frame_free(f));
	EXPECT_EQ(frame_edges(f), 2u);
	EXPECT(!frame_put(f));
	frame_free(f);
}

// There are no blocks of a higher order, and nobody can ask for free or reserved ones.
TEST(frame_bug, impossible_requests)
{
	EXPECT_BUG(frame_alloc(FRAME_ORDER_MAX + 1, FRAME_DATA));
	EXPECT_BUG(frame_alloc(0, FRAME_RESERVED));
	EXPECT_BUG(frame_alloc(0, FRAME_FREE));
	EXPECT_BUG(frame_alloc(0, FRAME_TAIL));
	EXPECT_BUG(frame_alloc(0, FRAME_KIND_COUNT));
	frame_check();
}

// Edges do not wrap to zero.
TEST(frame_bug, edges_do_not_overflow)
{
	struct frame *f = frame_alloc(0, FRAME_DATA);

	REQUIRE(f != NULL);
	f->edges = FRAME_LOCKED - 2;
	frame_get(f);
	EXPECT_BUG(frame_get(f));
	EXPECT_EQ(frame_edges(f), FRAME_LOCKED - 1);
	f->edges = 1;
	frame_free(f);
}

// A write into a free block, to its first or last word or between, shows when it is handed out.
TEST(frame_bug, poison_violation_is_caught)
{
	static const size_t words[] = { 0, 255, 511 };

	for (unsigned order = 0; order <= 4; order += 2)
		for (unsigned i = 0; i < ARRAY_SIZE(words); i++) {
			struct frame *f = frame_alloc(order, FRAME_DATA), *again;
			size_t page = test_random() % block_frames(order);

			REQUIRE(f != NULL);
			frame_free(f);
			stray_write(f + page, words[i], i);
			EXPECT_BUG(frame_check());
			/* Handed out sooner or later; here at once, for it was freed last. */
			EXPECT_BUG(frame_alloc(order, FRAME_DATA));
			again = frame_alloc(order, FRAME_DATA);
			REQUIRE(again != NULL);
			frame_free(again);
			frame_check();
		}
}

// Memory that was never used may hold anything: it is neither filled nor checked.
TEST(frame_bug, fresh_memory_is_not_checked)
{
	uint64_t poisoned = 0, fresh = 0;

	for (pfn_t pfn = 0; pfn < frame_limit; pfn++) {
		const struct frame *f = &frame_array[pfn];

		if (f->kind == FRAME_FREE && f->flags & FRAME_POISONED)
			poisoned++;
		else if (f->kind == FRAME_FREE)
			fresh++;
	}
	EXPECT(poisoned + fresh > 0);
	test_note("%lu free blocks poisoned at their head, %lu fresh", poisoned, fresh);
}

/* Put `wrong` where `*place` was, see that frame_check objects, and mend it. */
#define EXPECT_DAMAGE_SEEN(place, wrong)              \
	do {                                          \
		__typeof__(place) *where_ = &(place); \
		saved = *where_;                      \
		*where_ = (wrong);                    \
		EXPECT_BUG(frame_check());            \
		*where_ = (__typeof__(place))saved;   \
	} while (0)

// Damage to a block in use, to its tails and to reserved frames is seen.
TEST(frame_bug, check_sees_damaged_blocks)
{
	struct frame *f = frame_alloc(3, FRAME_DATA);
	static volatile uint64_t saved;

	REQUIRE(f != NULL);
	EXPECT_DAMAGE_SEEN(f->edges, 0);
	EXPECT_DAMAGE_SEEN(f->edges, FRAME_LOCKED | 1);
	EXPECT_DAMAGE_SEEN(f->order, FRAME_ORDER_MAX + 1);
	EXPECT_DAMAGE_SEEN(f->order, 2);
	EXPECT_DAMAGE_SEEN(f->kind, FRAME_KIND_COUNT);
	EXPECT_DAMAGE_SEEN(f->kind, FRAME_RESERVED);
	EXPECT_DAMAGE_SEEN(f[3].kind, FRAME_DATA);
	EXPECT_DAMAGE_SEEN(f[7].edges, 1);
	EXPECT_DAMAGE_SEEN(frame_array[0].edges, 1);
	EXPECT_DAMAGE_SEEN(frame_array[0].kind, FRAME_TAIL);
	frame_check();
	frame_free(f);
}

/* A free block on a list, of the smallest order there is, and that order. */
static struct frame *any_free(unsigned *order)
{
	*order = (unsigned)__builtin_ctz(buddy.nonempty);
	return &frame_array[buddy.first[*order]];
}

// Damage to the free lists, their links and the counts is seen.
TEST(frame_bug, check_sees_damaged_lists)
{
	static volatile uint64_t saved;
	struct frame_cache *own = &frame_cache[cpu_index()];
	struct frame *f, *hot = frame_alloc(0, FRAME_DATA);
	unsigned order;

	REQUIRE(hot != NULL);
	frame_free(hot);
	f = any_free(&order);
	EXPECT_DAMAGE_SEEN(f->edges, 1);
	EXPECT_DAMAGE_SEEN(f->order, FRAME_ORDER_MAX + 1);
	EXPECT_DAMAGE_SEEN(f->free.prev, 1);
	EXPECT_DAMAGE_SEEN(f->free.next, buddy.first[order]);
	EXPECT_DAMAGE_SEEN(buddy.first[order], 0);
	EXPECT_DAMAGE_SEEN(buddy.nonempty, 0);
	EXPECT_DAMAGE_SEEN(buddy.free_count, 0);
	EXPECT_DAMAGE_SEEN(buddy.total_count, 0);
	EXPECT_DAMAGE_SEEN(own->count, own->count - 1);
	EXPECT_DAMAGE_SEEN(own->pfn[0], 0);
	EXPECT_DAMAGE_SEEN(hot->order, 0);
	EXPECT_DAMAGE_SEEN(hot->edges, 1);
	frame_check();
}
