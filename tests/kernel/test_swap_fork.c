/*
 * Fork and count room (SEEDS A14): copy_page_range meets soft entries that cannot be counted in the
 * map any more, in the middle of its walk; and every allocation of it fails once.
 */
#include <mm/copy.h>
#include <mm/reclaim.h>
#include <mm/share.h>
#include <mm/swap.h>
#include <tests/kernel/page_room.h>
#include <tests/kernel/test.h>

/* Three bottom tables with pages here and there; the starved ones are neither first nor last. */
#define TABLE 512
#define ROOM_PAGES (3 * TABLE)
static const unsigned page[] = { 0, 5, 6, 511, TABLE, TABLE + 100, TABLE + 101, 2 * TABLE + 7 };
#define PAGES ARRAY_SIZE(page)
#define STARVED_FIRST 2
#define STARVED_SECOND 5
#define RESIDENT 3 /* one that stays */

/* Two slots of different groups may not be neighbours: what lies between is taken and kept. */
#define SLOTS (SWAP_GROUP_SLOTS + PAGES)
#define PARENTS (SWAP_COUNT_SMALL - 1)

struct forked {
	bool shares;                           /* the run's strategy */
	struct space *space[SWAP_COUNT_SMALL]; /* the first is the parent of all */
	swap_slot_t slot[PAGES];
	unsigned padding_count;
};

static va_t page_va(unsigned i)
{
	return ROOM_PAGE(page[i]);
}

static void page_out(struct forked *f, unsigned i)
{
	struct pt_span span;

	EXPECT_EQ(space_swap_out(f->space[0], page_va(i)), 0);
	span = pt_translate(&f->space[0]->root, page_va(i));
	EXPECT_EQ(span.kind, PT_SOFT);
	f->slot[i] = span.soft;
}

/* Take slots until the next one is in the second group. */
static void family_pad(struct forked *f)
{
	swap_slot_t slot = 0;

	while (slot != SWAP_GROUP_SLOTS - 1) {
		if (swap_alloc(&slot)) {
			EXPECT(false);
			return;
		}
		f->padding_count++;
	}
}

/*
 * A parent with all pages but one out. Two of its soft entries, in two groups, are counted up to
 * the brim by children that were forked when only these were out.
 */
static bool family_open(struct forked *f)
{
	*f = (struct forked){ .shares = fork_shares_tables };
	fork_shares_tables = false; /* a shared fork would not look at soft entries */
	if (!EXPECT_EQ(swap_init(SLOTS), 0))
		return false;
	f->space[0] = room_create(ROOM_PAGES, 0);
	if (!EXPECT(f->space[0] != NULL))
		return false;
	for (unsigned i = 0; i < PAGES; i++)
		EXPECT(room_fill(f->space[0], page_va(i), i));
	page_out(f, STARVED_FIRST);
	family_pad(f);
	page_out(f, STARVED_SECOND);
	for (unsigned i = 1; i <= PARENTS; i++) {
		f->space[i] = space_fork(f->space[0]);
		if (!EXPECT(f->space[i] != NULL))
			return false;
	}
	for (unsigned i = 0; i < PAGES; i++) {
		if (i != STARVED_FIRST && i != STARVED_SECOND && i != RESIDENT)
			page_out(f, i);
	}
	return true;
}

static void family_close(struct forked *f)
{
	fork_shares_tables = f->shares;
	for (unsigned i = 0; i <= PARENTS; i++)
		space_destroy(f->space[i]);
	EXPECT_EQ(swap_used(), f->padding_count);
	for (swap_slot_t slot = 0; slot < SLOTS; slot++) {
		if (swap_count(slot))
			swap_put(slot);
	}
	swap_fini();
}

static bool is_starved(unsigned i)
{
	return i == STARVED_FIRST || i == STARVED_SECOND;
}

/* Is every slot counted exactly so many times more than before the fork? */
static bool counts_are(const struct forked *f, unsigned forks)
{
	for (unsigned i = 0; i < PAGES; i++) {
		unsigned base = is_starved(i) ? SWAP_COUNT_SMALL : 1;

		if (i != RESIDENT && swap_count(f->slot[i]) != base + forks)
			return false;
	}
	return true;
}

/* Fork past the starved entries: each is copied once, wherever the walk was broken off. */
static void check_fork(struct forked *f)
{
	struct space *child = space_fork(f->space[0]);

	REQUIRE(child != NULL);
	EXPECT(counts_are(f, 1));
	EXPECT(room_counts(child, 1, PAGES - 1));
	EXPECT(room_counts(f->space[0], 1, PAGES - 1));
	for (unsigned i = 0; i < PAGES; i++)
		EXPECT(room_holds(child, page_va(i), i));
	space_destroy(child);
	EXPECT(counts_are(f, 0));
}

// Entries before, between and behind the starved ones are copied once, and the contents are right.
TEST(swap_fork, goes_on_where_count_room_ran_out)
{
	uint64_t free_before, breaks_before = copy_break_count;
	struct forked f;

	REQUIRE(family_open(&f));
	EXPECT(counts_are(&f, 0));
	EXPECT_EQ(swap_get(f.slot[STARVED_FIRST]), -ENOSPC);
	EXPECT_EQ(swap_get(f.slot[STARVED_SECOND]), -ENOSPC);
	free_before = frame_free_count();
	check_fork(&f);
	EXPECT_EQ(copy_break_count, breaks_before);
	copy_break_interval = 1;
	check_fork(&f);
	copy_break_interval = 0;
	EXPECT_EQ(copy_break_count, breaks_before + 2); /* before the second and the third table */
	EXPECT_EQ(frame_free_count(), free_before);     /* count room too */
	for (unsigned i = 0; i < PAGES; i++)
		EXPECT(room_holds(f.space[1], page_va(i), i));
	family_close(&f);
}

// Without memory for count room the copy says -ENOMEM, and leaves no entry and no count behind.
TEST(swap_fork, no_count_room_undoes_everything)
{
	unsigned failed_count = 0, reserve_count = 0;
	struct space *child;
	struct area *clone;
	struct forked f;
	uint64_t free_before;
	int err;

	REQUIRE(family_open(&f));
	child = space_create();
	REQUIRE(child && !space_clone_area(child, room_area(f.space[0]), &clone));
	free_before = frame_free_count();
	for (;; failed_count++) {
		frame_fail_after(failed_count, 1);
		err = copy_page_range(child, f.space[0], room_area(f.space[0]));
		frame_fail_after(0, 0);
		if (!err)
			break;
		REQUIRE_EQ(err, -ENOMEM);
		REQUIRE(counts_are(&f, 0));
		REQUIRE(room_counts(child, 0, 0) && room_counts(f.space[0], 1, PAGES - 1));
		REQUIRE_EQ(frame_free_count(), free_before);
	}
	EXPECT(counts_are(&f, 1));
	for (unsigned i = 0; i < PAGES; i++)
		reserve_count += is_starved(i) && swap_count(f.slot[i]) > SWAP_COUNT_SMALL;
	EXPECT_EQ(reserve_count, 2);
	EXPECT_EQ(free_before - frame_free_count(), failed_count); /* all in use */
	for (unsigned i = 0; i < PAGES; i++)
		EXPECT(room_holds(child, page_va(i), i) && room_holds(f.space[0], page_va(i), i));
	test_note("%u allocations failed in turn, %u of them for count room", failed_count,
		  reserve_count);
	space_destroy(child);
	family_close(&f);
}

// A whole fork in which any one allocation fails leaves the parent as it was.
TEST(swap_fork, a_failed_fork_leaves_nothing)
{
	struct space *child = NULL;
	unsigned failed_count = 0;
	struct forked f;
	uint64_t free_before;

	REQUIRE(family_open(&f));
	free_before = frame_free_count();
	for (;; failed_count++) {
		frame_fail_after(failed_count, 1);
		child = space_fork(f.space[0]);
		frame_fail_after(0, 0);
		if (child)
			break;
		REQUIRE(counts_are(&f, 0));
		REQUIRE(room_counts(f.space[0], 1, PAGES - 1));
		REQUIRE_EQ(frame_free_count(), free_before);
	}
	EXPECT(failed_count > 0);
	for (unsigned i = 0; i < PAGES; i++)
		EXPECT(room_holds(f.space[0], page_va(i), i) && room_holds(child, page_va(i), i));
	test_note("%u allocations failed in turn", failed_count);
	space_destroy(child);
	family_close(&f);
}
