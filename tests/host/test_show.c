/*
 * Tables as text, to the letter.
 */
#include <lib/printk.h>
#include <lib/string.h>
#include <mm/kspace.h>
#include <mm/show.h>
#include <tests/kernel/page_room.h>
#include <tests/kernel/test.h>
#include <tests/kernel/touch.h>

#define VA 0x5080604000ull /* with indices that differ: 0, 0, 322, 3, 4 */

static char text[2048];
static size_t length;
static void (*console)(const char *text, size_t length);

static void keep(const char *what, size_t bytes)
{
	if (length + bytes < sizeof(text))
		memcpy(text + length, what, bytes);
	length += bytes;
}

static void keep_begin(void)
{
	memset(text, 0, sizeof(text));
	length = 0;
	console = printk_set_console(keep);
}

static void keep_end(void)
{
	printk_set_console(console);
}

/* The first line of what was printed that begins so goes on like that. */
static bool says(const char *begin, const char *rest)
{
	for (const char *line = text; line && *line;) {
		if (!strncmp(line, begin, strlen(begin)))
			return !strncmp(line + strlen(begin), rest, strlen(rest));
		line = strchr(line, '\n');
		line = line ? line + 1 : NULL;
	}
	return false;
}

static struct space *space_with_page(void)
{
	struct area_spec spec = {
		VA, VA + 3 * PAGE_SIZE, AREA_ANON, 0, PT_R | PT_W, NULL, 0, PA(0)
	};
	struct space *s = space_create();

	EXPECT_EQ(space_add_area(s, &spec), 0);
	EXPECT(touch_write(s, VA, 1));
	touch_done();
	return s;
}

// A walk is shown a level a line, each with its index and what it holds, and what it comes to.
TEST(show, walk)
{
	struct space *s = space_with_page();
	char expected[64];

	keep_begin();
	show_walk(&s->root, VA + 8);
	keep_end();
	EXPECT(says("walk of ", "0x0000005080604008, top table at pa "));
	EXPECT(says("  level 4 [  0] ", "0x") && says("  level 3 [  0] ", "0x"));
	EXPECT(says("  level 2 [322] ", "0x") && says("  level 1 [  3] ", "0x"));
	EXPECT(says("  level 0 [  4] ", "0x"));
	ksnprintf(expected, sizeof(expected), "%#lx, effective rw-u A D\n",
		  pt_translate(&s->root, VA + 8).pa.value);
	EXPECT(says("  => pa ", expected));
	keep_begin();
	show_walk(&s->root, VA + PAGE_SIZE);
	keep_end();
	EXPECT(says("  level 0 [  5] ", "0x0000000000000000 none \n"));
	EXPECT(says("  => ", "not mapped\n"));
	keep_begin();
	show_walk(&s->root, DYNAMIC_BASE);
	keep_end();
	EXPECT(says("  this root ", "does not translate it\n"));
	space_destroy(s);
}

// The walk of what is loaded chooses its half by the address.
TEST(show, current_walk)
{
	struct space *s = space_with_page();

	space_switch(s);
	keep_begin();
	show_current_walk(VA);
	keep_end();
	EXPECT(says("  => pa ", "0x"));
	keep_begin();
	show_current_walk(DYNAMIC_BASE);
	keep_end();
	space_switch(NULL);
	EXPECT(says("  => ", "not mapped\n"));
	EXPECT(!says("  this root ", ""));
	space_destroy(s);
}

// Attributes have a letter or a word each.
TEST(show, attributes)
{
	char buf[32];

	EXPECT(!strcmp(show_attr(0, buf), "----"));
	EXPECT(!strcmp(show_attr(PT_R | PT_X, buf), "r-x-"));
	EXPECT(!strcmp(show_attr(PT_W | PT_U, buf), "-w-u"));
	EXPECT(!strcmp(show_attr(PT_RWX | PT_GLOBAL | PT_YOUNG | PT_DIRTY, buf),
		       "rwx- global A D"));
	EXPECT(!strcmp(show_attr(PT_UC | PT_DEVMAP | PT_MARK, buf), "---- uc dev mark"));
}

// A range is shown by spans: leaves, soft entries, and how long each is.
TEST(show, dump)
{
	struct space *s = space_with_page();
	ptv_t v;
	ptp_t p = pt_find(&s->root, VA + PAGE_SIZE, &v);

	ptp_change(p, ptv_make_soft(0x77, 0));
	keep_begin();
	EXPECT_EQ(show_dump(&s->root, VA, VA + 3 * PAGE_SIZE), 2u);
	keep_end();
	EXPECT(says("0x0000005080604000-0x0000005080604fff ", "          4 KiB level 0 pa 0x"));
	EXPECT(says("0x0000005080605000-0x0000005080605fff ",
		    "          4 KiB level 0 soft 0x77\n"));
	keep_begin();
	EXPECT_EQ(show_dump(&s->root, VA + 1, VA + 3 * PAGE_SIZE), 0u);
	keep_end();
	EXPECT_EQ(length, 0u);
	ptp_change(p, ptv_make_none(0));
	space_destroy(s);
}
