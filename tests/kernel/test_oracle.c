/*
 * The oracle itself: a violation of each rule is planted, must be found as what it is, and where it
 * is, and must be gone when it is taken back. (Rule 7 is the test runner's: selftest.leaks_frame.)
 */
#include <mm/copy.h>
#include <mm/kspace.h>
#include <mm/share.h>
#include <tests/kernel/fork_as.h>
#include <tests/kernel/mirror_rig.h>
#include <tests/kernel/oracle.h>
#include <tests/kernel/oracle_report.h>
#include <tests/kernel/page_room.h>
#include <tests/kernel/test.h>

/* Two written pages of a new space, and a third that is not touched. */
static struct space *two_pages(void)
{
	struct space *s = room_create(3, 0);

	EXPECT(s && touch_write(s, ROOM_PAGE(0), 1) && touch_write(s, ROOM_PAGE(1), 2));
	touch_done();
	EXPECT_EQ(oracle_check(), 0u);
	return s;
}

static void close_room(struct space *s)
{
	touch_done();
	EXPECT_EQ(oracle_check(), 0u);
	space_destroy(s);
}

static ptp_t entry_of(struct space *s, va_t va, ptv_t *v)
{
	return pt_find(&s->root, va, v);
}

/* Is a violation of that rule, and of no other, found by both checks, the first at va? */
static void expect_rule(unsigned rule, va_t va)
{
	oracle_is_quiet = true;
	EXPECT(oracle_check() > 0);
	EXPECT_EQ(oracle_report.rule, rule);
	EXPECT_EQ(oracle_report.by_rule[rule], oracle_report.count);
	EXPECT_EQ(oracle_report.va, va);
	EXPECT(oracle_check_spaces() > 0);
	EXPECT_EQ(oracle_report.rule, rule);
	oracle_is_quiet = false;
}

// Rule 1: an edge that no entry makes, and an entry that makes none, are found.
TEST(oracle, rule_1_counts_edges)
{
	struct space *s = two_pages();
	struct frame *f;
	ptv_t v;

	entry_of(s, ROOM_PAGE(1), &v);
	f = pa_to_frame(ptv_pa(v));
	EXPECT_EQ(space_protect(s, ROOM_PAGE(1), ROOM_PAGE(2), PT_R), 0); /* or else rule 2, too */
	frame_get(f);
	expect_rule(1, 0);
	frame_put(f);
	f->edges--;
	expect_rule(1, 0);
	f->edges++;
	close_room(s);
}

// Rule 1: a frame with an owner but without an entry is leaked.
TEST(oracle, rule_1_finds_leaks)
{
	struct frame *f = frame_alloc(0, FRAME_DATA);

	REQUIRE(f);
	oracle_is_quiet = true;
	EXPECT_EQ(oracle_check(), 1u);
	oracle_is_quiet = false;
	EXPECT_EQ(oracle_report.rule, 1u);
	frame_put(f);
	EXPECT_EQ(oracle_check(), 0u);
}

// Rule 2: a page that two spaces have and one may write is found, where it is.
TEST(oracle, rule_2_watches_private_pages)
{
	struct space *s = two_pages(), *child;
	ptv_t v;
	ptp_t p;

	child = fork_eagerly(s);
	REQUIRE(child);
	p = entry_of(child, ROOM_PAGE(1), &v);
	ptp_exchange(p, ptv_leaf_change(v, 0, PT_W));
	expect_rule(2, ROOM_PAGE(1));
	EXPECT_EQ(oracle_report.last, ROOM_PAGE(2) - 1);
	ptp_exchange(p, v);
	space_destroy(child);
	close_room(s);
}

// Rule 2: W in an entry above a shared table is found.
TEST(oracle, rule_2_watches_shared_tables)
{
	struct space *s = two_pages(), *child;
	ptp_t p;
	ptv_t v;

	child = fork_sharing(s);
	REQUIRE(child);
	p = pt_top(&child->root, ROOM_START);
	v = ptp_get(p);
	ptp_exchange(p, ptv_make_table(ptv_pa(v), PT_RWX | PT_U, v.level));
	expect_rule(2, 0);
	ptp_exchange(p, v);
	space_destroy(child);
	close_room(s);
}

// Rule 3: a live count or a summary that does not fit its table is found.
TEST(oracle, rule_3_counts_entries)
{
	struct space *s = two_pages();
	struct pt_meta *meta;
	uint64_t summary;
	ptv_t v;

	meta = ptp_meta(entry_of(s, ROOM_PAGE(0), &v));
	summary = meta->summary;
	meta->live++;
	expect_rule(3, ROOM_START & ~pt_mask(1));
	meta->live--;
	meta->summary = 0;
	expect_rule(3, ROOM_START & ~pt_mask(1));
	meta->summary = summary;
	close_room(s);
}

#ifndef PTOLEMY_HOST
// Rule 4: a translation that the CPU goes on using after its entry has gone, or lost W, is found.
TEST(oracle, rule_4_asks_the_cpu)
{
	const va_t page[] = { ROOM_PAGE(0), ROOM_PAGE(1), ROOM_PAGE(2) };
	struct space *s = two_pages();
	ptv_t v;
	ptp_t p = entry_of(s, page[1], &v);

	EXPECT(touch_write(s, page[1], 3));
	EXPECT_EQ(oracle_check_tlb(s, page, ARRAY_SIZE(page)), 0u);
	oracle_is_quiet = true;
	v = ptp_exchange(p, ptv_make_none(0));
	EXPECT_EQ(oracle_check_tlb(s, page, ARRAY_SIZE(page)), 2u); /* it reads, and it writes */
	EXPECT(oracle_report.rule == 4 && oracle_report.va == page[1]);
	ptp_exchange(p, ptv_write_protect(v));
	EXPECT_EQ(oracle_check_tlb(s, page, ARRAY_SIZE(page)), 1u);
	oracle_is_quiet = false;
	ptp_exchange(p, v);
	close_room(s);
}
#endif

// Rule 5: a mirror that says what its space does not say any more is found, at that page.
TEST(oracle, rule_5_compares_mirrors)
{
	struct rig r;
	ptv_t v;
	ptp_t p;

	rig_open_written(&r, 4, 0);
	touch_done();
	EXPECT_EQ(mirror_fault(r.m, RIG_PAGE(0), RIG_PAGE(4), PT_R | PT_W), 0);
	EXPECT_EQ(oracle_check(), 0u);
	p = entry_of(r.space, RIG_PAGE(2), &v);
	ptp_exchange(p, ptv_write_protect(v));
	expect_rule(5, RIG_PAGE(2));
	EXPECT_EQ(oracle_report.last, RIG_PAGE(3) - 1);
	ptp_exchange(p, v);
	rig_close(&r);
}

// Rule 6: books of pages and of tables that differ from a recount are found.
TEST(oracle, rule_6_recounts_books)
{
	struct space *s = two_pages();

	room_area(s)->mapped[MAPPED_ANON]++;
	expect_rule(6, 0);
	room_area(s)->mapped[MAPPED_ANON]--;
	s->family->owner.table_count[1]++;
	expect_rule(6, 0);
	s->family->owner.table_count[1]--;
	close_room(s);
}

// The list of ranges is what was mapped, neighbours joined; the first difference is found to the
// page.
TEST(oracle, lists_are_ranges)
{
	static struct oracle_list before, after;
	struct space *s = two_pages();
	struct oracle_root root = oracle_root_of(s);
	va_t va, last;

	oracle_list_read(&before, &root);
	EXPECT(before.count >= 1 && before.count <= 2);
	EXPECT_EQ(before.range[0].va, ROOM_PAGE(0));
	EXPECT_EQ(before.range[before.count - 1].last, ROOM_PAGE(2) - 1);
	EXPECT_EQ(before.range[0].attr, PT_R | PT_W | PT_U);
	EXPECT(!oracle_list_differ(&before, &before, &va, &last));
	EXPECT_EQ(space_protect(s, ROOM_PAGE(1), ROOM_PAGE(2), PT_R), 0);
	oracle_list_read(&after, &root);
	EXPECT_EQ(after.count, 2u);
	EXPECT(oracle_list_differ(&before, &after, &va, &last));
	EXPECT_EQ(va, ROOM_PAGE(1));
	EXPECT_EQ(last, ROOM_PAGE(2) - 1);
	close_room(s);
}

// With oracle=always a fault ends in a look at its table and at all spaces; without, in none.
TEST(oracle, looks_at_every_release)
{
	struct space *s = two_pages();
	uint64_t before = oracle_release_count;
	bool was_on = oracle_is_always();

	oracle_set_always(true);
	EXPECT(touch_write(s, ROOM_PAGE(2), 3));
	oracle_set_always(false);
	EXPECT_LE(before + 2, oracle_release_count);
	before = oracle_release_count;
	EXPECT(touch_write(s, ROOM_PAGE(2), 4));
	EXPECT_EQ(oracle_release_count, before);
	oracle_set_always(was_on);
	close_room(s);
}

// A table whose count is wrong when its lock is released is found then: this test is to fail.
TEST_HIDDEN(selftest, oracle_always_finds_defect)
{
	struct space *s = two_pages();
	struct pt_meta *meta;
	ptv_t v;

	meta = ptp_meta(entry_of(s, ROOM_PAGE(0), &v));
	meta->live++;
	touch_write(s, ROOM_PAGE(2), 3);
	meta->live--;
	close_room(s);
}
