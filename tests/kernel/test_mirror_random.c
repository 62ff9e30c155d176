/*
 * Random work on a family of spaces, each with two devices that follow it, against a model that
 * knows nothing of tables: for every page of every space its rights and its value. Every access
 * of CPU and device is foretold by the model, refusals included.
 */
#include <mm/copy.h>
#include <mm/reclaim.h>
#include <mm/swap.h>
#include <tests/kernel/mirror_rig.h>
#include <tests/kernel/oracle.h>
#include <tests/kernel/test.h>

#define PRIVATE_PAGES 24
#define SHARED_PAGES 8
#define MODEL_PAGES (PRIVATE_PAGES + SHARED_PAGES)
#define FAMILY_MAX 4
#define DEVICES 2
#define STEPS 10000
#define ORACLE_EVERY 100

struct model_page {
	bool mapped;
	pt_attr_t rights;
	uint64_t value; /* private pages */
};

struct member {
	struct rig rig[DEVICES]; /* the second one sets young and dirty bits */
	struct space *space;     /* NULL: nobody here */
	struct model_page page[MODEL_PAGES];
};

static struct household {
	struct member member[FAMILY_MAX];
	uint64_t shared[SHARED_PAGES];
	unsigned accesses, refused, invalidating, forks, swapped;
} household;

static uint64_t *model_value(struct member *m, unsigned page)
{
	return page < PRIVATE_PAGES ? &m->page[page].value
				    : &household.shared[page - PRIVATE_PAGES];
}

static void member_attach(struct member *m, struct space *s)
{
	m->space = s;
	for (unsigned i = 0; i < DEVICES; i++)
		rig_attach(&m->rig[i], s, i == 1);
}

static void member_leave(struct member *m)
{
	touch_done();
	for (unsigned i = 0; i < DEVICES; i++)
		rig_detach(&m->rig[i]);
	space_destroy(m->space);
	m->space = NULL;
}

static unsigned family_count(void)
{
	unsigned count = 0;

	for (unsigned i = 0; i < FAMILY_MAX; i++)
		count += household.member[i].space != NULL;
	return count;
}

/* ---- Steps. ---- */

static void step_access(struct member *m)
{
	unsigned page = test_random() % MODEL_PAGES, who = test_random() % (DEVICES + 1);
	bool write = test_random() % 2, ok;
	const struct model_page *p = &m->page[page];
	bool expected = p->mapped && (p->rights & (write ? PT_W : PT_R));
	uint64_t value = write ? test_random() : 0;

	if (who == DEVICES)
		ok = write ? touch_write(m->space, RIG_PAGE(page), value)
			   : touch_read(m->space, RIG_PAGE(page), &value);
	else
		ok = !(write ? soft_device_write(&m->rig[who].dev, RIG_PAGE(page), value)
			     : soft_device_read(&m->rig[who].dev, RIG_PAGE(page), &value));
	EXPECT_EQ(ok, expected);
	if (write && ok)
		*model_value(m, page) = value;
	else if (ok)
		EXPECT_EQ(value, *model_value(m, page));
	household.accesses++;
	household.refused += !ok;
}

/* A range of pages, within the private or the shared part. */
static void random_range(unsigned *first, unsigned *count)
{
	unsigned base = test_random() % 4 ? 0 : PRIVATE_PAGES;
	unsigned size = base ? SHARED_PAGES : PRIVATE_PAGES;

	*first = base + test_random() % size;
	*count = 1 + test_random() % 6;
	if (*first + *count > base + size)
		*count = base + size - *first;
}

static void step_unmap(struct member *m)
{
	unsigned first, count;

	random_range(&first, &count);
	EXPECT_EQ(space_unmap(m->space, RIG_PAGE(first), RIG_PAGE(first + count)), 0);
	for (unsigned i = first; i < first + count; i++)
		m->page[i] = (struct model_page){ .mapped = false };
	household.invalidating++;
}

static void step_map(struct member *m)
{
	unsigned first = test_random() % PRIVATE_PAGES, end = first;

	for (; end < PRIVATE_PAGES && end < first + 6 && !m->page[end].mapped; end++)
		m->page[end] = (struct model_page){ true, RW, 0 };
	if (end > first)
		rig_add_area(m->space, RIG_PAGE(first), end - first, 0);
}

static void step_protect(struct member *m)
{
	static const pt_attr_t choice[] = { RW, PT_R, 0 };
	pt_attr_t rights = choice[test_random() % 3];
	bool full = true;
	unsigned first, count;

	random_range(&first, &count);
	for (unsigned i = first; i < first + count; i++)
		full &= m->page[i].mapped;
	EXPECT_EQ(space_protect(m->space, RIG_PAGE(first), RIG_PAGE(first + count), rights),
		  full ? 0 : -ENOENT);
	for (unsigned i = first; full && i < first + count; i++)
		m->page[i].rights = rights;
	household.invalidating += full;
}

static void step_fork(struct member *m)
{
	struct member *child = household.member;
	struct space *s;

	while (child < &household.member[FAMILY_MAX] && child->space)
		child++;
	if (child == &household.member[FAMILY_MAX])
		return;
	s = space_fork(m->space);
	if (!EXPECT(s))
		return;
	for (unsigned i = 0; i < MODEL_PAGES; i++)
		child->page[i] = m->page[i];
	member_attach(child, s);
	household.forks++;
}

static void step_swap(struct member *m)
{
	household.swapped += !space_swap_out(m->space, RIG_PAGE(test_random() % PRIVATE_PAGES));
}

static void step_device(struct member *m)
{
	struct rig *r = &m->rig[test_random() % DEVICES];
	unsigned first, count;

	random_range(&first, &count);
	switch (test_random() % 3) {
	case 0:
		EXPECT_EQ(mirror_snapshot(r->m, RIG_BASE, RIG_PAGE(MODEL_PAGES)), 0);
		break;
	case 1:
		EXPECT_EQ(mirror_harvest(r->m, RIG_PAGE(first), RIG_PAGE(first + count)), 0);
		break;
	default:
		notifier_test_young(&m->space->notifier, RIG_PAGE(first), RIG_PAGE(first + count),
				    true);
	}
}

static void step(struct member *m)
{
	unsigned die = test_random() % 100;

	if (die < 70)
		step_access(m);
	else if (die < 75)
		step_unmap(m);
	else if (die < 82)
		step_map(m);
	else if (die < 87)
		step_protect(m);
	else if (die < 90)
		step_fork(m);
	else if (die < 94)
		step_swap(m);
	else if (die < 98 || family_count() == 1)
		step_device(m);
	else
		member_leave(m);
}

static void family_begin(void)
{
	struct member *m = &household.member[0];
	struct space *s = space_create();

	household = (struct household){ .accesses = 0 };
	rig_add_area(s, RIG_BASE, PRIVATE_PAGES, 0);
	rig_add_area(s, RIG_PAGE(PRIVATE_PAGES), SHARED_PAGES, AREA_SHARED);
	for (unsigned i = 0; i < MODEL_PAGES; i++)
		m->page[i] = (struct model_page){ true, RW, 0 };
	member_attach(m, s);
}

// Whatever a family of spaces does, CPU and devices see of every page what the model foretells.
TEST(mirror_random, against_a_model)
{
	bool swap = swap_init(256) == 0;

	family_begin();
	for (unsigned i = 0; i < STEPS; i++) {
		struct member *m = &household.member[test_random() % FAMILY_MAX];

		if (m->space)
			step(m);
		if (i % ORACLE_EVERY == 0) {
			touch_done();
			REQUIRE_EQ(oracle_check(), 0u);
		}
	}
	test_note("%u accesses, %u refused, %u unmapped or protected, %u forks, %u swapped out",
		  household.accesses, household.refused, household.invalidating, household.forks,
		  household.swapped);
	EXPECT(household.forks > 5 && household.invalidating > 50 && household.refused > 100);
	EXPECT(household.swapped > 5);
	for (unsigned i = 0; i < FAMILY_MAX; i++)
		if (household.member[i].space)
			member_leave(&household.member[i]);
	EXPECT_EQ(oracle_check(), 0u);
	if (swap)
		swap_fini();
}
