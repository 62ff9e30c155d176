/*
 * The books of a family of spaces are looked at when its last space goes.
 */
#include <mm/kspace.h>
#include <tests/kernel/test.h>
#include <tests/kernel/touch.h>

/* A space of which only the description is left, as a failed ASSERT in space_destroy leaves it:
 * give it what it needs to be destroyed once more. */
static void revive(struct space *s)
{
	va_t last = s->root.last;

	EXPECT_EQ(pt_root_init(&s->root, &s->family->owner, arch_mmu.top_level, 0, last), 0);
	s->family->users = 1;
	list_init(&s->areas);
	notifier_init(&s->notifier);
	list_add_before(&space_list, &s->link);
	kspace_attach(s);
}

// A table that has not come back when the last space of a family goes is a bug, whatever its level.
TEST(family_books, a_lost_table_is_a_bug)
{
	static struct space *s;
	static unsigned level;
	static bool unnoticed;

	unnoticed = false;
	for (level = 0; level < PT_LEVEL_MAX; level++) {
		s = space_create();
		REQUIRE(s);
		s->family->owner.table_count[level]++;
		EXPECT_BUG(space_destroy(s); unnoticed = true);
		REQUIRE(!unnoticed);
		s->family->owner.table_count[level]--;
		revive(s);
		space_destroy(s);
	}
}

// As long as a relative is there nobody asks.
TEST(family_books, relatives_keep_tables)
{
	struct space *s = space_create(), *relative;

	REQUIRE(s);
	relative = space_create_related(s);
	REQUIRE(relative);
	EXPECT(relative->family == s->family);
	EXPECT_EQ(s->family->users, 2u);
	space_destroy(s);
	EXPECT_EQ(relative->family->users, 1u);
	EXPECT_EQ(relative->family->owner.table_count[arch_mmu.top_level], 1u);
	space_destroy(relative);
}
