/*
 * More damage for frame_check (test_frame_bug.c): blocks out of place, and lists that miss one.
 */
#include <mm/copy_table.h>
#include <mm/frame_internal.h>
#include <mm/pagetable.h>
#include <tests/kernel/test.h>

// A block whose order reaches beyond its alignment or beyond memory, and free buddies side by side,
// are seen.
TEST(frame_bug, check_sees_misplaced_blocks)
{
	struct frame *f = frame_alloc(1, FRAME_DATA), *last = &frame_array[frame_limit - 1];
	struct frame saved = *last;

	REQUIRE(f != NULL);
	f[0].order = 0; /* two blocks of one frame, the second with an order it cannot have there */
	f[1] = f[0];
	f[1].order = 1;
	EXPECT_BUG(frame_check());
	f[1].order = 0;
	f[0].kind = f[1].kind = FRAME_FREE; /* free, and not merged */
	f[0].edges = f[1].edges = 0;
	EXPECT_BUG(frame_check());
	f[0].kind = FRAME_DATA;
	f[0].order = 1;
	f[0].edges = 1;
	f[1].kind = FRAME_TAIL;
	frame_check();
	*last = *f;
	last->order = 9;
	EXPECT_BUG(frame_check());
	*last = saved;
	frame_check();
	frame_free(f);
}

/* The first free block that is on a list with another behind it. */
static struct frame *linked_block(void)
{
	for (unsigned order = 0; order <= FRAME_ORDER_MAX; order++) {
		struct frame *f = &frame_array[buddy.first[order]];

		if (buddy.first[order] && f->free.next)
			return f;
	}
	return NULL;
}

// A list that leaves out a block, or leads outside of memory, is seen; and a hot frame that is
// counted in no cache.
TEST(frame_bug, check_sees_what_lists_miss)
{
	struct frame *f[40], *one, *hot;
	uint32_t next;

	for (unsigned i = 0; i < ARRAY_SIZE(f); i++)
		REQUIRE((f[i] = frame_alloc(0, FRAME_DATA)));
	for (unsigned i = 0; i < ARRAY_SIZE(f); i += 2)
		frame_free(f[i]); /* more of one order than a cache holds */
	hot = f[38];
	one = linked_block();
	REQUIRE(one != NULL);
	next = one->free.next;
	one->free.next = 0;
	EXPECT_BUG(frame_check());
	one->free.next = (uint32_t)frame_limit;
	EXPECT_BUG(frame_check());
	one->free.next = next;
	if (EXPECT_EQ(hot->order, FRAME_ORDER_HOT)) {
		struct frame_cache *own = &frame_cache[cpu_index()];

		own->pfn[own->count++] = own->pfn[0];
		EXPECT_BUG(frame_check());
		own->count--;
	}
	frame_check();
	for (unsigned i = 1; i < ARRAY_SIZE(f); i += 2)
		frame_free(f[i]);
	frame_check();
}

// A fork that would be one edge too many for a page is a bug, and not the page's end.
TEST(frame_bug, edges_do_not_overflow_in_a_copied_table)
{
	struct frame *f = frame_alloc_zeroed(0, FRAME_DATA);
	struct frame *from = frame_alloc_zeroed(0, FRAME_TABLE);
	struct frame *to = frame_alloc_zeroed(0, FRAME_TABLE);
	pt_t source = { frame_to_pa(from), 0 }, copy = { frame_to_pa(to), 0 };
	bool left = false;

	REQUIRE(f && from && to);
	ptp_change(pt_entry(source, 3), ptv_make_leaf(frame_to_pa(f), PT_R | PT_U | PT_YOUNG, 0));
	f->edges = FRAME_LOCKED - 1;
	EXPECT_BUG(copy_table_entries(source, copy, 0, 511, COPY_COW, &left));
	f->edges = FRAME_LOCKED; /* what an addition that nobody has looked at leaves */
	EXPECT_BUG(frame_check_edges(f));
	f->edges = FRAME_LOCKED - 1;
	frame_check_edges(f);
	f->edges = 1;
	EXPECT_EQ(copy_table_entries(source, copy, 0, 511, COPY_COW, &left), 1u);
	EXPECT_EQ(frame_edges(f), 2u);
	f->edges = 1;
	frame_free(from);
	frame_free(to);
	frame_free(f);
}
