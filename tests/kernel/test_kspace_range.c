/*
 * The kernel's dynamic range, as tables and books say it: also where there is no CPU. What the
 * hardware says of it is in test_kspace.c.
 */
#include <arch/layout.h>
#include <mm/kspace.h>
#include <tests/kernel/oracle.h>
#include <tests/kernel/test.h>

#define PAGES(n) ((n)*PAGE_SIZE)
#define WINDOW PAGES(1024) /* needs a table of its own, wherever it comes to lie */

static enum pt_kind kind_at(va_t va)
{
	return pt_translate(&kernel_space.root, va).kind;
}

/* Call `make` with its first allocation failing, then its second, ..., until it succeeds. */
static va_t fail_in_turn(va_t (*make)(void), uint64_t *failed_count)
{
	va_t va;

	for (*failed_count = 0;; ++*failed_count) {
		uint64_t free_before = frame_free_count(), tables = kspace_table_bytes();

		frame_fail_after(*failed_count, 1);
		va = make();
		frame_fail_after(0, 0);
		if (va)
			return va;
		EXPECT_EQ(oracle_check(), 0u);
		/* Tables that an attempt has made below the top may stay, and nothing else. */
		EXPECT_EQ(free_before - frame_free_count(),
			  (kspace_table_bytes() - tables) >> PAGE_SHIFT);
	}
}

static va_t make_pages(void)
{
	return kspace_alloc(3 * PAGE_SIZE - 5);
}

static va_t make_window(void)
{
	return kspace_map_memory(PA(0x7000000123), WINDOW, true);
}

// Allocated memory is whole pages, kernel-only, not executable, zero, between two holes; whichever
// allocation of it fails, nothing is left of it.
TEST(kspace_range, pages)
{
	uint64_t failed_count;
	va_t va = fail_in_turn(make_pages, &failed_count);

	EXPECT(failed_count >= 3);
	EXPECT_EQ(kind_at(va - 1), PT_NONE);
	EXPECT_EQ(kind_at(va + PAGES(3)), PT_NONE);
	for (unsigned i = 0; i < 3; i++) {
		struct pt_span s = pt_translate(&kernel_space.root, va + PAGES(i));

		EXPECT_EQ(s.kind, PT_LEAF);
		EXPECT_EQ(s.attr & (PT_RWX | PT_U | PT_DEVMAP), PT_R | PT_W);
		EXPECT_EQ(*(uint64_t *)pa_to_ptr(s.pa), 0u);
	}
	EXPECT_EQ(oracle_check(), 0u);
	kspace_free(va);
	EXPECT_EQ(kind_at(va), PT_NONE);
	EXPECT_EQ(oracle_check(), 0u);
}

// A window on memory has the rights asked for, begins at the offset asked for, and holds no frame.
TEST(kspace_range, windows)
{
	uint64_t failed_count;
	va_t rw = fail_in_turn(make_window, &failed_count);
	va_t ro = kspace_map_memory(PA(0x7000000000), PAGES(2), false);
	va_t dev = kspace_map_device(PA(0xfee00f00), 0x200);

	EXPECT(failed_count >= 1);
	REQUIRE(ro && dev);
	EXPECT_EQ(rw & (PAGE_SIZE - 1), 0x123u);
	EXPECT_EQ(pt_translate(&kernel_space.root, rw).pa.value, 0x7000000123u);
	EXPECT_EQ(pt_translate(&kernel_space.root, rw).attr & (PT_RWX | PT_UC), PT_R | PT_W);
	EXPECT_EQ(kind_at(rw + WINDOW), PT_LEAF); /* the page that the last bytes are in */
	EXPECT_EQ(pt_translate(&kernel_space.root, ro).attr & (PT_RWX | PT_UC), PT_R);
	EXPECT_EQ(pt_translate(&kernel_space.root, dev + 0x100).pa.value, 0xfee01000u);
	EXPECT_EQ(pt_translate(&kernel_space.root, dev).attr & PT_UC, PT_UC);
	EXPECT_EQ(oracle_check(), 0u);
	kspace_free(rw);
	kspace_free(ro);
	kspace_free(dev);
	EXPECT_EQ(kind_at(rw) | kind_at(ro) | kind_at(dev), PT_NONE);
}

// What is larger than the range is refused, as memory and as a window.
TEST(kspace_range, no_room)
{
	EXPECT_EQ(kspace_alloc(DYNAMIC_END - DYNAMIC_BASE), 0u);
	EXPECT_EQ(kspace_map_memory(PA(0), DYNAMIC_END - DYNAMIC_BASE, false), 0u);
	EXPECT_EQ(oracle_check(), 0u);
}

// An entry of the kernel's top table that a space lacks reaches it; one that is another is a bug.
TEST(kspace_range, sync_mends_what_is_missing_only)
{
	struct space *s = space_create();
	unsigned top = kernel_space.root.top.level;
	va_t va = kspace_alloc(1);
	ptp_t p = pt_entry(s->root.top, pt_index(va, top));
	ptv_t good = ptp_get(p);

	REQUIRE(s && va);
	EXPECT(ptv_is_table(good));
	ptp_change(p, ptv_make_none(top));
	frame_put(pa_to_frame(ptv_pa(good)));
	kspace_sync(va, va);
	EXPECT_EQ(ptv_pa(ptp_get(p)).value, ptv_pa(good).value);
	ptp_change(p, ptv_make_table(s->root.top.pa, PT_RWX, top));
	EXPECT_BUG(kspace_sync(va, va));
	ptp_change(p, good);
	kspace_free(va);
	EXPECT_EQ(oracle_check(), 0u);
	space_destroy(s);
}

/* Set U in every entry on the path of a page, or take it back. */
static void open_to_user(va_t va, bool user)
{
	const struct pt_root *root = &kernel_space.root;

	for (unsigned level = 0; level <= root->top.level; level++) {
		struct pt_way way;
		pt_attr_t attr;

		pt_descend(root, va, level, &way);
		attr = (ptv_attr(way.v) & ~PT_U) | (user ? PT_U : 0);
		ptp_change(way.p[level], ptv_is_table(way.v)
						 ? ptv_make_table(ptv_pa(way.v), attr, level)
						 : ptv_make_leaf(ptv_pa(way.v), attr, level));
	}
}

// The self-check counts leaves that are writable and executable, and leaves that the user may
// reach.
TEST(kspace_range, self_check_counts)
{
	va_t va = kspace_alloc(PAGES(4));
	unsigned before;

	REQUIRE(va);
	space_switch(NULL);
	before = kspace_check_rights();
	EXPECT_EQ(pt_protect(&kernel_space.root, va, va + PAGE_SIZE, 0, PT_X), 0);
	EXPECT_EQ(kspace_check_rights(), before + 1);
	EXPECT_EQ(pt_protect(&kernel_space.root, va, va + PAGE_SIZE, PT_W, 0), 0);
	EXPECT_EQ(kspace_check_rights(), before);
	open_to_user(va + PAGES(2), true);
	EXPECT_EQ(kspace_check_rights(), before + 1);
	open_to_user(va + PAGES(2), false);
	kspace_free(va);
	EXPECT_EQ(kspace_check_rights(), before);
}
