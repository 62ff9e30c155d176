/*
 * The kernel's dynamic range as tables: where things go, with what rights, and what is left. What
 * the CPU makes of it, tests/kernel/test_kspace.c asks the CPU.
 */
#include <lib/string.h>
#include <mm/kspace.h>
#include <tests/host/host.h>
#include <tests/kernel/test.h>

#define PAGES(n) ((n)*PAGE_SIZE)
#define EVERYTHING (PT_RWX | PT_U | PT_UC | PT_GLOBAL | PT_YOUNG | PT_DIRTY | PT_DEVMAP)
#define GIB (1ull << 30)

static struct pt_span look(va_t va)
{
	return pt_translate(&kernel_space.root, va);
}

static bool is_mapped(va_t va)
{
	return look(va).kind == PT_LEAF;
}

static unsigned area_count(void)
{
	struct area *area;
	unsigned count = 0;

	list_for_each(area, &kernel_space.areas, link)
		count++;
	return count;
}

/* All of [va, va + bytes) is mapped like that, and the pages beside it are holes. */
static void expect_between_holes(va_t va, uint64_t bytes, pt_attr_t attr)
{
	for (uint64_t at = 0; at < bytes; at += PAGE_SIZE) {
		EXPECT(is_mapped(va + at));
		EXPECT_EQ(look(va + at).attr & EVERYTHING, attr);
	}
	EXPECT(!is_mapped(va - 1));
	EXPECT(!is_mapped(va + bytes));
}

// The kernel's root translates the upper half, to its first page: what a space's does not.
TEST(kspace_tables, the_upper_half)
{
	struct space *s = space_create();

	REQUIRE(s);
	EXPECT_EQ(kernel_space.root.first, ~s->root.last);
	EXPECT_EQ(kernel_space.root.last, ~s->root.first);
	EXPECT_EQ(s->root.first, 0u);
	EXPECT(pt_root_covers(&kernel_space.root, DYNAMIC_BASE, DYNAMIC_END));
	space_destroy(s);
}

// The zero page is one frame of zeroes that the kernel holds.
TEST(kspace_tables, the_zero_page)
{
	static const char zero[PAGE_SIZE];
	const struct frame *f = pa_to_frame(zero_page);

	EXPECT_EQ(f->order, 0);
	EXPECT_EQ(f->kind, FRAME_KERNEL);
	EXPECT_EQ(frame_edges(f), 1u);
	EXPECT(!memcmp(pa_to_ptr(zero_page), zero, PAGE_SIZE));
}

// Memory is zero, whole pages, read and written only, between holes; it is booked, and goes back.
TEST(kspace_tables, memory)
{
	static const char zero[PAGE_SIZE];
	va_t first = kspace_alloc(PAGES(2) + 1), second = kspace_alloc(1), third;
	uint64_t free_before = frame_free_count();

	EXPECT_EQ(first, DYNAMIC_BASE + PAGES(1));
	EXPECT_EQ(second, first + PAGES(4));
	expect_between_holes(first, PAGES(3), PT_R | PT_W | PT_GLOBAL | PT_YOUNG | PT_DIRTY);
	expect_between_holes(second, PAGES(1), PT_R | PT_W | PT_GLOBAL | PT_YOUNG | PT_DIRTY);
	for (unsigned i = 0; i < 3; i++) {
		EXPECT(!memcmp(pa_to_ptr(look(first + PAGES(i)).pa), zero, PAGE_SIZE));
		EXPECT_EQ(frame_edges(pa_to_frame(look(first + PAGES(i)).pa)), 1u);
	}
	EXPECT_EQ(space_mapped(&kernel_space, MAPPED_ANON), 4);
	EXPECT_EQ(space_find_area(&kernel_space, first)->rights, PT_R | PT_W);
	kspace_free(first);
	EXPECT_EQ(frame_free_count(), free_before + 3);
	for (unsigned i = 0; i < 3; i++)
		EXPECT(!is_mapped(first + PAGES(i)));
	EXPECT_EQ(space_mapped(&kernel_space, MAPPED_ANON), 1);
	third = kspace_alloc(PAGES(3));
	EXPECT_EQ(third, first); /* it fits into the hole, with its guards */
	kspace_free(third);
	third = kspace_alloc(PAGES(4));
	EXPECT_EQ(third, second + PAGES(2)); /* too large for it */
	kspace_free(third);
	kspace_free(second);
	EXPECT_EQ(area_count(), 0u);
	EXPECT_BUG(kspace_free(second));
}

// Every allocation fails once in turn: nothing is left but tables, and then it works.
TEST(kspace_tables, out_of_memory)
{
	va_t far = kspace_map_device(PA(0), GIB), va = 0; /* what comes needs tables of its own */
	unsigned failed_count = 0;

	REQUIRE(far);
	for (; !va; failed_count++) {
		uint64_t tables = kspace_table_bytes(), free_before = frame_free_count();

		frame_fail_after(failed_count, 1);
		va = kspace_alloc(PAGES(4));
		frame_fail_after(0, 0);
		if (va)
			break;
		EXPECT_EQ(area_count(), 1u);
		EXPECT_EQ(frame_free_count() + (kspace_table_bytes() - tables) / PAGE_SIZE,
			  free_before);
	}
	EXPECT(failed_count >= 4);
	kspace_free(va);
	kspace_free(far);
	EXPECT_EQ(area_count(), 0u);
}

// A window shows the pages around what was asked for, as a device or as memory, and counts none.
TEST(kspace_tables, windows)
{
	const pa_t pa = PA(0xfee00123);
	const pt_attr_t always = PT_R | PT_GLOBAL | PT_YOUNG | PT_DEVMAP;
	uint64_t free_before = frame_free_count();
	va_t device = kspace_map_device(pa, PAGES(1)), memory, constant;

	EXPECT_EQ(device, DYNAMIC_BASE + PAGES(1) + 0x123);
	expect_between_holes(device - 0x123, PAGES(2), always | PT_W | PT_UC | PT_DIRTY);
	EXPECT_EQ(look(device).pa.value, pa.value);
	EXPECT_EQ(look(device + PAGES(1)).pa.value, pa.value + PAGES(1));
	EXPECT_EQ(space_find_area(&kernel_space, device)->rights, PT_R | PT_W);
	EXPECT_EQ(space_mapped(&kernel_space, MAPPED_DEVICE), 2);
	memory = kspace_map_memory(PA(0x1000), PAGES(1), true);
	constant = kspace_map_memory(PA(0x1ff0), 16, false);
	expect_between_holes(memory, PAGES(1), always | PT_W | PT_DIRTY);
	expect_between_holes(constant & ~pt_mask(0), PAGES(1), always);
	EXPECT_EQ(space_find_area(&kernel_space, constant)->rights, PT_R);
	EXPECT_EQ(space_mapped(&kernel_space, MAPPED_DEVICE), 4);
	kspace_free(device);
	kspace_free(constant);
	EXPECT(!is_mapped(device) && !is_mapped(constant) && is_mapped(memory));
	kspace_free(memory);
	EXPECT_EQ(space_mapped(&kernel_space, MAPPED_DEVICE), 0);
	EXPECT_LE(free_before - frame_free_count(), 3ull); /* tables stay */
}

// A window that is refused, or for which there is no memory, leaves no area.
TEST(kspace_tables, refused_windows)
{
	EXPECT_EQ(kspace_map_device(PA(1ull << arch_mmu.pa_bits), PAGES(1)), 0u);
	EXPECT_EQ(kspace_map_memory(PA(0), DYNAMIC_END - DYNAMIC_BASE, false), 0u);
	EXPECT_EQ(area_count(), 0u);
}

static void count_tables(uint64_t *count)
{
	struct pt_count seen;

	EXPECT_EQ(pt_count(&kernel_space.root, kernel_space.root.first, 0, &seen), 0);
	*count = 1;
	for (unsigned level = 0; level < PT_LEVEL_MAX; level++)
		*count += seen.entry[PT_TABLE][level];
}

/* Grant the user the way to va, or do not. */
static void open_path(va_t va, bool open)
{
	ptp_t p = pt_top(&kernel_space.root, va);
	ptv_t v = ptp_get(p);

	for (; ptv_is_table(v); p = pt_walk(v, va), v = ptp_get(p))
		ptp_change(p, ptv_make_table(ptv_pa(v), PT_RWX | (open ? PT_U : 0), v.level));
}

// The tables are counted, and what the range maps that has to be a bug for its rights is found.
TEST(kspace_tables, reports)
{
	va_t va = kspace_alloc(PAGES(2));
	uint64_t count;

	REQUIRE(va);
	count_tables(&count);
	EXPECT_EQ(kspace_table_bytes(), count * PAGE_SIZE);
	arch_root_load(kernel_space.root.top.pa);
	EXPECT_EQ(kspace_check_rights(), 0u);
	EXPECT_EQ(pt_protect(&kernel_space.root, va, va + PAGES(1), 0, PT_X), 0);
	EXPECT_EQ(kspace_check_rights(), 1u);
	EXPECT_EQ(pt_protect(&kernel_space.root, va + PAGES(1), va + PAGES(2), 0, PT_U), 0);
	open_path(va, true);
	EXPECT_EQ(kspace_check_rights(), 2u);
	EXPECT_EQ(pt_protect(&kernel_space.root, va, va + PAGES(1), PT_W, 0), 0);
	EXPECT_EQ(kspace_check_rights(), 1u);
	open_path(va, false);
	EXPECT_EQ(kspace_check_rights(), 0u);
	kspace_free(va);
}

// Rights are checked of the tables that the CPU has loaded, not of others.
TEST(kspace_tables, loaded_tables_are_checked)
{
	struct space *s = space_create();
	va_t va = kspace_alloc(PAGES(1));
	ptp_t p;
	ptv_t own;

	REQUIRE(s && va);
	p = pt_top(&s->root, va);
	own = ptp_get(p);
	EXPECT_EQ(pt_protect(&kernel_space.root, va, va + PAGES(1), 0, PT_X), 0);
	arch_root_load(s->root.top.pa);
	EXPECT_EQ(kspace_check_rights(), 1u);
	ptp_change(p, ptv_make_none(p.level)); /* the CPU does not come there any more */
	EXPECT_EQ(kspace_check_rights(), 0u);
	arch_root_load(kernel_space.root.top.pa);
	EXPECT_EQ(kspace_check_rights(), 1u);
	ptp_change(p, own);
	kspace_free(va);
	space_destroy(s);
}

/* As deep as that, for tests of top tables: of 4 levels several entries belong to the range. */
static void boot_with_top(unsigned level)
{
	arch_mmu.top_level = level;
	host_boot_default();
}

static ptv_t top_entry(const struct space *s, va_t va)
{
	return ptp_get(pt_top(&s->root, va));
}

// The kernel's top entries are in every space, with an edge each; new ones come to those that are
// there, and all go with the space.
TEST(kspace_tables, every_space_has_them)
{
	struct space *old, *young;
	uint64_t free_before;
	struct frame *table;
	va_t window, next;

	boot_with_top(3);
	free_before = frame_free_count();
	old = space_create();
	/* Longer than a top entry; as far from a huge page's border as the window is. */
	window = kspace_map_memory(PA(PAGE_SIZE), 600 * GIB, false);
	next = window + 512 * GIB;
	REQUIRE(old && window);
	young = space_create();
	table = pa_to_frame(ptv_pa(top_entry(&kernel_space, next)));
	EXPECT(is_mapped(next));
	EXPECT_EQ(ptv_raw(top_entry(old, next)), ptv_raw(top_entry(&kernel_space, next)));
	EXPECT_EQ(ptv_raw(top_entry(young, next)), ptv_raw(top_entry(old, next)));
	EXPECT_EQ(ptv_raw(top_entry(old, window)), ptv_raw(top_entry(&kernel_space, window)));
	EXPECT_EQ(frame_edges(table), 3u);
	kspace_sync(window, next);
	EXPECT_EQ(frame_edges(table), 3u);
	space_destroy(old);
	EXPECT_EQ(frame_edges(table), 2u);
	space_destroy(young);
	EXPECT_EQ(frame_edges(table), 1u);
	kspace_free(window);
	EXPECT_LE(free_before - frame_free_count(), 1ull + 2); /* tables, and a page of each pool */
	boot_with_top(4);
}

// A top entry that leads elsewhere than the kernel's is found when they are brought up to date.
TEST(kspace_tables, a_wrong_entry_is_a_bug)
{
	struct space *s = space_create();
	ptp_t p;
	ptv_t good;

	REQUIRE(s);
	p = pt_top(&s->root, DYNAMIC_BASE);
	good = ptp_get(p);
	ptp_change(p, ptv_make_table(s->root.top.pa, PT_RWX, p.level));
	EXPECT_BUG(kspace_sync(DYNAMIC_BASE, DYNAMIC_BASE));
	ptp_change(p, good);
	kspace_sync(DYNAMIC_BASE, DYNAMIC_BASE);
	space_destroy(s);
}
