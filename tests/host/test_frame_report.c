/*
 * What the allocator says of a broken rule: which one, of which frame, and the first if there are
 * several. That it says anything at all, tests/kernel/test_frame_bug.c asks.
 */
#include <lib/printk.h>
#include <lib/string.h>
#include <mm/frame_internal.h>
#include <tests/host/host.h>
#include <tests/kernel/test.h>

static char said[1024];
static size_t length;

static void keep(const char *text, size_t bytes)
{
	for (size_t i = 0; i < bytes && length < sizeof(said) - 1; i++)
		said[length++] = text[i];
	said[length] = '\0';
}

static bool contains(const char *text, const char *part)
{
	for (; *text; text++)
		if (!strncmp(text, part, strlen(part)))
			return true;
	return false;
}

/* Run the statement, which reports a bug, and keep what is printed. */
#define EXPECT_REPORT(statement)                     \
	do {                                         \
		static printk_write_t console_;      \
		length = 0;                          \
		console_ = printk_set_console(keep); \
		EXPECT_BUG(statement);               \
		printk_set_console(console_);        \
	} while (0)

/* Is it about this frame, and does it have this to say of it? */
static bool tells(const struct frame *f, const char *what)
{
	char line[200];

	ksnprintf(line, sizeof(line), "frame %#lx: %s", frame_to_pa(f).value, what);
	return contains(said, line);
}

/* Write to memory that is not ours, unseen by AddressSanitizer: that is what is being tested. */
__attribute__((no_sanitize("address"))) static void stray_write(struct frame *f, size_t word,
								uint64_t value)
{
	*((volatile uint64_t *)pa_to_ptr(frame_to_pa(f)) + word) = value;
}

// The report of a misused frame names its kind, its order, its edges, and who had it last.
TEST(frame_report, what_is_known_of_a_frame)
{
	struct frame *table = frame_alloc(0, FRAME_TABLE), *f = frame_alloc(2, FRAME_KERNEL);
	int line = __LINE__ - 1;
	char site[120];

	REQUIRE(f && table);
	ksnprintf(site, sizeof(site), "kernel, order 2, 2 edges, last handed out or freed at %s:%d",
		  __FILE__, line);
	frame_get(f);
	EXPECT_REPORT(frame_free(f));
	EXPECT(tells(f, site));
	EXPECT(contains(test_bug_text(), "frame_free: the block has other edges"));
	frame_put(f);
	EXPECT_REPORT(frame_get(f + 1));
	EXPECT(tells(f + 1, "tail, order "));
	EXPECT(contains(test_bug_text(), "frame_get: the block is not in use"));
	frame_free(f);
	EXPECT_REPORT(frame_put(f));
	EXPECT(tells(f, "free, order "));
	EXPECT(contains(test_bug_text(), "frame_put: the block is not in use"));
	EXPECT_REPORT(frame_free(f));
	EXPECT(contains(test_bug_text(), "frame_free: the block is not in use"));
	table->edges = 3;
	EXPECT_REPORT(frame_free(table));
	EXPECT(tells(table, "table, order 0, 3 edges"));
	table->edges = 1;
	frame_free(table);
	EXPECT_REPORT(frame_get(&frame_array[0]));
	EXPECT(tells(&frame_array[0], "reserved, order 0, 0 edges"));
	EXPECT(contains(said, " at boot:0"));
}

// The parts of a block that has been taken apart are known to be who had the block.
TEST(frame_report, of_a_part)
{
	struct frame *f = frame_alloc(2, FRAME_DATA);
	int line = __LINE__ - 1;
	char site[120];

	REQUIRE(f);
	ksnprintf(site, sizeof(site), "data, order 1, 2 edges, last handed out or freed at %s:%d",
		  __FILE__, line);
	frame_explode(f, 1);
	for (unsigned i = 0; i < 4; i += 2) {
		frame_get(f + i);
		EXPECT_REPORT(frame_free(f + i));
		EXPECT(tells(f + i, site));
		frame_put(f + i);
		frame_free(f + i);
	}
}

// A frame of a kind that there is not is reported as such.
TEST(frame_report, of_no_known_kind)
{
	struct frame *f = frame_alloc(0, FRAME_DATA);

	REQUIRE(f);
	frame_get(f);
	f->kind = FRAME_KIND_COUNT;
	EXPECT_REPORT(frame_free(f));
	EXPECT(tells(f, "?, order 0, 2 edges"));
	f->kind = FRAME_DATA;
	frame_put(f);
	frame_free(f);
}

// A write to free memory is reported with its place, its value, and who freed the block.
TEST(frame_report, of_a_stray_write)
{
	struct frame *f = frame_alloc(1, FRAME_DATA);
	char line[200];

	REQUIRE(f);
	frame_free(f);
	ksnprintf(line, sizeof(line), "offset 0x18 holds 0x77 although free since %s:%d\n",
		  __FILE__, __LINE__ - 2);
	stray_write(f + 1, 3, 0x77);
	EXPECT_REPORT(frame_check());
	EXPECT(tells(f + 1, line));
	stray_write(f + 1, 3, FRAME_POISON);
	frame_check();
}

/* Damage this place, and see that frame_check says this of that frame. */
#define EXPECT_FOUND(place, wrong, frame, what)          \
	do {                                             \
		__typeof__(place) *where_ = &(place);    \
		static uint64_t saved_;                  \
		saved_ = *where_;                        \
		*where_ = (wrong);                       \
		EXPECT_REPORT(frame_check());            \
		*where_ = (__typeof__(place))saved_;     \
		EXPECT(contains(test_bug_text(), what)); \
		EXPECT(tells(frame, ""));                \
	} while (0)

// Of a damaged block the check says what is wrong with it, and not what else follows from that.
TEST(frame_report, the_first_violation_of_a_block)
{
	struct frame *f = frame_alloc(3, FRAME_DATA), *none = &frame_array[0];

	REQUIRE(f);
	EXPECT_FOUND(f->edges, 0, f, "a block in use has no edge, or is locked");
	EXPECT_FOUND(f->edges, FRAME_LOCKED | 1, f, "a block in use has no edge, or is locked");
	EXPECT_FOUND(f->order, FRAME_ORDER_MAX + 1, f, "a frame has no legal kind or order");
	EXPECT_FOUND(f->kind, FRAME_KIND_COUNT, f, "a frame has no legal kind or order");
	EXPECT_FOUND(f->kind, FRAME_TAIL, f, "a tail belongs to no block");
	EXPECT_FOUND(f->order, 2, f + 4, "a tail belongs to no block");
	EXPECT_FOUND(f[3].kind, FRAME_DATA, f + 3, "a frame inside a block is not a tail");
	EXPECT_FOUND(f[7].edges, 1, f + 7, "a frame inside a block is not a tail");
	EXPECT_FOUND(none->edges, 1, none, "a reserved frame has edges");
	EXPECT_FOUND(buddy.free_count, 0, none, "the count of free frames is wrong");
	EXPECT_FOUND(buddy.total_count, 0, none, "frames were lost or invented");
	f->edges = 0;
	f[7].edges = 1; /* behind it */
	EXPECT_REPORT(frame_check());
	EXPECT(tells(f, "") && contains(test_bug_text(), "a block in use has no edge"));
	f->edges = 1;
	f[7].edges = 0;
	frame_check();
	frame_free(f);
}

// Free blocks side by side, out of place or out of their list are told apart.
TEST(frame_report, the_first_violation_of_a_free_block)
{
	struct frame *f = frame_alloc(1, FRAME_DATA), *first;
	const struct frame saved[2] = { f[0], f[1] };
	unsigned order;

	REQUIRE(f);
	f[0].order = 0;
	f[1] = f[0];
	f[1].order = 1;
	EXPECT_REPORT(frame_check());
	EXPECT(tells(f + 1, "") && contains(test_bug_text(), "a block is not aligned"));
	f[1].order = 0;
	f[0].kind = f[1].kind = FRAME_FREE;
	f[0].edges = f[1].edges = 0;
	EXPECT_REPORT(frame_check());
	EXPECT(tells(f, "") && contains(test_bug_text(), "two free buddies were not merged"));
	f[0] = saved[0];
	f[1] = saved[1];
	frame_free(f);
	order = (unsigned)__builtin_ctz(buddy.nonempty);
	first = &frame_array[buddy.first[order]];
	EXPECT_FOUND(first->edges, 1, first, "a free block has edges");
	EXPECT_FOUND(first->order, FRAME_ORDER_MAX + 1, first, "a free block has no legal order");
	EXPECT_FOUND(first->free.prev, 1, first, "a list's links disagree");
	EXPECT_FOUND(buddy.nonempty, 0, first, "the mask of orders is wrong");
	EXPECT_FOUND(buddy.first[order], frame_pfn(first) + 1, first + 1, "a list holds what is");
	frame_check();
}

// A list that misses a block is found, and so is one that leads elsewhere.
TEST(frame_report, the_first_violation_of_a_list)
{
	struct frame *f[4], *first, *none = &frame_array[0];

	for (unsigned i = 0; i < ARRAY_SIZE(f); i++)
		REQUIRE((f[i] = frame_alloc(3, FRAME_DATA)));
	frame_free(f[0]);
	frame_free(f[2]);
	first = &frame_array[buddy.first[3]];
	if (EXPECT(first == f[2] && first->free.next)) {
		EXPECT_FOUND(first->free.next, 0, none, "a free block is on no list");
		EXPECT_FOUND(first->free.next, (uint32_t)frame_limit, first,
			     "a list leads out of memory");
		EXPECT_FOUND(first->free.next, frame_pfn(f[1]), f[1], "a list holds what is not");
	}
	frame_check();
	frame_free(f[1]);
	frame_free(f[3]);
}

// Frames that wait in a cache are checked as well.
TEST(frame_report, the_first_violation_of_a_cache)
{
	struct frame_cache *own = &frame_cache[cpu_index()];
	struct frame *hot = frame_alloc(0, FRAME_DATA), *none = &frame_array[0];

	REQUIRE(hot);
	frame_free(hot);
	EXPECT_FOUND(hot->edges, 1, hot, "a free block has edges");
	EXPECT_FOUND(own->pfn[own->count - 1], 0, none, "a hot frame is not free");
	own->pfn[own->count] = own->pfn[0];
	own->count++;
	buddy.free_count--; /* so that the sum is right */
	EXPECT_REPORT(frame_check());
	own->count--;
	buddy.free_count++;
	EXPECT(tells(none, "") && contains(test_bug_text(), "hot frames were lost or doubled"));
	frame_check();
}

// A block that reaches behind the end of memory is out of place, though it is aligned.
TEST(frame_report, the_end_of_memory)
{
	static const struct host_bank bank[] = { { 1ull << 20, (15ull << 20) + PAGE_SIZE } };
	struct frame *last, saved;

	REQUIRE_EQ(host_boot(bank, ARRAY_SIZE(bank)), 0);
	last = &frame_array[frame_limit - 1];
	saved = *last;
	EXPECT_EQ(frame_pfn(last) % 2, 0);
	frame_check();
	last->kind = FRAME_DATA;
	last->edges = 1;
	last->order = 1;
	EXPECT_REPORT(frame_check());
	EXPECT(tells(last, "data, order 1") && contains(test_bug_text(), "a block is not aligned"));
	*last = saved;
	last[1].kind = FRAME_FREE; /* in the array's last page, but no frame: nobody's buddy */
	last[1].order = 0;
	frame_check();
	host_boot_default();
}
