/*
 * Spaces and areas: what may be added, how ranges are cut, what unmapping and protecting leave.
 */
#include <mm/fault.h>
#include <tests/kernel/oracle.h>
#include <tests/kernel/test.h>
#include <tests/kernel/touch.h>

#define BASE 0x40000000ull
#define PAGES(n) ((n)*PAGE_SIZE)

static int add_anon(struct space *s, va_t start, va_t end, unsigned flags, pt_attr_t rights)
{
	struct area_spec spec = { start, end, AREA_ANON, flags, rights, NULL, 0, PA(0) };

	return space_add_area(s, &spec);
}

static unsigned area_count(const struct space *s)
{
	const struct area *area;
	unsigned count = 0;

	list_for_each(area, &s->areas, link)
		count++;
	return count;
}

/* Write its own address to every page of the range. */
static void fill(struct space *s, va_t start, va_t end)
{
	for (va_t va = start; va < end; va += PAGE_SIZE)
		EXPECT(touch_write(s, va, va));
}

// Ranges that are empty, unaligned, outside the user half, or that overlap are refused and change
// nothing.
TEST(space, refuses_bad_areas)
{
	struct space *s = space_create();
	va_t last = s->root.last;

	EXPECT_EQ(add_anon(s, BASE, BASE, 0, PT_R), -EINVAL);
	EXPECT_EQ(add_anon(s, BASE + PAGES(1), BASE, 0, PT_R), -EINVAL);
	EXPECT_EQ(add_anon(s, BASE + 1, BASE + PAGES(1), 0, PT_R), -EINVAL);
	EXPECT_EQ(add_anon(s, BASE, BASE + PAGES(1), 1u << 31, PT_R), -EINVAL);
	EXPECT_EQ(add_anon(s, BASE, BASE + PAGES(1), 0, PT_W), -EINVAL);
	EXPECT_EQ(add_anon(s, BASE, BASE + PAGES(1), 0, PT_R | PT_U), -EINVAL);
	EXPECT_EQ(add_anon(s, 0, PAGES(1), 0, PT_R), -ERANGE);
	EXPECT_EQ(add_anon(s, last + 1 - PAGES(1), last + 1 + PAGES(1), 0, PT_R), -ERANGE);
	EXPECT_EQ(add_anon(s, ~0ull - PAGES(2) + 1, ~0ull - PAGES(1) + 1, 0, PT_R), -ERANGE);
	EXPECT_EQ(add_anon(s, last + 1 - PAGES(1), last + 1, 0, PT_R), 0);
	EXPECT_EQ(add_anon(s, BASE, BASE + PAGES(4), 0, PT_R), 0);
	EXPECT_EQ(add_anon(s, BASE + PAGES(3), BASE + PAGES(5), 0, PT_R), -EEXIST);
	EXPECT_EQ(add_anon(s, BASE - PAGES(1), BASE + PAGES(1), 0, PT_R), -EEXIST);
	EXPECT_EQ(add_anon(s, BASE + PAGES(1), BASE + PAGES(2), 0, PT_R), -EEXIST);
	EXPECT_EQ(area_count(s), 2u);
	space_destroy(s);
}

// Whatever is added and unmapped in a universe of six pages, the list says what a bit map says.
TEST(space, areas_follow_a_model)
{
	struct space *s = space_create();
	unsigned model = 0;

	for (unsigned round = 0; round < 3000; round++) {
		unsigned from = test_random() % 6, to = from + 1 + test_random() % (6 - from);
		unsigned mask = ((1u << to) - 1) & ~((1u << from) - 1);
		bool add = test_random() & 1;
		int err = add ? add_anon(s, BASE + PAGES(from), BASE + PAGES(to), 0, PT_R)
			      : space_unmap(s, BASE + PAGES(from), BASE + PAGES(to));

		EXPECT_EQ(err, add && (model & mask) ? -EEXIST : 0);
		if (!err)
			model = add ? model | mask : model & ~mask;
		for (unsigned i = 0; i < 6; i++)
			EXPECT_EQ(!!space_find_area(s, BASE + PAGES(i)), model >> i & 1);
	}
	space_destroy(s);
}

// The lowest gap that is large enough is found; none is 0.
TEST(space, finds_gaps)
{
	struct space *s = space_create();

	REQUIRE_EQ(add_anon(s, BASE + PAGES(2), BASE + PAGES(4), 0, PT_R), 0);
	REQUIRE_EQ(add_anon(s, BASE + PAGES(5), BASE + PAGES(8), 0, PT_R), 0);
	EXPECT_EQ(space_find_gap(s, PAGES(2), PAGE_SIZE, BASE, BASE + PAGES(16)), BASE);
	EXPECT_EQ(space_find_gap(s, PAGES(1), PAGE_SIZE, BASE + PAGES(2), BASE + PAGES(16)),
		  BASE + PAGES(4));
	EXPECT_EQ(space_find_gap(s, PAGES(3), PAGE_SIZE, BASE, BASE + PAGES(16)), BASE + PAGES(8));
	EXPECT_EQ(space_find_gap(s, PAGES(9), PAGE_SIZE, BASE, BASE + PAGES(16)), 0ull);
	space_destroy(s);
}

// Unmapping a part leaves the rest with its contents; the pages in it are gone for the hardware at
// once.
TEST(space, unmap_cuts_areas)
{
	struct space *s = space_create();
	uint64_t value;

	REQUIRE_EQ(add_anon(s, BASE, BASE + PAGES(8), 0, PT_R | PT_W), 0);
	fill(s, BASE, BASE + PAGES(8));
	EXPECT_EQ(space_unmap(s, BASE + PAGES(2), BASE + PAGES(5)), 0);
	EXPECT_EQ(area_count(s), 2u);
	for (unsigned i = 0; i < 8; i++)
		EXPECT_EQ(touch_read(s, BASE + PAGES(i), &value), i < 2 || i >= 5);
	EXPECT(touch_reads(s, BASE + PAGES(1), BASE + PAGES(1)));
	EXPECT(touch_reads(s, BASE + PAGES(5), BASE + PAGES(5)));
	EXPECT_EQ(space_mapped(s, MAPPED_ANON), 5);
	EXPECT_EQ(oracle_check(), 0u);
	touch_done();
	space_destroy(s);
}

// Unmapping 4 KiB in the middle of a huge page splits it; everything else of it stays.
TEST(space, unmap_splits_a_huge_page)
{
	struct space *s = space_create();
	va_t huge = ALIGN_UP(BASE, pt_size(1));

	REQUIRE_EQ(add_anon(s, huge, huge + pt_size(1), AREA_HUGE, PT_R | PT_W), 0);
	REQUIRE(touch_write(s, huge, 1));
	REQUIRE_EQ(pt_translate(&s->root, huge).level, 1u);
	fill(s, huge, huge + PAGES(512));
	EXPECT_EQ(space_unmap(s, huge + PAGES(7), huge + PAGES(8)), 0);
	EXPECT_EQ(pt_translate(&s->root, huge).level, 0u);
	EXPECT(touch_reads(s, huge + PAGES(6), huge + PAGES(6)));
	EXPECT(touch_reads(s, huge + PAGES(8), huge + PAGES(8)));
	EXPECT(!touch_write(s, huge + PAGES(7), 0));
	EXPECT_EQ(space_mapped(s, MAPPED_ANON), 511);
	EXPECT_EQ(oracle_check(), 0u);
	touch_done();
	space_destroy(s);
}

// Rights taken are gone for the hardware at once, given ones come back, contents stay; holes are
// refused.
TEST(space, protect_takes_and_gives_rights)
{
	struct space *s = space_create();
	uint64_t value;

	REQUIRE_EQ(add_anon(s, BASE, BASE + PAGES(4), 0, PT_R | PT_W), 0);
	fill(s, BASE, BASE + PAGES(4));
	EXPECT_EQ(space_protect(s, BASE + PAGES(1), BASE + PAGES(3), PT_R), 0);
	for (unsigned i = 0; i < 4; i++)
		EXPECT_EQ(touch_write(s, BASE + PAGES(i), BASE + PAGES(i)), i == 0 || i == 3);
	EXPECT_EQ(space_protect(s, BASE + PAGES(2), BASE + PAGES(4), 0), 0);
	for (unsigned i = 0; i < 4; i++)
		EXPECT_EQ(touch_read(s, BASE + PAGES(i), &value), i < 2);
	EXPECT_EQ(space_mapped(s, MAPPED_ANON), 4);
	EXPECT_EQ(oracle_check(), 0u);
	EXPECT_EQ(space_protect(s, BASE, BASE + PAGES(4), PT_R | PT_W), 0);
	for (unsigned i = 0; i < 4; i++)
		EXPECT(touch_reads(s, BASE + PAGES(i), BASE + PAGES(i)));
	fill(s, BASE, BASE + PAGES(4));
	EXPECT_EQ(space_protect(s, BASE, BASE + PAGES(5), PT_R), -ENOENT);
	EXPECT_EQ(space_protect(s, BASE, BASE + PAGES(1), PT_W), -EINVAL);
	EXPECT_EQ(space_protect(s, BASE, BASE, PT_R), -EINVAL);
	EXPECT_EQ(oracle_check(), 0u);
	touch_done();
	space_destroy(s);
}

// Every allocation of unmap and protect fails once in turn: -ENOMEM, nothing changed, the next try
// works.
TEST(space, cutting_fails_cleanly)
{
	struct space *s = space_create();
	va_t huge = ALIGN_UP(BASE, pt_size(1));
	uint64_t failed_count = 0;
	int err = -ENOMEM;

	REQUIRE_EQ(add_anon(s, huge, huge + 4 * pt_size(1), AREA_HUGE, PT_R | PT_W), 0);
	for (unsigned i = 0; i < 4; i++)
		REQUIRE(touch_write(s, huge + i * pt_size(1), i));
	while (err == -ENOMEM) {
		frame_fail_after(failed_count, 1);
		err = space_unmap(s, huge + PAGES(3), huge + 3 * pt_size(1) + PAGES(9));
		frame_fail_after(0, 0);
		if (!err)
			break;
		failed_count++;
		EXPECT_EQ(err, -ENOMEM);
		for (unsigned i = 0; i < 4; i++)
			EXPECT(touch_reads(s, huge + i * pt_size(1), i));
		EXPECT_EQ(space_mapped(s, MAPPED_ANON), 4 * 512);
		EXPECT_EQ(oracle_check(), 0u);
	}
	EXPECT_EQ(err, 0);
	EXPECT(failed_count >= 2);
	EXPECT_EQ(space_mapped(s, MAPPED_ANON), 512 - 9 + 3);
	EXPECT_EQ(oracle_check(), 0u);
	test_note("%lu allocations failed in turn", failed_count);
	touch_done();
	space_destroy(s);
}

// A device window is mapped at once, uncached and uncounted, and goes as a whole.
TEST(space, device_window)
{
	struct space *s = space_create();
	struct area_spec spec = { .start = BASE,
				  .end = BASE + PAGES(2),
				  .kind = AREA_DEVICE,
				  .rights = PT_R | PT_W,
				  .pa = zero_page };
	ptv_t v;

	REQUIRE_EQ(space_add_area(s, &spec), 0);
	EXPECT(pt_translate(&s->root, BASE).attr & PT_UC);
	pt_find(&s->root, BASE, &v);
	EXPECT(ptv_is_devmap(v));
	EXPECT_EQ(space_mapped(s, MAPPED_DEVICE), 2);
	EXPECT_EQ(oracle_check(), 0u);
	EXPECT_EQ(space_unmap(s, BASE + PAGES(1), BASE + PAGES(2)), 0);
	EXPECT_EQ(space_mapped(s, MAPPED_DEVICE), 1);
	space_destroy(s);
}
