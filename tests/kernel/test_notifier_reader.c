/*
 * The reader pattern, by exhaustion: every interleaving of a reader's steps, a writer's steps and
 * a registration, on a space of one page. A reader that leaves out the check must be caught at it.
 */
#include <mm/notifier.h>
#include <tests/kernel/test.h>

#define PAGE 0x5000ull
#define PAGE_END 0x6000ull
#define STEPS_MAX 12

/* The world: what the space translates the page to (0: nothing), and a secondary entry for it. */
struct world {
	struct notifier n;
	struct notifier_section section;
	struct subscriber subscriber;
	unsigned primary, secondary;
	unsigned writer_step, reader_step;
	bool registered;
	bool careless; /* the reader leaves out the check */
	unsigned sequence_seen, looked_up;
	unsigned retry_count;
};

static int world_invalidate(struct subscriber *s, va_t start, va_t end, enum notify_why why,
			    bool may_block)
{
	(void)start, (void)end, (void)why, (void)may_block;
	CONTAINER_OF(s, struct world, subscriber)->secondary = 0;
	return 0;
}

static const struct subscriber_ops world_ops = { .invalidate = world_invalidate };

/* ---- Writers: each function is one step; false when there is none left. ---- */

/* Unmap: the page goes between start and end. */
static bool writer_section(struct world *w)
{
	switch (w->writer_step++) {
	case 0:
		notifier_start(&w->n, &w->section, PAGE, PAGE_END, NOTIFY_UNMAP, true);
		return true;
	case 1:
		w->primary = 0;
		return true;
	case 2:
		notifier_end(&w->n, &w->section);
		return true;
	default:
		return false;
	}
}

/* Copy on write: the page is replaced, then everybody is told. */
static bool writer_page(struct world *w)
{
	switch (w->writer_step++) {
	case 0:
		w->primary = 2;
		return true;
	case 1:
		notifier_page(&w->n, PAGE, PAGE_END, NOTIFY_COW);
		return true;
	default:
		return false;
	}
}

/* ---- The subscriber: registers, then reads; its lock makes check and establish one step. ---- */

static bool reader_step(struct world *w)
{
	switch (w->reader_step++) {
	case 0:
		notifier_register(&w->n, &w->subscriber);
		return true;
	case 1:
		w->sequence_seen = (unsigned)notifier_read_begin(&w->n);
		return true;
	case 2:
		w->looked_up = w->primary;
		return true;
	case 3:
		if (w->careless || !notifier_read_retry(&w->n, w->sequence_seen, PAGE, PAGE_END))
			w->secondary = w->looked_up;
		else
			w->retry_count++;
		return true;
	default:
		return false;
	}
}

struct outcome {
	unsigned runs, stale, established, retries;
};

/* One interleaving: bit i of `order` says who makes step i. Returns false if it is not a whole
 * one. */
static bool run_order(bool (*writer)(struct world *), unsigned order, unsigned steps, bool careless,
		      struct outcome *o)
{
	struct world w = { .primary = 1, .careless = careless, .subscriber.ops = &world_ops };

	notifier_init(&w.n);
	for (unsigned i = 0; i < steps; i++) {
		if (!(order >> i & 1 ? writer(&w) : reader_step(&w)))
			return false;
	}
	o->runs++;
	o->stale += w.secondary && w.secondary != w.primary;
	o->established += w.secondary != 0;
	o->retries += w.retry_count;
	return true;
}

static struct outcome run_all(bool (*writer)(struct world *), unsigned steps, bool careless)
{
	struct outcome o = { .runs = 0 };

	for (unsigned order = 0; order < 1u << steps; order++)
		run_order(writer, order, steps, careless, &o);
	return o;
}

// Against a section: in none of the 35 interleavings does a removed page stay in the secondary
// table.
TEST(notifier_reader, section_at_every_point)
{
	struct outcome o = run_all(writer_section, 7, false);

	EXPECT_EQ(o.runs, 35u);
	EXPECT_EQ(o.stale, 0u);
	EXPECT(o.retries > 0);
}

// Against the replacement of a page: in none of the 15 interleavings does the old page stay.
TEST(notifier_reader, page_at_every_point)
{
	struct outcome o = run_all(writer_page, 6, false);

	EXPECT_EQ(o.runs, 15u);
	EXPECT_EQ(o.stale, 0u);
	EXPECT(o.established > 0);
}

// A reader without the check is caught: some interleaving leaves a stale entry.
TEST(notifier_reader, the_check_is_needed)
{
	EXPECT(run_all(writer_section, 7, true).stale > 0);
	EXPECT(run_all(writer_page, 6, true).stale > 0);
}

// The reader retries only where it must: an order in which the writer is done first, or comes
// last, costs none.
TEST(notifier_reader, retries_only_when_needed)
{
	struct outcome o = { .runs = 0 };

	EXPECT(run_order(writer_section, 0x07, 7, false, &o)); /* the writer's three first */
	EXPECT(run_order(writer_section, 0x70, 7, false, &o)); /* and last */
	EXPECT_EQ(o.retries, 0u);
	EXPECT(run_order(writer_section, 0x38, 7, false, &o)); /* between lookup and check */
	EXPECT_EQ(o.retries, 1u);
}
