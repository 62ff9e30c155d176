/*
 * The kernel's own space: exact rights, guards, the dynamic range, and one view in all spaces.
 */
#include <arch/cpu.h>
#include <arch/image.h>
#include <arch/trap.h>
#include <boot_info.h>
#include <mm/kspace.h>
#include <mm/memmap.h>
#include <mm/tlb.h>
#include <tests/kernel/oracle.h>
#include <tests/kernel/test.h>

/* A right that every byte of [start, end) must have, and one that none may. */
static void expect_rights(const char *start, const char *end, pt_attr_t all, pt_attr_t none)
{
	for (va_t va = (va_t)start; va < (va_t)end; va += PAGE_SIZE) {
		struct pt_span s = pt_translate(&kernel_space.root, va);
		bool guard = false;

		for (unsigned i = 0; cpu_guard_page(i); i++)
			guard |= (va_t)cpu_guard_page(i) == va;
		if (guard)
			EXPECT_EQ(s.kind, (enum pt_kind)PT_NONE);
		else
			EXPECT((s.attr & all) == all && !(s.attr & (none | PT_U)));
	}
}

// Text can be executed and not written, constants neither, data written and not executed; guards
// are holes.
TEST(kspace, image_rights_are_exact)
{
	expect_rights(image_text_start, image_text_end, PT_R | PT_X, PT_W);
	expect_rights(image_rodata_start, image_rodata_end, PT_R, PT_W | PT_X);
	expect_rights(image_data_start, image_data_end, PT_R | PT_W, PT_X);
}

// No page that the CPU can reach is writable and executable, and none of the kernel's is open to
// the user.
TEST(kspace, no_page_is_writable_and_executable)
{
	EXPECT_EQ(kspace_check_rights(), 0u);
}

// The self-check finds a writable and executable page when there is one.
TEST(kspace, self_check_can_fail)
{
	va_t va = kspace_alloc(PAGE_SIZE);

	REQUIRE(va);
	EXPECT_EQ(pt_protect(&kernel_space.root, va, va + PAGE_SIZE, 0, PT_X), 0);
	EXPECT_EQ(kspace_check_rights(), 1u);
	kspace_free(va);
}

static void write_byte(void *at)
{
	*(volatile char *)at = 0;
}

// The MMU refuses what the rights refuse: writing text and constants, touching page 0 and the
// guards.
TEST(kspace, hardware_refuses)
{
	static const uint64_t constant = 5;
	struct trap_info t;

	t = expect_fault(write_byte, image_text_start, false);
	EXPECT_EQ(t.vector, (unsigned)TRAP_PF);
	EXPECT_EQ(t.error, (uint64_t)(PF_P | PF_W));
	t = expect_fault(write_byte, (void *)&constant, false);
	EXPECT_EQ(t.error, (uint64_t)(PF_P | PF_W));
	t = expect_fault(write_byte, (void *)8, false);
	EXPECT_EQ(t.vector, (unsigned)TRAP_PF);
	EXPECT_EQ(t.error, (uint64_t)PF_W);
	EXPECT_EQ(t.va, 8ull);
	for (unsigned i = 0; cpu_guard_page(i); i++) {
		t = expect_fault(write_byte, (void *)cpu_guard_page(i), false);
		EXPECT_EQ(t.vector, (unsigned)TRAP_PF);
		EXPECT_EQ(t.va, (va_t)cpu_guard_page(i));
	}
}

// All usable memory is in the direct map, not executable, in leaves as large as alignment allows.
TEST(kspace, direct_map_reaches_all_memory)
{
	const struct memmap *map = &boot_info.memmap;
	uint64_t small_pages = 0;

	for (unsigned i = 0; i < map->count; i++) {
		const struct memmap_range *r = &map->range[i];

		for (uint64_t pa = r->start; r->kind <= MEMMAP_RECLAIM && pa < r->end;) {
			struct pt_span s = pt_translate(&kernel_space.root, DIRECT_BASE + pa);

			if (!EXPECT_EQ(s.kind, (enum pt_kind)PT_LEAF))
				return;
			EXPECT_EQ(s.pa.value, pa);
			EXPECT_EQ(s.attr & (PT_RWX | PT_U), PT_R | PT_W);
			small_pages += s.level == 0;
			pa = s.last + 1 - DIRECT_BASE;
		}
	}
	test_note("%lu pages of level 0", small_pages);
}

// Device windows are uncached and not executable, at the offset asked for, and go without a trace.
TEST(kspace, device_windows)
{
	va_t va = kspace_map_device(PA(0xfee00123), 0x1000);
	struct pt_span s = pt_translate(&kernel_space.root, va);

	REQUIRE(va);
	EXPECT_EQ(s.pa.value, 0xfee00123ull);
	EXPECT_EQ(s.attr & (PT_UC | PT_RWX | PT_U | PT_DEVMAP), PT_UC | PT_R | PT_W | PT_DEVMAP);
	EXPECT_EQ(pt_translate(&kernel_space.root, va + 0x1000).kind, (enum pt_kind)PT_LEAF);
	kspace_free(va);
	EXPECT_EQ(pt_translate(&kernel_space.root, va).kind, (enum pt_kind)PT_NONE);
}

// Allocations have a hole below and above, hold zeroes, and fail cleanly at every allocation
// inside.
TEST(kspace, dynamic_memory)
{
	uint64_t free_before = frame_free_count(), failed_count = 0;
	va_t va = 0;

	for (; !va; failed_count++) {
		frame_fail_after(failed_count, 1);
		va = kspace_alloc(3 * PAGE_SIZE);
		frame_fail_after(0, 0);
		if (va)
			break;
		EXPECT_EQ(oracle_check(), 0u);
	}
	EXPECT(failed_count >= 3);
	EXPECT_EQ(*(volatile uint64_t *)(va + 2 * PAGE_SIZE), 0ull);
	*(volatile uint64_t *)(va + 2 * PAGE_SIZE) = 1;
	EXPECT_EQ(expect_fault(write_byte, (void *)(va - 1), false).vector, (unsigned)TRAP_PF);
	EXPECT_EQ(expect_fault(write_byte, (void *)(va + 3 * PAGE_SIZE), false).vector,
		  (unsigned)TRAP_PF);
	EXPECT_EQ(oracle_check(), 0u);
	kspace_free(va);
	EXPECT_EQ(expect_fault(write_byte, (void *)va, false).vector, (unsigned)TRAP_PF);
	test_note("%lu allocations failed in turn, %ld frames kept for tables", failed_count,
		  (long)(free_before - frame_free_count()));
}

// A new kernel entry in the top table reaches a space that was there before; a wrong one is a bug.
TEST(kspace, top_entries_reach_every_space)
{
	struct space *s = space_create();
	unsigned top = kernel_space.root.top.level;
	va_t va = kspace_alloc(PAGE_SIZE);
	ptp_t p = pt_entry(s->root.top, pt_index(va, top));
	ptv_t good = ptp_get(p);

	REQUIRE(s && va);
	space_switch(s);
	*(volatile uint64_t *)va = 3; /* through s's own top table */
	space_switch(NULL);
	tlb_detach_all(s); /* with five levels that entry is the kernel's only one */
	EXPECT(ptv_is_table(good));
	ptp_change(p, ptv_make_none(top));
	frame_put(pa_to_frame(ptv_pa(good)));
	kspace_sync(va, va);
	EXPECT_EQ(ptv_pa(ptp_get(p)).value, ptv_pa(good).value);
	ptp_change(p, ptv_make_table(s->root.top.pa, PT_RWX, top));
	EXPECT_BUG(kspace_sync(va, va));
	ptp_change(p, good);
	kspace_free(va);
	space_destroy(s);
}

// The oracle's rules hold for the kernel's tables from the start.
TEST(kspace, oracle_agrees)
{
	EXPECT_EQ(oracle_check(), 0u);
}
