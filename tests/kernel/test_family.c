/*
 * Random operations on a family of spaces against a model, with both fork strategies: what each
 * space can read, write and not touch, on the MMU, and the oracle in between.
 *
 * The model knows nothing of tables. Its universe is a line of places, page - gap - page - ..., at
 * distances that put borders of every level between them; for each place of each space it keeps
 * whether it is mapped, with which right, and which cell holds its value. A fork copies private
 * cells and shares the others.
 */
#include <lib/string.h>
#include <mm/copy.h>
#include <mm/share.h>
#include <tests/kernel/oracle.h>
#include <tests/kernel/test.h>
#include <tests/kernel/touch.h>

#define SPACES 5
#define PAGES_IN_MODEL 12
#define PLACES (2 * PAGES_IN_MODEL - 1)
#define CELLS 4096

static const uint64_t page_number[PAGES_IN_MODEL] = {
	0x10,    0x11,    0x1ff,   0x200,   0x201,       0x3ff,
	0x20000, 0x3ffff, 0x40000, 0x40200, 0x7fffffful, 0x8000000ul,
};

struct place {
	bool mapped, inherited, shared;
	pt_attr_t rights;
	unsigned cell;
};

struct member {
	struct space *space; /* NULL: free */
	struct place place[PLACES];
};

static struct member member[SPACES];
static uint64_t cell[CELLS];
static unsigned cell_count;

static va_t place_va(unsigned place)
{
	return (page_number[place / 2] + (place & 1)) * PAGE_SIZE;
}

static unsigned cell_new(uint64_t value)
{
	ASSERT(cell_count < CELLS);
	cell[cell_count] = value;
	return cell_count++;
}

/* The gap place behind a page that has a neighbour right behind it is empty. */
static bool place_is_empty(unsigned place)
{
	return (place & 1) && page_number[place / 2] + 1 == page_number[place / 2 + 1];
}

static bool range_is(const struct member *m, unsigned from, unsigned to, bool mapped)
{
	for (unsigned i = from; i <= to; i++) {
		if (!place_is_empty(i) && m->place[i].mapped != mapped)
			return false;
	}
	return true;
}

static void do_add(struct member *m, unsigned from, unsigned to)
{
	static const unsigned flags[] = { 0, 0, 0, AREA_HUGE, AREA_SHARED, AREA_NOFORK };
	unsigned f = flags[test_random() % ARRAY_SIZE(flags)];
	struct area_spec spec = {
		place_va(from), place_va(to) + PAGE_SIZE, AREA_ANON, f, PT_R | PT_W, NULL, 0, PA(0)
	};

	if (f == AREA_SHARED && spec.end - spec.start > (4ull << 20))
		return; /* an object's page array */
	EXPECT_EQ(space_add_area(m->space, &spec), range_is(m, from, to, false) ? 0 : -EEXIST);
	if (!range_is(m, from, to, false))
		return;
	for (unsigned i = from; i <= to; i++)
		m->place[i] = (struct place){ true, f != AREA_NOFORK, f == AREA_SHARED, PT_R | PT_W,
					      i & 1 ? 0 : cell_new(0) };
}

static void do_unmap(struct member *m, unsigned from, unsigned to)
{
	EXPECT_EQ(space_unmap(m->space, place_va(from), place_va(to) + PAGE_SIZE), 0);
	for (unsigned i = from; i <= to; i++)
		m->place[i].mapped = false;
}

static void do_protect(struct member *m, unsigned from, unsigned to)
{
	static const pt_attr_t rights[] = { 0, PT_R, PT_R | PT_W, PT_R | PT_W };
	pt_attr_t want = rights[test_random() % ARRAY_SIZE(rights)];
	bool full = range_is(m, from, to, true);

	EXPECT_EQ(space_protect(m->space, place_va(from), place_va(to) + PAGE_SIZE, want),
		  full ? 0 : -ENOENT);
	for (unsigned i = from; full && i <= to; i++)
		m->place[i].rights = want;
}

static void do_write(struct member *m, unsigned place, uint64_t value)
{
	bool allowed = m->place[place].mapped && (m->place[place].rights & PT_W);

	EXPECT_EQ(touch_write(m->space, place_va(place), value), allowed);
	if (allowed)
		cell[m->place[place].cell] = value;
}

static void do_read(struct member *m, unsigned place)
{
	bool allowed = m->place[place].mapped && (m->place[place].rights & PT_R);
	uint64_t value;

	EXPECT_EQ(touch_read(m->space, place_va(place), &value), allowed);
	if (allowed)
		EXPECT_EQ(value, cell[m->place[place].cell]);
}

static void do_fork(struct member *m)
{
	struct member *child = member;

	while (child < member + SPACES && child->space)
		child++;
	if (child == member + SPACES)
		return;
	fork_shares_tables = test_random() & 1;
	child->space = space_fork(m->space);
	if (!EXPECT(child->space))
		return;
	memcpy(child->place, m->place, sizeof(child->place));
	for (unsigned i = 0; i < PLACES; i++) {
		struct place *p = &child->place[i];

		p->mapped &= p->inherited;
		if (p->mapped && !p->shared && !(i & 1))
			p->cell = cell_new(cell[p->cell]);
	}
}

static void do_exit(struct member *m)
{
	touch_done();
	space_destroy(m->space);
	m->space = NULL;
	memset(m->place, 0, sizeof(m->place));
}

/* Cells are never reused; when they run low every space ends and a new first one begins. */
static void begin(void)
{
	for (unsigned i = 0; i < SPACES; i++) {
		if (member[i].space)
			do_exit(&member[i]);
	}
	cell_count = 0;
	member[0].space = space_create();
}

static void step(uint64_t value)
{
	struct member *m = &member[test_random() % SPACES];
	unsigned from = 2 * (test_random() % PAGES_IN_MODEL);
	unsigned to = from + 2 * (test_random() % 4);
	unsigned dice = test_random() % 100;

	if (to >= PLACES)
		to = PLACES - 1;
	if (!m->space)
		return;
	if (dice < 40)
		do_write(m, from, value);
	else if (dice < 65)
		do_read(m, from);
	else if (dice < 78)
		do_add(m, from, to);
	else if (dice < 85)
		do_unmap(m, from, to);
	else if (dice < 90)
		do_protect(m, from, to);
	else if (dice < 97)
		do_fork(m);
	else if (m != &member[0] || member[1].space)
		do_exit(m);
	if (!member[0].space && !member[1].space)
		begin();
}

// After any sequence of add, write, read, fork (either way), unmap, protect and exit every space
// sees its own.
TEST(family, random_operations_agree_with_a_model)
{
	bool shares = fork_shares_tables;
	const unsigned steps = 20000;
	struct share_stats before = share_stats;

	begin();
	for (unsigned i = 0; i < steps; i++) {
		if (cell_count > CELLS - 2 * PLACES)
			begin();
		step(i + 1);
		if (i % 64 == 0 && !EXPECT_EQ(oracle_check(), 0u))
			break;
	}
	begin();
	do_exit(&member[0]);
	fork_shares_tables = shares;
	test_note("%u steps; tables: %lu shared, %lu copied, %lu taken back, %lu dropped", steps,
		  share_stats.shared - before.shared, share_stats.copied - before.copied,
		  share_stats.reused - before.reused, share_stats.dropped - before.dropped);
}
