/*
 * Malformed boot information: refused with a reason, and not a byte read behind its end.
 */
#include <lib/string.h>
#include <tests/kernel/multiboot_draft.h>
#include <tests/kernel/test.h>

static void set_total(size_t bytes)
{
	uint32_t total = (uint32_t)bytes;

	memcpy(draft.at, &total, sizeof(total));
}

// Information that claims more than there is, or less than its own header, is refused.
TEST(multiboot_bad, total_size)
{
	draft_typical();
	for (size_t bytes = 0; bytes < draft.bytes; bytes++)
		REQUIRE_EQ(draft_parse_cut(bytes), -EINVAL);
	REQUIRE_EQ(draft_parse(), 0);
	for (size_t total = 0; total < 8; total++) {
		set_total(total);
		EXPECT_EQ(draft_parse(), -EINVAL);
	}
	set_total(0xffffffff);
	EXPECT_EQ(draft_parse(), -EINVAL);
	test_note("%zu lengths", draft.bytes);
}

// Information cut off at any byte, with a total size to match, lacks its end tag and is refused.
TEST(multiboot_bad, every_truncation)
{
	draft_typical();
	for (size_t bytes = 8; bytes < draft.bytes; bytes++) {
		set_total(bytes);
		REQUIRE_EQ(draft_parse_cut(bytes), -EINVAL);
		REQUIRE(parsed_reason != NULL);
	}
}

// A tag smaller than its header, or larger than what is left, is refused, whatever its type.
TEST(multiboot_bad, tag_sizes)
{
	static const uint32_t sizes[] = { 0, 1, 7, 0x7fffffff, 0xfffffff8, 0xffffffff };

	for (uint32_t type = 0; type < 24; type++)
		for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
			draft_begin();
			draft_put_simple_map();
			draft_put_tag(type, sizes[i] - 8);
			draft_put64(0);
			draft_end();
			REQUIRE_EQ(draft_parse(), -EINVAL);
		}
}

// A tag that is too small for what its type holds is refused; an unknown type is skipped.
TEST(multiboot_bad, small_payloads)
{
	static const struct {
		uint32_t type;
		size_t bytes_min;
	} known[] = { { 1, 0 },  { 2, 0 },  { 3, 8 },  { 4, 8 },   { 5, 0 },   { 6, 8 },
		      { 8, 0 },  { 9, 0 },  { 12, 0 }, { 14, 20 }, { 15, 36 }, { 17, 8 },
		      { 18, 0 }, { 20, 0 }, { 21, 0 }, { 99, 0 },  { ~0u, 0 } };
	static const char zeros[40];

	for (unsigned i = 0; i < ARRAY_SIZE(known); i++)
		for (size_t bytes = 0; bytes < known[i].bytes_min; bytes++) {
			draft_begin();
			draft_put_simple_map();
			draft_put_text(known[i].type, zeros, bytes);
			draft_end();
			REQUIRE_EQ(draft_parse(), -EINVAL);
		}
	for (unsigned i = 0; i < ARRAY_SIZE(known); i++) {
		draft_begin();
		draft_put_simple_map();
		if (known[i].type != 6 && known[i].type != 17)
			draft_put_text(known[i].type, zeros, known[i].bytes_min);
		draft_end();
		REQUIRE_EQ(draft_parse(), 0);
	}
}

/* The outcome of a map whose entries are said to be of this size, in a payload of that size. */
static int parse_map_of(uint32_t type, uint32_t entry_bytes, uint32_t payload_bytes)
{
	draft_begin();
	draft_put_simple_map();
	draft_put_tag(type, payload_bytes);
	draft_put32(entry_bytes);
	draft_put32(0);
	for (uint32_t i = 8; i < payload_bytes; i += 4)
		draft_put32(0);
	draft_end();
	return draft_parse();
}

// Map entries of no size, of odd or too small sizes, and half an entry at the end, are refused.
TEST(multiboot_bad, map_entry_sizes)
{
	static const struct {
		uint32_t type, entry_bytes_min;
	} maps[] = { { 6, 24 }, { 17, 40 } };

	for (unsigned i = 0; i < ARRAY_SIZE(maps); i++) {
		uint32_t min = maps[i].entry_bytes_min, type = maps[i].type;

		for (uint32_t bytes = 0; bytes < min + 16; bytes++)
			REQUIRE_EQ(parse_map_of(type, bytes, 8 + 4 * bytes),
				   bytes < min || bytes % 8 ? -EINVAL : 0);
		EXPECT_EQ(parse_map_of(type, min, 8), 0);
		EXPECT_EQ(parse_map_of(type, min, 8 + 2 * min - 4), -EINVAL);
		EXPECT_EQ(parse_map_of(type, 0xfffffff8, 8 + min), -EINVAL);
		EXPECT_EQ(parse_map_of(type, 0xffffffff, 8), -EINVAL);
	}
}

// More ranges than the map can keep is -ENOSPC, not a map with something missing.
TEST(multiboot_bad, too_many_ranges)
{
	draft_begin();
	draft_put_map(MEMMAP_MAX + 1, 24);
	for (unsigned i = 0; i <= MEMMAP_MAX; i++)
		draft_put_entry((2 + 2 * i) * MIB, MIB, 2);
	draft_end();
	EXPECT_EQ(draft_parse(), -ENOSPC);
	EXPECT(parsed_reason != NULL);
}

/* Whatever was read, what came of it can be relied on. */
static bool outcome_is_sane(int error)
{
	const struct memmap *map = &parsed.memmap;

	if (!parsed_reason || parsed.module_count > BOOT_MODULE_MAX)
		return false;
	if (error)
		return error == -EINVAL || error == -ENOENT || error == -ENOSPC;
	for (unsigned i = 0; i < parsed.module_count; i++) {
		const struct boot_module *m = &parsed.module[i];

		if (strnlen(m->name, sizeof(m->name)) == sizeof(m->name) ||
		    m->start.value >= m->end.value)
			return false;
	}
	for (unsigned i = 0; i + 1 < map->count; i++)
		if (map->range[i].end > map->range[i + 1].start)
			return false;
	return strnlen(parsed.cmdline, BOOT_CMDLINE_MAX) < BOOT_CMDLINE_MAX &&
	       memmap_find(map, PAGE_SIZE, PAGE_SIZE, 0, PAGE_SIZE).value == PA_NONE.value;
}

/* Damage a few bytes: any value, or one that a size or a type might really have. */
static void draft_damage(void)
{
	for (unsigned n = 1 + test_random() % 4; n; n--) {
		size_t at = 8 + test_random() % (draft.bytes - 8);
		uint64_t r = test_random();

		if (r % 2)
			at = ALIGN_DOWN(at, 4ul);
		draft.at[at] = (uint8_t)(r % 3 ? (r >> 8) % 48 : r >> 8);
	}
}

// Information with random damage has one of the defined outcomes.
TEST(multiboot_bad, random_damage)
{
	unsigned good_count = 0, round_count = 20000;

	for (unsigned i = 0; i < round_count; i++) {
		int error;

		draft_typical();
		draft_damage();
		error = draft_parse();
		good_count += !error;
		REQUIRE(outcome_is_sane(error));
	}
	EXPECT(good_count > round_count / 20);
	EXPECT(good_count < round_count);
	test_note("%u of %u accepted", good_count, round_count);
}
