/*
 * Machines of every shape: what frame_init and frame_add_usable make of a memory map. Host only,
 * for the kernel has one machine; every test leaves the default one behind.
 */
#include <lib/printk.h>
#include <lib/string.h>
#include <mm/frame.h>
#include <mm/memmap.h>
#include <tests/host/host.h>
#include <tests/kernel/test.h>

#define KIB 1024ull
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define BANK_MAX 12

static uint64_t array_pages(void)
{
	return (frame_limit * sizeof(struct frame) + PAGE_SIZE - 1) / PAGE_SIZE;
}

/* Is this frame RAM of the machine, and neither page 0 nor of the frame array? */
static bool frame_is_usable(const struct host_bank *bank, unsigned bank_count, pfn_t pfn)
{
	uint64_t pa = pfn << PAGE_SHIFT, array = ptr_to_pa(frame_array).value;

	if (pfn == 0 || (pa >= array && pa < array + array_pages() * PAGE_SIZE))
		return false;
	for (unsigned i = 0; i < bank_count; i++)
		if (pa >= bank[i].start && pa + PAGE_SIZE <= bank[i].start + bank[i].bytes)
			return true;
	return false;
}

/* The array's kinds are what the banks say, and the count is what the array says. */
static bool machine_agrees(const struct host_bank *bank, unsigned bank_count)
{
	uint64_t count = 0;

	for (pfn_t pfn = 0; pfn < frame_limit; pfn++) {
		bool usable = frame_is_usable(bank, bank_count, pfn);

		if (usable != (frame_array[pfn].kind != FRAME_RESERVED))
			return false;
		count += usable;
	}
	return count == frame_total_count() && count == frame_free_count();
}

// A small machine: all its memory but the first page and the array can be handed out.
TEST(machine, small)
{
	static const struct host_bank bank[] = { { 0, 640 * KIB }, { MIB, 15 * MIB } };

	EXPECT_EQ(host_boot(bank, ARRAY_SIZE(bank)), 0);
	EXPECT_EQ(frame_limit, 16 * MIB >> PAGE_SHIFT);
	EXPECT_EQ(frame_total_count(), 160 - 1 + 15 * 256 - array_pages());
	EXPECT(machine_agrees(bank, ARRAY_SIZE(bank)));
	EXPECT(pa_has_frame(PA(16 * MIB - 1)) && !pa_has_frame(PA(16 * MIB)));
	frame_check();
	host_boot_default();
}

// Memory above 4 GiB is used when there is enough below to describe it.
TEST(machine, memory_above_a_hole)
{
	static const struct host_bank bank[] = { { 0, 640 * KIB },
						 { MIB, GIB - MIB },
						 { 4 * GIB, 512 * MIB } };

	EXPECT_EQ(host_boot(bank, ARRAY_SIZE(bank)), 0);
	EXPECT_EQ(frame_limit, (4 * GIB + 512 * MIB) >> PAGE_SHIFT);
	EXPECT(machine_agrees(bank, ARRAY_SIZE(bank)));
	frame_check();
	host_boot_default();
}

// A little memory very high up is left unused, rather than most memory spent on the array.
TEST(machine, far_memory_is_not_worth_its_array)
{
	static const struct host_bank bank[] = { { 0, 640 * KIB },
						 { MIB, 63 * MIB },
						 { 4 * GIB, 64 * MIB } };

	EXPECT_EQ(host_boot(bank, ARRAY_SIZE(bank)), 0);
	EXPECT_EQ(frame_limit, 64 * MIB >> PAGE_SHIFT);
	EXPECT(machine_agrees(bank, ARRAY_SIZE(bank)));
	EXPECT(!pa_has_frame(PA(4 * GIB)));
	host_boot_default();
}

// With little room where the boot tables reach, the array is as long as half of that allows.
TEST(machine, array_is_limited_by_low_room)
{
	static const struct host_bank bank[] = { { MIB, MIB }, { 300 * MIB, 700 * MIB } };

	EXPECT_EQ(host_boot(bank, ARRAY_SIZE(bank)), 0);
	EXPECT_EQ(frame_limit, 512 * KIB / sizeof(struct frame));
	EXPECT(machine_agrees(bank, ARRAY_SIZE(bank)));
	EXPECT_EQ(frame_total_count(), 128u);
	host_boot_default();
}

// Without memory between the first MiB and the boot tables' reach there is no allocator.
TEST(machine, no_room_at_all)
{
	static const struct host_bank low[] = { { 0, MIB } };
	static const struct host_bank high[] = { { BOOT_MAP_BYTES, 64 * MIB } };

	EXPECT_EQ(host_boot(low, ARRAY_SIZE(low)), -ENOMEM);
	EXPECT_EQ(frame_limit, 0u);
	EXPECT(frame_alloc(0, FRAME_DATA) == NULL);
	EXPECT_EQ(host_boot(high, ARRAY_SIZE(high)), -ENOMEM);
	EXPECT_EQ(host_boot(NULL, 0), -ENOMEM);
	EXPECT_EQ(frame_total_count(), 0u);
	host_boot_default();
}

// A memory map that has no room to say where the array is gives no allocator.
TEST(machine, no_room_in_the_map)
{
	static struct memmap map;

	map = (struct memmap){ .count = 0 };
	EXPECT_EQ(memmap_add(&map, MIB, 8 * MIB, MEMMAP_USABLE, GIB), 0);
	while (map.count < MEMMAP_MAX)
		EXPECT_EQ(memmap_add(&map, 16 * MIB + map.count * 2 * PAGE_SIZE, PAGE_SIZE,
				     MEMMAP_USABLE, GIB),
			  0);
	EXPECT_EQ(frame_init(&map), -ENOMEM);
	EXPECT_EQ(map.count, MEMMAP_MAX);
	EXPECT_EQ(frame_limit, 0u);
	EXPECT(frame_alloc(0, FRAME_DATA) == NULL);
	host_boot_default();
}

static unsigned lines;

static void count_lines(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		lines += text[i] == '\n';
}

static unsigned lines_of_boot(const struct host_bank *bank, unsigned bank_count)
{
	printk_write_t before = printk_set_console(count_lines);

	lines = 0;
	EXPECT_EQ(host_boot(bank, bank_count), 0);
	printk_set_console(before);
	return lines;
}

// Memory that stays unused is reported, a line for each piece; memory that is used is not.
TEST(machine, says_what_stays_unused)
{
	static const struct host_bank bank[] = { { MIB, 63 * MIB },
						 { 4 * GIB, 2 * MIB },
						 { 4 * GIB + 8 * MIB, 2 * MIB } };

	EXPECT_EQ(lines_of_boot(bank, 1), 0u);
	EXPECT_EQ(lines_of_boot(bank, 2), 1u);
	EXPECT_EQ(lines_of_boot(bank, 3), 2u);
	host_boot_default();
}

// Two blocks of the highest order are not made one, though they are side by side.
TEST(machine, the_highest_order_is_the_highest)
{
	static const struct host_bank bank[] = { { MIB, 80 * MIB }, { 2 * GIB, 2 * GIB } };
	struct frame *f[2];

	EXPECT_EQ(host_boot(bank, ARRAY_SIZE(bank)), 0);
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < 2; i++)
			REQUIRE((f[i] = frame_alloc(FRAME_ORDER_MAX, FRAME_DATA)));
		EXPECT(frame_alloc(FRAME_ORDER_MAX, FRAME_DATA) == NULL);
		for (unsigned i = 0; i < 2; i++)
			frame_free(f[i]);
	}
	frame_check();
	host_boot_default();
}

// Frames that are no reserved ones cannot be added a second time.
TEST(machine, adding_twice_is_a_bug)
{
	static const struct host_bank bank[] = { { MIB, 15 * MIB } };

	EXPECT_EQ(host_boot(bank, ARRAY_SIZE(bank)), 0);
	EXPECT_BUG(frame_add_range(PA(8 * MIB), PA(9 * MIB)));
	EXPECT_BUG(frame_add_range(PA(20 * MIB), PA(20 * MIB + 1)));
	host_boot_default();
}

// What the array does not reach is ignored, and frame 0 stays out whoever offers it.
TEST(machine, ranges_are_cut_to_what_can_be_kept)
{
	static const struct host_bank bank[] = { { MIB, 15 * MIB } };
	uint64_t total;

	EXPECT_EQ(host_boot(bank, ARRAY_SIZE(bank)), 0);
	total = frame_total_count();
	frame_add_range(PA(20 * MIB), PA(21 * MIB));
	EXPECT_EQ(frame_total_count(), total);
	frame_add_range(PA(0), PA(2 * PAGE_SIZE));
	EXPECT_EQ(frame_total_count(), total + 1);
	EXPECT_EQ(frame_array[0].kind, FRAME_RESERVED);
	frame_check();
	host_boot_default();
}

// Whatever the banks, exactly their whole pages below the limit are free frames, in order.
TEST(machine, random_banks)
{
	unsigned booted_count = 0, round_count = 60;

	for (unsigned i = 0; i < round_count; i++) {
		struct host_bank bank[BANK_MAX];
		unsigned bank_count = 1 + test_random() % BANK_MAX;
		uint64_t at = test_random() % 4 * MIB;

		for (unsigned n = 0; n < bank_count; n++) {
			bank[n].start = at + test_random() % (32 * MIB);
			bank[n].bytes = PAGE_SIZE + test_random() % (24 * MIB);
			at = bank[n].start + bank[n].bytes + 2 * PAGE_SIZE;
		}
		if (host_boot(bank, bank_count))
			continue;
		booted_count++;
		REQUIRE(machine_agrees(bank, bank_count));
		frame_check();
	}
	host_boot_default();
	EXPECT(booted_count > round_count / 2);
	test_note("%u of %u machines had room", booted_count, round_count);
}
