/*
 * The memory map against the plainest model there is: one kind for each page of a small universe.
 */
#include <mm/memmap.h>
#include <tests/kernel/test.h>

#define PAGE 4096ull
#define HALF (PAGE / 2)
#define HOLE (-1)
#define UNIVERSE_MAX 48

struct model {
	unsigned page_count; /* the address width, in pages */
	int kind[UNIVERSE_MAX];
};

static struct memmap map, copy; /* too large for a kernel stack */

static void model_reset(struct model *m, unsigned page_count)
{
	m->page_count = page_count;
	for (unsigned i = 0; i < page_count; i++)
		m->kind[i] = HOLE;
	map.count = 0;
	map.dropped_count = 0;
}

/* Does the input touch page i, or for usable memory: hold all of it? In 128 bits nothing wraps. */
static bool model_hits(unsigned i, uint64_t start, uint64_t length, enum memmap_kind kind)
{
	unsigned __int128 end = (unsigned __int128)start + length;
	uint64_t page = i * PAGE;

	if (kind == MEMMAP_USABLE)
		return start <= page && page + PAGE <= end;
	return start < page + PAGE && page < end;
}

/* Returns what the call must return. */
static int model_change(struct model *m, uint64_t start, uint64_t length, enum memmap_kind kind,
			bool fill)
{
	bool wraps = (unsigned __int128)start + length > (unsigned __int128)1 << 64;
	int result = -ERANGE;

	if (!length || wraps)
		return result;
	for (unsigned i = 0; i < m->page_count; i++) {
		if (!model_hits(i, start, length, kind))
			continue;
		result = 0;
		if (m->kind[i] < (int)kind && (fill || m->kind[i] != HOLE))
			m->kind[i] = kind;
	}
	return result;
}

static int map_kind(const struct memmap *m, uint64_t address)
{
	for (unsigned i = 0; i < m->count; i++)
		if (m->range[i].start <= address && address < m->range[i].end)
			return m->range[i].kind;
	return HOLE;
}

/* Sorted, aligned, disjoint, below the width, and equal neighbours joined. */
static bool map_in_order(const struct memmap *m, uint64_t pa_limit)
{
	for (unsigned i = 0; i < m->count; i++) {
		const struct memmap_range *r = &m->range[i], *next = r + 1;

		if (r->start >= r->end || r->end > pa_limit || (r->start | r->end) % PAGE)
			return false;
		if (i + 1 == m->count)
			break;
		if (next->start < r->end || (next->start == r->end && next->kind == r->kind))
			return false;
	}
	return true;
}

static bool map_matches(const struct model *m)
{
	if (!map_in_order(&map, m->page_count * PAGE))
		return false;
	for (unsigned i = 0; i < m->page_count; i++)
		if (map_kind(&map, i * PAGE) != m->kind[i])
			return false;
	return true;
}

/* Do it to both; false if they then differ. */
static bool both_change(struct model *m, uint64_t start, uint64_t length, enum memmap_kind kind,
			bool fill)
{
	unsigned dropped_count = map.dropped_count;
	uint64_t pa_limit = m->page_count * PAGE;
	int want = model_change(m, start, length, kind, fill);
	int got = fill ? memmap_add(&map, start, length, kind, pa_limit)
		       : memmap_mark(&map, start, length, kind, pa_limit);

	return got == want && map.dropped_count == dropped_count + (want != 0) && map_matches(m);
}

#define SMALL_PAGES 3
#define SMALL_HALVES (2 * SMALL_PAGES + 2)
#define SMALL_INPUTS (SMALL_HALVES * SMALL_HALVES * 4)

/* Input number n of the universe of SMALL_PAGES: every start and length in half pages. */
static bool small_change(struct model *m, unsigned n, bool fill)
{
	uint64_t start = n % SMALL_HALVES, length = n / SMALL_HALVES % SMALL_HALVES;

	return both_change(m, start * HALF, length * HALF, n / SMALL_HALVES / SMALL_HALVES, fill);
}

// Every pair of ranges of a three-page universe, added or marked, gives the map of the model.
TEST(memmap, every_pair_of_small_ranges)
{
	struct model m;
	unsigned pair_count = 0;

	for (unsigned a = 0; a < SMALL_INPUTS; a++)
		for (unsigned b = 0; b < 2 * SMALL_INPUTS; b++) {
			model_reset(&m, SMALL_PAGES);
			REQUIRE(small_change(&m, a, true));
			REQUIRE(small_change(&m, b / 2, b % 2));
			pair_count++;
		}
	EXPECT_EQ(pair_count, SMALL_INPUTS * SMALL_INPUTS * 2u);
	test_note("%u pairs", pair_count);
}

/* Start or length of an odd input: mostly inside the universe, sometimes absurd. */
static uint64_t odd_number(const struct model *m)
{
	uint64_t r = test_random();

	switch (r % 16) {
	case 0:
		return 0;
	case 1:
		return ~0ull - (r >> 32) % (2 * PAGE);
	case 2:
		return m->page_count * PAGE + (r >> 32) % PAGE;
	case 3:
		return m->page_count * PAGE;
	default:
		return (r >> 16) % (m->page_count * PAGE / ((r >> 8) % 8 + 1) + 1);
	}
}

// Long sequences of unsorted, overlapping, empty, wrapping and too high ranges match the model.
TEST(memmap, random_ranges_match_the_model)
{
	struct model m;
	unsigned change_count = 0;

	for (unsigned round = 0; round < 300; round++) {
		model_reset(&m, 1 + test_random() % UNIVERSE_MAX);
		for (unsigned i = 0; i < 40; i++, change_count++) {
			uint64_t start = odd_number(&m), length = odd_number(&m);

			REQUIRE(both_change(&m, start, length, test_random() % 4,
					    test_random() % 4));
		}
	}
	test_note("%u changes", change_count);
}

/* Where memmap_find must find it, by trying every page. */
static uint64_t model_find(const struct model *m, unsigned pages, unsigned align, unsigned low,
			   unsigned high)
{
	for (unsigned at = 0; at + pages <= m->page_count; at += align) {
		unsigned run = 0;

		while (run < pages && at >= low && at + run < high &&
		       m->kind[at + run] == MEMMAP_USABLE)
			run++;
		if (run == pages)
			return at * PAGE;
	}
	return PA_NONE.value;
}

// memmap_find returns the lowest aligned place inside the window, or none when there is none.
TEST(memmap, find_is_the_lowest_fit)
{
	struct model m;
	unsigned found_count = 0;

	for (unsigned i = 0; i < 3000; i++) {
		unsigned pages = 1 + test_random() % 6, align = 1u << test_random() % 4;
		unsigned low = test_random() % 20, high = low + test_random() % 40;
		uint64_t want;

		model_reset(&m, UNIVERSE_MAX);
		for (unsigned n = 0; n < 6; n++)
			both_change(&m, odd_number(&m), odd_number(&m), test_random() % 2, true);
		want = model_find(&m, pages, align, low, high);
		found_count += want != PA_NONE.value;
		REQUIRE_EQ(memmap_find(&map, pages * PAGE, align * PAGE, low * PAGE, high * PAGE)
				   .value,
			   want);
	}
	EXPECT(found_count > 100);
	test_note("%u of 3000 found", found_count);
}

// A search that would wrap finds nothing.
TEST(memmap, find_does_not_wrap)
{
	struct model m;

	model_reset(&m, 8);
	EXPECT_EQ(memmap_add(&map, 0, 8 * PAGE, MEMMAP_USABLE, 8 * PAGE), 0);
	EXPECT(pa_equal(memmap_find(&map, ~0ull & ~(PAGE - 1), PAGE, 0, ~0ull), PA_NONE));
	EXPECT(pa_equal(memmap_find(&map, PAGE, 1ull << 63, PAGE, ~0ull), PA_NONE));
	EXPECT(pa_equal(memmap_find(&map, PAGE, PAGE, ~0ull - 1, ~0ull), PA_NONE));
}

#define SPREAD_LIMIT (4 * MEMMAP_MAX * PAGE)

/* A map that is exactly full: page 2i usable, page 2i + 1 a hole. */
static void map_fill(void)
{
	map.count = 0;
	map.dropped_count = 0;
	for (unsigned i = 0; i < MEMMAP_MAX; i++)
		EXPECT_EQ(memmap_add(&map, 2 * i * PAGE, PAGE, MEMMAP_USABLE, SPREAD_LIMIT), 0);
	EXPECT_EQ(map.count, (unsigned)MEMMAP_MAX);
	__builtin_memcpy(&copy, &map, sizeof(map));
}

static bool map_is_copy(void)
{
	return map.count == copy.count && map.dropped_count == copy.dropped_count &&
	       !__builtin_memcmp(map.range, copy.range, map.count * sizeof(map.range[0]));
}

// A range too many is refused and the map stays as it was.
TEST(memmap, full_map_is_left_alone)
{
	map_fill();
	EXPECT_EQ(memmap_add(&map, PAGE, PAGE, MEMMAP_BAD, SPREAD_LIMIT), -ENOSPC);
	EXPECT(map_is_copy());
	EXPECT_EQ(memmap_add(&map, 3 * MEMMAP_MAX * PAGE, PAGE, MEMMAP_USABLE, SPREAD_LIMIT),
		  -ENOSPC);
	EXPECT(map_is_copy());
	EXPECT_EQ(memmap_mark(&map, PAGE, PAGE, MEMMAP_BAD, SPREAD_LIMIT), 0);
	EXPECT(map_is_copy());
}

// A full map still takes what needs no room: a change of kind, and a range that joins others.
TEST(memmap, full_map_takes_what_fits)
{
	map_fill();
	EXPECT_EQ(memmap_mark(&map, 4 * PAGE, PAGE, MEMMAP_RESERVED, SPREAD_LIMIT), 0);
	EXPECT_EQ(map.count, (unsigned)MEMMAP_MAX);
	EXPECT_EQ(memmap_add(&map, 9 * PAGE, PAGE, MEMMAP_USABLE, SPREAD_LIMIT), 0);
	EXPECT_EQ(map.count, MEMMAP_MAX - 1u);
	EXPECT_EQ(memmap_add(&map, 0, SPREAD_LIMIT, MEMMAP_BAD, SPREAD_LIMIT), 0);
	EXPECT_EQ(map.count, 1u);
	EXPECT_EQ(memmap_bytes(&map, MEMMAP_BAD), SPREAD_LIMIT);
}

// Bytes are counted by kind, and a range is covered only if it is wholly of that kind.
TEST(memmap, bytes_and_covers)
{
	struct model m;

	model_reset(&m, UNIVERSE_MAX);
	EXPECT(both_change(&m, 0, 40 * PAGE, MEMMAP_USABLE, true));
	EXPECT(both_change(&m, 8 * PAGE, 1, MEMMAP_RESERVED, true));
	EXPECT(both_change(&m, 39 * PAGE, 2 * PAGE, MEMMAP_RECLAIM, true));
	EXPECT_EQ(memmap_bytes(&map, MEMMAP_USABLE), 38 * PAGE);
	EXPECT_EQ(memmap_bytes(&map, MEMMAP_RESERVED), PAGE);
	EXPECT_EQ(memmap_bytes(&map, MEMMAP_RECLAIM), 2 * PAGE);
	EXPECT_EQ(memmap_bytes(&map, MEMMAP_BAD), 0ull);
	EXPECT(memmap_covers(&map, 0, 8 * PAGE, MEMMAP_USABLE));
	EXPECT(!memmap_covers(&map, 0, 8 * PAGE + 1, MEMMAP_USABLE));
	EXPECT(!memmap_covers(&map, 0, 8 * PAGE, MEMMAP_RESERVED));
	EXPECT(!memmap_covers(&map, 41 * PAGE, 42 * PAGE, MEMMAP_USABLE));
}
