/*
 * The multiboot2 parser: what a boot loader says is understood, and whatever else may come in its
 * place has a defined outcome. Malformed information: test_multiboot_bad.c.
 */
#include <lib/string.h>
#include <tests/kernel/multiboot_draft.h>
#include <tests/kernel/test.h>

static bool covers(uint64_t start, uint64_t end, enum memmap_kind kind)
{
	return memmap_covers(&parsed.memmap, start, end, kind);
}

// What GRUB gives on a PC is understood in full.
TEST(multiboot, typical_information)
{
	const char *rsdp;

	draft_typical();
	REQUIRE_EQ(draft_parse(), 0);
	EXPECT(!strcmp(parsed_reason, "complete"));
	EXPECT(!strcmp(parsed.cmdline, "test=* seed=1"));
	EXPECT_EQ(parsed.module_count, 2u);
	EXPECT_EQ(parsed.module[0].start.value, 0x400000u);
	EXPECT_EQ(parsed.module[0].end.value, 0x401234u);
	EXPECT(!strcmp(parsed.module[0].name, "initrd one"));
	EXPECT(!strcmp(parsed.module[1].name, ""));
	EXPECT(!parsed.efi);
	rsdp = (const char *)draft.at + (parsed.rsdp.value - DRAFT_PA);
	EXPECT(!strncmp(rsdp, "RSD PTR new", 11));
	EXPECT_EQ(memmap_bytes(&parsed.memmap, MEMMAP_USABLE),
		  63 * MIB - 3 * PAGE_SIZE + 0x9f000 - 2 * PAGE_SIZE);
}

// The first page, the BIOS area, the information itself and modules are kept from the allocator.
TEST(multiboot, marks_what_is_in_use)
{
	draft_typical();
	REQUIRE_EQ(draft_parse(), 0);
	EXPECT(covers(0, PAGE_SIZE, MEMMAP_RESERVED));
	EXPECT(covers(PAGE_SIZE, DRAFT_PA, MEMMAP_USABLE));
	EXPECT(covers(DRAFT_PA, DRAFT_PA + draft.bytes, MEMMAP_RECLAIM));
	EXPECT(covers(DRAFT_PA + PAGE_SIZE, 0x9f000, MEMMAP_USABLE));
	EXPECT(covers(0x9f000, 0xa0000, MEMMAP_RESERVED));
	EXPECT(!covers(0xa0000, MIB, MEMMAP_USABLE));
	EXPECT(covers(0x400000, 0x402000, MEMMAP_RECLAIM));
	EXPECT(covers(0x402000, 0x500000, MEMMAP_USABLE));
	EXPECT(covers(0x500000, 0x501000, MEMMAP_RECLAIM));
}

// A map that calls the BIOS area or the first page usable is not believed.
TEST(multiboot, bios_area_is_never_usable)
{
	draft_begin();
	draft_put_map(1, 24);
	draft_put_entry(0, 16 * MIB, 1);
	draft_end();
	REQUIRE_EQ(draft_parse(), 0);
	EXPECT(covers(0, PAGE_SIZE, MEMMAP_RESERVED));
	EXPECT(covers(0xa0000, 0x100000, MEMMAP_RESERVED));
	EXPECT(covers(MIB, 16 * MIB, MEMMAP_USABLE));
}

// Each type of memory is of the right kind, and a type nobody knows is reserved.
TEST(multiboot, memory_types)
{
	static const enum memmap_kind want[] = {
		[0] = MEMMAP_RESERVED, [1] = MEMMAP_USABLE,   [2] = MEMMAP_RESERVED,
		[3] = MEMMAP_RECLAIM,  [4] = MEMMAP_RESERVED, [5] = MEMMAP_BAD,
		[6] = MEMMAP_RESERVED, [7] = MEMMAP_RESERVED,
	};

	draft_begin();
	draft_put_map(ARRAY_SIZE(want), 32);
	for (unsigned type = 0; type < ARRAY_SIZE(want); type++) {
		draft_put_entry((4 + type) * MIB, MIB, type);
		draft_put64(~0ull); /* entries may grow */
	}
	draft_end();
	REQUIRE_EQ(draft_parse(), 0);
	for (unsigned type = 0; type < ARRAY_SIZE(want); type++)
		EXPECT(covers((4 + type) * MIB, (5 + type) * MIB, want[type]));
}

// Odd entries of the map - empty, wrapping, above the address width - are dropped and counted.
TEST(multiboot, odd_map_entries)
{
	draft_begin();
	draft_put_map(6, 24);
	draft_put_entry(8 * MIB, 0, 1);
	draft_put_entry(~0ull - MIB, 2 * MIB, 1);
	draft_put_entry(DRAFT_PA_LIMIT, MIB, 1);
	draft_put_entry(DRAFT_PA_LIMIT - MIB, ~0ull - DRAFT_PA_LIMIT, 2);
	draft_put_entry(4 * MIB, 4 * MIB, 1);
	draft_put_entry(2 * MIB, 4 * MIB, 2);
	draft_end();
	REQUIRE_EQ(draft_parse(), 0);
	EXPECT_EQ(parsed.memmap.dropped_count, 3u);
	EXPECT(covers(2 * MIB, 6 * MIB, MEMMAP_RESERVED));
	EXPECT(covers(6 * MIB, 8 * MIB, MEMMAP_USABLE));
	EXPECT(covers(DRAFT_PA_LIMIT - MIB, DRAFT_PA_LIMIT, MEMMAP_RESERVED));
	EXPECT_EQ(memmap_bytes(&parsed.memmap, MEMMAP_USABLE), 2 * MIB);
}

// Without a map the two sizes of tag 4 serve; without either the outcome is -ENOENT.
TEST(multiboot, map_is_required)
{
	draft_begin();
	draft_put_tag(4, 8);
	draft_put32(639);
	draft_put32(7 * 1024);
	draft_end();
	REQUIRE_EQ(draft_parse(), 0);
	EXPECT(covers(DRAFT_PA + PAGE_SIZE, 0x9f000, MEMMAP_USABLE));
	EXPECT(covers(MIB, 8 * MIB, MEMMAP_USABLE));
	EXPECT_EQ(parsed.memmap.count, 5u);

	draft_begin();
	draft_put_text(1, "x", 2);
	draft_end();
	EXPECT_EQ(draft_parse(), -ENOENT);
	EXPECT(parsed_reason != NULL);
}

// EFI's map makes memory more reserved than tag 6 says, never less, and never makes any.
TEST(multiboot, efi_map_only_adds_care)
{
	draft_begin();
	draft_put_tag(17, 8 + 6 * 40);
	draft_put32(40);
	draft_put32(1);
	draft_put_efi_entry(5, 2 * MIB, 256);
	draft_put_efi_entry(7, 0x9f000, 1);
	draft_put_efi_entry(9, 3 * MIB, 256);
	draft_put_efi_entry(6, 256 * MIB, 256);
	draft_put_efi_entry(8, 4 * MIB, 256);
	draft_put_efi_entry(0, 60 * MIB, ~0ull);
	draft_put_simple_map();
	draft_end();
	REQUIRE_EQ(draft_parse(), 0);
	EXPECT(parsed.efi);
	EXPECT(covers(2 * MIB, 3 * MIB, MEMMAP_RESERVED));
	EXPECT(covers(3 * MIB, 4 * MIB, MEMMAP_RECLAIM));
	EXPECT(covers(4 * MIB, 5 * MIB, MEMMAP_BAD));
	EXPECT(covers(5 * MIB, 60 * MIB, MEMMAP_USABLE));
	EXPECT(covers(60 * MIB, 64 * MIB, MEMMAP_RESERVED));
	EXPECT(covers(0x9f000, 0xa0000, MEMMAP_RESERVED));
	EXPECT_EQ(parsed.memmap.range[parsed.memmap.count - 1].end, 64 * MIB);
}

// Any EFI tag says that this is an EFI machine; without a new root pointer the old one serves.
TEST(multiboot, efi_and_rsdp_tags)
{
	static const uint32_t efi_tags[] = { 11, 12, 18, 19, 20 };

	for (unsigned i = 0; i < ARRAY_SIZE(efi_tags); i++) {
		draft_begin();
		draft_put_simple_map();
		draft_put_tag(efi_tags[i], 8);
		draft_put64(0);
		draft_put_text(14, "RSD PTR first, 20 by", 20);
		draft_put_text(14, "RSD PTR second 20 by", 20);
		draft_end();
		REQUIRE_EQ(draft_parse(), 0);
		EXPECT(parsed.efi);
		EXPECT(!memcmp(draft.at + (parsed.rsdp.value - DRAFT_PA), "RSD PTR first", 13));
	}
	draft_begin();
	draft_put_simple_map();
	draft_end();
	REQUIRE_EQ(draft_parse(), 0);
	EXPECT(!parsed.efi);
	EXPECT(pa_equal(parsed.rsdp, PA_NONE));
}

// Texts without an end stop at the end of their tag; too long ones are cut, and it is said.
TEST(multiboot, unterminated_and_long_texts)
{
	static char text[BOOT_CMDLINE_MAX + 100];

	memset(text, 'a', sizeof(text));
	draft_begin();
	draft_put_simple_map();
	draft_put_text(1, text, 8); /* no padding behind it */
	draft_put_module(4 * MIB, 5 * MIB, text, 200);
	draft_put_text(1, "not this one", 13);
	draft_end();
	REQUIRE_EQ(draft_parse(), 0);
	EXPECT_EQ(strlen(parsed.cmdline), 8u);
	EXPECT_EQ(strlen(parsed.module[0].name), sizeof(parsed.module[0].name) - 1);
	EXPECT(!strcmp(parsed_reason, "complete"));

	draft_begin();
	draft_put_simple_map();
	draft_put_text(1, text, sizeof(text));
	draft_end();
	REQUIRE_EQ(draft_parse(), 0);
	EXPECT_EQ(strlen(parsed.cmdline), BOOT_CMDLINE_MAX - 1u);
	EXPECT(strcmp(parsed_reason, "complete") != 0);
}

// A module that is empty, reversed, or outside memory is left out; so is one too many.
TEST(multiboot, modules_that_cannot_be)
{
	draft_begin();
	draft_put_simple_map();
	draft_put_module(4 * MIB, 4 * MIB, "empty", 6);
	draft_put_module(5 * MIB, 4 * MIB, "reversed", 9);
	draft_put_module(0x9f000, 0xa0000, "reserved", 9);
	draft_put_module(63 * MIB, 65 * MIB, "half", 5);
	draft_put_module(512 * MIB, 513 * MIB, "hole", 5);
	draft_end();
	REQUIRE_EQ(draft_parse(), 0);
	EXPECT_EQ(parsed.module_count, 0u);
	EXPECT(strcmp(parsed_reason, "complete") != 0);
	EXPECT(covers(63 * MIB, 64 * MIB, MEMMAP_RECLAIM));
	EXPECT_EQ(parsed.memmap.range[parsed.memmap.count - 1].end, 64 * MIB);

	draft_begin();
	draft_put_simple_map();
	for (unsigned i = 0; i <= BOOT_MODULE_MAX; i++)
		draft_put_module((4 + i) * MIB, (5 + i) * MIB, "m", 2);
	draft_end();
	REQUIRE_EQ(draft_parse(), 0);
	EXPECT_EQ(parsed.module_count, (unsigned)BOOT_MODULE_MAX);
	EXPECT(strcmp(parsed_reason, "complete") != 0);
	EXPECT(covers(4 * MIB, (5 + BOOT_MODULE_MAX) * MIB, MEMMAP_RECLAIM));
}
