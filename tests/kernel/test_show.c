/*
 * Tables as text: what the monitor's `pt` and a report of a fault print.
 */
#include <lib/printk.h>
#include <lib/string.h>
#include <mm/kspace.h>
#include <mm/reclaim.h>
#include <mm/show.h>
#include <mm/show_attr.h>
#include <tests/kernel/page_room.h>
#include <tests/kernel/test.h>

static char shown[2048];
static size_t shown_length;

static void keep(const char *text, size_t length)
{
	for (size_t i = 0; i < length && shown_length + 1 < sizeof(shown); i++)
		shown[shown_length++] = text[i];
	shown[shown_length] = '\0';
}

/* What `statement` prints, in `shown`. */
#define SHOWN(statement)                                           \
	do {                                                       \
		uint64_t flags_ = printk_begin();                  \
		printk_write_t before_ = printk_set_console(keep); \
		shown_length = 0;                                  \
		shown[0] = '\0';                                   \
		statement;                                         \
		printk_set_console(before_);                       \
		printk_end(flags_);                                \
	} while (0)

/* How often `word` is in what was shown. */
static unsigned count_of(const char *word)
{
	unsigned count = 0;

	for (const char *at = shown; *at; at++)
		count += !strncmp(at, word, strlen(word));
	return count;
}

// Attributes read as rights, then names.
TEST(show, attributes)
{
	char buf[32];

	EXPECT(!strcmp(show_attr(0, buf), "----"));
	EXPECT(!strcmp(show_attr(PT_R | PT_X, buf), "r-x-"));
	EXPECT(!strcmp(show_attr(PT_RWX | PT_U | PT_UC | PT_YOUNG | PT_DIRTY, buf), "rwxu uc A D"));
	EXPECT(!strcmp(show_attr(PT_R | PT_GLOBAL | PT_DEVMAP | PT_MARK, buf),
		       "r--- global dev mark"));
}

// A walk is a line a level, and what it comes to: for a page, for a hole, for a page that is out,
// and for an address that is not the root's.
TEST(show, walk)
{
	struct space *s = room_create_filled(4, 2);
	const struct pt_root *root = &s->root;
	unsigned levels = root->top.level + 1;

	EXPECT_EQ(space_swap_out(s, ROOM_PAGE(1)), 0);
	SHOWN(show_walk(root, ROOM_PAGE(0)));
	EXPECT_EQ(count_of("  level "), levels);
	EXPECT_EQ(count_of(" table pa "), levels - 1);
	EXPECT_EQ(count_of(" leaf  pa "), 1u);
	EXPECT_EQ(count_of("effective rw-u"), 1u);
	SHOWN(show_walk(root, ROOM_PAGE(1)));
	EXPECT_EQ(count_of(" soft  data "), 1u);
	EXPECT_EQ(count_of("=> not mapped"), 1u);
	SHOWN(show_walk(root, ROOM_PAGE(100)));
	EXPECT_EQ(count_of(" none "), 1u);
	EXPECT_EQ(count_of("=> not mapped"), 1u);
	SHOWN(show_walk(root, kernel_space.root.first));
	EXPECT_EQ(count_of("does not translate"), 1u);
	EXPECT_EQ(count_of("  level "), 0u);
	room_close_filled(s);
}

// The walk of the loaded tables takes the half that the address lies in.
TEST(show, current_walk)
{
	struct space *s = room_create_filled(1, 1);
	va_t va = kspace_alloc(PAGE_SIZE);

	REQUIRE(s && va);
	space_switch(s);
	SHOWN(show_current_walk(ROOM_START));
	EXPECT_EQ(count_of("effective rw-u"), 1u);
	SHOWN(show_current_walk(va));
	EXPECT_EQ(count_of("effective rw--"), 1u);
	space_switch(NULL);
	kspace_free(va);
	room_close_filled(s);
}

// A dump has a line for each range that is alike, and says how many; a bad entry is one.
TEST(show, dump)
{
	struct space *s = room_create_filled(3, 2);
	ptv_t v;
	ptp_t p = pt_find(&s->root, ROOM_PAGE(2), &v);
	unsigned spans = 0;

	EXPECT_EQ(space_swap_out(s, ROOM_PAGE(1)), 0);
	SHOWN(spans = show_dump(&s->root, ROOM_START, ROOM_PAGE(8)));
	EXPECT_EQ(spans, 3u);
	EXPECT_EQ(count_of("\n"), 3u);
	EXPECT_EQ(count_of(" soft "), 1u);
	EXPECT_EQ(count_of(" rw-u"), 2u);
	ptp_change(p, ptv_make_leaf(PA(pt_pa_limit()), PT_R, 0));
	SHOWN(spans = show_dump(&s->root, ROOM_START, ROOM_PAGE(8)));
	EXPECT_EQ(count_of("bad\n"), 1u);
	ptp_change(p, v);
	SHOWN(spans = show_dump(&s->root, ROOM_START, kernel_space.root.first));
	EXPECT_EQ(spans, 0u); /* reaches beyond the root */
	room_close_filled(s);
}
