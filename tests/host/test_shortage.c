/*
 * Memory that does not come back: an allocation fails, and so do all that come after it. (The suite
 * `inject` lets one fail; what tidies up behind it finds memory there.)
 */
#include <mm/copy.h>
#include <mm/fault.h>
#include <mm/share.h>
#include <tests/kernel/fork_as.h>
#include <tests/kernel/oracle.h>
#include <tests/kernel/test.h>
#include <tests/kernel/touch.h>

#define BASE 0x40000000ull
#define PAGES(n) ((n)*PAGE_SIZE)
#define FOR_EVER 1000000

static void add(struct space *s, va_t start, uint64_t pages, unsigned flags)
{
	struct area_spec spec = {
		start, start + PAGES(pages), AREA_ANON, flags, PT_R | PT_W, NULL, 0, PA(0)
	};

	EXPECT_EQ(space_add_area(s, &spec), 0);
	for (va_t va = spec.start; va < spec.end; va += PAGES(1))
		EXPECT(touch_write(s, va, va));
}

/*
 * Two tables: in the first a page of an area for which it cannot be shared, so that private pages
 * there must be copied, and the beginning of an area that reaches into the second; there another
 * one follows.
 */
#define SECOND_END 522

static struct space *space_of_three(unsigned first)
{
	struct space *s = space_create();

	add(s, BASE, 1, first);
	add(s, BASE + PAGES(5), SECOND_END - 5, 0);
	add(s, BASE + PAGES(SECOND_END), 10, 0);
	touch_done();
	return s;
}

static bool holds(struct space *s)
{
	bool good = true;

	for (unsigned i = 5; i < SECOND_END + 10; i++)
		good &= touch_reads(s, BASE + PAGES(i), BASE + PAGES(i));
	touch_done();
	return good;
}

/* Fork with so many allocations failing, from a later one on each time, until it succeeds. */
static void fork_without_memory(struct space *s, bool shared, uint64_t failures)
{
	uint64_t free_before = frame_free_count(), skip = 0;
	struct space *child = NULL;

	for (; !child; skip++) {
		frame_fail_after(skip, failures);
		child = fork_as(s, shared);
		frame_fail_after(0, 0);
		EXPECT(child || frame_free_count() == free_before);
		EXPECT_EQ(oracle_check(), 0u);
	}
	EXPECT(skip > 3);
	EXPECT(holds(s) && holds(child));
	space_destroy(child);
	EXPECT(holds(s));
}

// A fork that finds no memory, for once or any more, at whatever point, leaves the parent as it
// was, and nothing else.
TEST(shortage, of_a_fork)
{
	for (unsigned shared = 0; shared < 2; shared++) {
		struct space *s = space_of_three(AREA_SHARED);

		fork_without_memory(s, shared, FOR_EVER);
		space_destroy(s);
		s = space_of_three(AREA_NOFORK);
		fork_without_memory(s, shared, FOR_EVER);
		space_destroy(s);
	}
}

// The same of the copy of one area, beside which its destination has another one, still empty.
TEST(shortage, of_a_copy)
{
	bool shares = fork_shares_tables;

	for (unsigned shared = 0; shared < 2; shared++) {
		struct space *s = space_create(), *dst = space_create_related(s);
		const struct area *area;
		const struct area_spec own = { .start = BASE + PAGES(1100),
					       .end = BASE + PAGES(1101),
					       .rights = PT_R | PT_W };
		struct area *clone;
		uint64_t skip = 0;
		int err = -ENOMEM;

		add(s, BASE, 1, AREA_NOFORK);
		add(s, BASE + PAGES(5), 2 * 512, 0);
		touch_done();
		area = space_find_area(s, BASE + PAGES(5));
		REQUIRE_EQ(space_clone_area(dst, area, &clone), 0);
		REQUIRE_EQ(space_add_area(dst, &own), 0);
		fork_shares_tables = shared;
		for (; err; skip++) {
			frame_fail_after(skip, FOR_EVER);
			err = copy_page_range(dst, s, area);
			frame_fail_after(0, 0);
			EXPECT_EQ(space_mapped(dst, MAPPED_ANON), err ? 0 : 2 * 512);
			EXPECT_EQ(oracle_check(), 0u);
		}
		fork_shares_tables = shares;
		EXPECT(skip > 1);
		EXPECT(touch_reads(dst, own.start, 0));
		EXPECT(touch_reads(dst, area->start, area->start));
		touch_done();
		space_destroy(dst);
		EXPECT(touch_reads(s, area->start, area->start));
		touch_done();
		space_destroy(s);
	}
}

struct span {
	unsigned from, to;
};

/* Unmap or protect the pages, so often as it takes. How often did it fail? */
static uint64_t alter_without_memory(struct space *s, struct span p, bool unmap)
{
	uint64_t failed = 0;

	for (int err = -ENOMEM; err;) {
		frame_fail_after(failed, FOR_EVER);
		err = unmap ? space_unmap(s, BASE + PAGES(p.from), BASE + PAGES(p.to))
			    : space_protect(s, BASE + PAGES(p.from), BASE + PAGES(p.to), PT_R);
		frame_fail_after(0, 0);
		EXPECT(!err || err == -ENOMEM);
		EXPECT(!err || holds(s));
		EXPECT_EQ(oracle_check(), 0u);
		failed += err != 0;
	}
	return failed;
}

// Unmapping and protecting a part of shared tables fails before anything changes, or not at all,
// be it inside areas or where they end.
TEST(shortage, of_unmapping_and_protecting)
{
	static const struct span span[] = { { 8, 513 },
					    { 5, SECOND_END },
					    { 8, SECOND_END },
					    { SECOND_END, SECOND_END + 10 },
					    { SECOND_END, SECOND_END + 2 },
					    { SECOND_END, 1024 }, /* to the table's end */
					    { 5, SECOND_END + 10 } };

	for (unsigned way = 0; way < 4 * ARRAY_SIZE(span); way++) {
		bool shared = way & 1, unmap = way & 2;
		struct space *s = space_of_three(AREA_SHARED), *child = fork_as(s, shared);
		const struct span p = span[way / 4];
		bool full = p.to <= SECOND_END + 10, whole = p.from == 5 && p.to > SECOND_END;

		REQUIRE(child);
		/* Only what is full can be protected; what goes as a whole needs no memory. */
		if (full || unmap)
			EXPECT_EQ(alter_without_memory(child, p, unmap) > 0,
				  shared && !(unmap && whole));
		EXPECT(holds(s));
		space_destroy(child);
		space_destroy(s);
	}
}

// A huge page that there is no block for is a small one, and the rest can be had the same way.
TEST(shortage, of_a_huge_page)
{
	struct area_spec spec = {
		BASE, BASE + PAGES(512), AREA_ANON, AREA_HUGE, PT_R | PT_W, NULL, 0, PA(0)
	};
	struct space *s = space_create();

	REQUIRE_EQ(space_add_area(s, &spec), 0);
	EXPECT_EQ(pt_reserve(&s->root, BASE, BASE + PAGES(512), 1), 0);
	frame_fail_after(0, 1);
	EXPECT_EQ(space_fault(s, BASE + PAGES(3), PT_W), 0);
	frame_fail_after(0, 0);
	EXPECT_EQ(pt_translate(&s->root, BASE + PAGES(3)).level, 0u);
	EXPECT_EQ(space_mapped(s, MAPPED_ANON), 1);
	EXPECT(touch_write(s, BASE + PAGES(4), 4));
	EXPECT_EQ(space_mapped(s, MAPPED_ANON), 2);
	EXPECT_EQ(oracle_check(), 0u);
	touch_done();
	space_destroy(s);
}

// An area that there is no memory to describe is not added, shared or not; the next attempt is.
TEST(shortage, of_a_new_area)
{
	for (unsigned shared = 0; shared < 2; shared++) {
		struct area_spec spec = { .start = BASE,
					  .end = BASE + PAGES(4),
					  .flags = shared ? AREA_SHARED : 0,
					  .rights = PT_R | PT_W };
		struct space *s = space_create();
		uint64_t free_before = frame_free_count(), skip = 0;
		int err = -ENOMEM;

		for (; err; skip++) {
			frame_fail_after(skip, FOR_EVER);
			err = space_add_area(s, &spec);
			frame_fail_after(0, 0);
			EXPECT(!err || err == -ENOMEM);
			EXPECT_EQ(!err, space_find_area(s, BASE) != NULL);
			EXPECT(!err || frame_free_count() == free_before);
		}
		EXPECT(skip > 1);
		space_destroy(s);
	}
}
