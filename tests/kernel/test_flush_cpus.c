/*
 * Flushes between CPUs, on their own TLBs: what one CPU takes away is gone for all of them when it
 * says so, with one round of calls and none to those who need none; and without the flush it is
 * not gone, or these tests would prove nothing.
 */
#include <arch/mmu.h>
#include <arch/trap.h>
#include <lib/broken.h>
#include <mm/fault.h>
#include <mm/flush.h>
#include <tests/kernel/cpu_work.h>

#define ROUNDS 200
#define WINDOW 16 /* pages a CPU comes and goes with: all CPUs' are few enough to stay cached */

/* ---- What is gone, is gone for all. ---- */

static void touch_what_comes_and_goes(struct worker *w)
{
	struct work *k = w->arg;
	struct space *s = k->space[0];
	uint64_t value;

	for (unsigned round = 0; round < ROUNDS; round++) {
		va_t va = BASE + PAGES(round % WINDOW);

		if (!w->number)
			work_check(k, touch_write(s, va, round));
		work_meet(k, 3 * round + 1);
		work_check(k, touch_reads(s, va, round)); /* everybody's TLB has it */
		work_meet(k, 3 * round + 2);
		if (!w->number) {
			work_check(k, !space_unmap(s, va, va + PAGE_SIZE));
			work_add(k, s, va, 1);
		}
		work_meet(k, 3 * round + 3);
		work_check(k, !touch_read_raw(s, va, &value)); /* and has it no more */
	}
	touch_done();
}

// A page that one CPU unmaps is gone for all of them when unmap returns; one round of calls each.
TEST(flush_cpus, unmap_reaches_every_cpu)
{
	struct work k = work_begin(WINDOW);
	uint64_t calls = flush_stats.calls;

	work_run(&k, touch_what_comes_and_goes);
	EXPECT_LE(flush_stats.calls - calls, ROUNDS + 2 * CPUS); /* and the workers' stacks */
	test_note("%u rounds, %lu calls", ROUNDS, flush_stats.calls - calls);
	work_end(&k);
}

static void unmap_much(struct worker *w)
{
	struct work *k = w->arg;
	struct space *s = k->space[0];
	uint64_t calls;

	work_check(k, touch_write(s, BASE + PAGES(w->number), 1)); /* has the space loaded */
	work_meet(k, 1);
	if (!w->number) {
		for (unsigned i = 0; i < 3000; i++)
			work_check(k, touch_write(s, BASE + PAGES(i), 1));
		calls = flush_stats.calls;
		work_check(k, !space_unmap(s, BASE, BASE + PAGES(20)));
		work_check(k, flush_stats.calls - calls <= 1);
		calls = flush_stats.calls;
		work_check(k, !space_protect(s, BASE + PAGES(20), BASE + PAGES(3000), PT_R));
		work_check(k, flush_stats.calls - calls <= 1);
		calls = flush_stats.calls;
		work_check(k, !space_unmap(s, BASE + PAGES(20), BASE + PAGES(3000)));
		work_check(k, flush_stats.calls - calls <= 1);
	}
	work_meet(k, 2);
	touch_done();
	work_meet(k, 3);
	calls = flush_stats.calls;
	work_meet(k, 4);
	for (unsigned i = 0; i < 2 && !w->number; i++) { /* nobody else runs the space any more */
		work_check(k, touch_write(s, BASE + PAGES(3500), 1));
		work_check(k, !space_unmap(s, BASE + PAGES(3500), BASE + PAGES(3600)));
		work_check(k, flush_stats.calls <= calls + 1 - i); /* the first: tables went */
		calls = flush_stats.calls;
		touch_done();
		work_add(k, s, BASE + PAGES(3500), 100);
	}
	work_meet(k, 5);
}

// However many pages: one round of calls; none to CPUs that do not run the space.
TEST(flush_cpus, flushes_are_counted)
{
	struct work k = work_begin(4096);

	work_run(&k, unmap_much);
	work_end(&k);
}

/* ---- The batch. ---- */

static void unmap_pages(struct work *k, uint64_t pages)
{
	struct space *s = k->space[0];

	for (unsigned i = 0; i < pages; i++)
		EXPECT_EQ(space_fault(s, BASE + PAGES(i), PT_W), 0);
	EXPECT_EQ(space_unmap(s, BASE, BASE + PAGES(pages)), 0);
	work_add(k, s, BASE, pages);
}

// Up to a threshold a flush goes page by page, past it over everything; either way it is one.
TEST(flush_cpus, past_the_threshold_all_is_flushed)
{
	struct work k = work_begin(1000);
	struct flush_stats before = flush_stats;

	unmap_pages(&k, FLUSH_PAGES_MAX);
	EXPECT_EQ(flush_stats.rounds - before.rounds, 1ull);
	EXPECT_EQ(flush_stats.ranges - before.ranges, 1ull);
	EXPECT_EQ(flush_stats.pages - before.pages, FLUSH_PAGES_MAX);
	before = flush_stats;
	unmap_pages(&k, FLUSH_PAGES_MAX + 1);
	EXPECT_EQ(flush_stats.full - before.full, 1ull);
	unmap_pages(&k, 1000);
	EXPECT_EQ(flush_stats.full - before.full, 2ull);
	EXPECT_EQ(flush_stats.rounds - before.rounds, 2ull);
	work_end(&k);
}

static void leave_unflushed(void)
{
	FLUSH_BATCH(batch);

	flush_begin(&batch, NULL);
	flush_add_range(&batch, BASE, BASE + PAGE_SIZE - 1, 0);
}

// A batch that goes away with something to flush is a bug.
TEST(flush_cpus, unflushed_batch_is_a_bug)
{
	EXPECT_BUG(leave_unflushed());
}

/* ---- The hardware does remember. ---- */

#define TRIES 50

/* One page goes without a flush. Whoever still reads it notes so. */
static void take_away_in_silence(struct worker *w, unsigned try)
{
	struct work *k = w->arg;
	struct space *s = k->space[0];
	va_t va = BASE + PAGES(try % WINDOW);
	uint64_t value;

	if (!w->number)
		work_check(k, touch_write(s, va, 42));
	work_meet(k, 3 * try + 1);
	work_check(k, touch_reads(s, va, 42));
	work_meet(k, 3 * try + 2);
	if (!w->number) {
		enum broken before = broken_variant;

		WRITE_ONCE(broken_variant, BROKEN_no_flush);
		work_check(k, !space_unmap(s, va, va + PAGE_SIZE));
		WRITE_ONCE(broken_variant, before);
		work_add(k, s, va, 1);
	}
	work_meet(k, 3 * try + 3);
	k->done[w->number] += touch_read_raw(s, va, &value) && value == FRAME_POISON;
	arch_tlb_flush_page(va);
	work_check(k, !touch_read_raw(s, va, &value));
}

static void look_at_what_is_gone(struct worker *w)
{
	for (unsigned try = 0; try < TRIES; try++)
		take_away_in_silence(w, try);
	touch_done();
}

// Without the flush other CPUs still read the page, and find it freed: the poison of a free frame.
// (Not every time: an emulator's TLB forgets by itself.)
TEST(flush_cpus, omitted_flush_shows_the_freed_page)
{
	struct work k;

	NEED_CPUS(2);
	k = work_begin(WINDOW);
	work_run(&k, look_at_what_is_gone);
	EXPECT_LE(1ull, k.done[1] + k.done[2] + k.done[3]);
	test_note("%u times: %lu, %lu, %lu, %lu CPUs 0 to 3 read the poison", TRIES, k.done[0],
		  k.done[1], k.done[2], k.done[3]);
	work_end(&k);
}

/* ---- A freed frame is never seen. ---- */

#define LOOKS (2 * WINDOW) /* at another CPU's pages, a round */
#define LOOK_ON 32         /* rounds at the same CPU's, so that what is cached gets old */

/* Its number in the high half, so that it is never 0 and never another page's. */
static uint64_t tag_of(unsigned page)
{
	return (page + 1ull) << 32;
}

/* What a page may show to others: nothing, zeroes, or what its own CPU wrote. */
static bool is_its_own(struct space *s, unsigned page)
{
	uint64_t value;

	return !touch_read_raw(s, BASE + PAGES(page), &value) || !value || value == tag_of(page);
}

/* The others' pages as this CPU sees them, in its `turn`-th look. */
static void look_at_others(struct worker *w, uint64_t turn)
{
	struct work *k = w->arg;
	unsigned other = (w->number + 1 + turn / LOOK_ON % (CPUS - 1)) % CPUS;

	for (unsigned i = 0; i < LOOKS; i++)
		work_check(k, is_its_own(k->space[0], other * WINDOW + i % WINDOW));
}

static void come_and_go(struct worker *w)
{
	struct work *k = w->arg;
	struct space *s = k->space[0];
	unsigned first = w->number * WINDOW;
	va_t start = BASE + PAGES(first);

	while (k->done[w->number] < k->rounds && !READ_ONCE(k->failure_count)) {
		for (unsigned i = 0; i < WINDOW; i++)
			work_check(k, touch_write(s, start + PAGES(i), tag_of(first + i)));
		look_at_others(w, k->done[w->number] / WINDOW);
		work_check(k, !space_unmap(s, start, start + PAGES(WINDOW)));
		work_add(k, s, start, WINDOW);
		k->done[w->number] += WINDOW;
	}
	touch_done();
}

/* So many pages are mapped, touched, seen by others and unmapped. */
static void look_for_freed_frames(uint64_t rounds)
{
	struct work k = work_begin(CPUS * WINDOW);
	uint64_t calls = flush_stats.calls, start = clock_now();

	k.rounds = rounds / CPUS;
	work_run(&k, come_and_go);
	test_note("%lu rounds, %lu looks at others', %lu calls, %lu ms",
		  k.done[0] + k.done[1] + k.done[2] + k.done[3],
		  (k.done[0] + k.done[1] + k.done[2] + k.done[3]) / WINDOW * LOOKS,
		  flush_stats.calls - calls, (unsigned long)((clock_now() - start) / CLOCK_MS));
	work_end(&k);
}

// While pages come and go on four CPUs nobody sees a freed frame, nor another page's.
TEST(flush_cpus, freed_frames_are_never_seen)
{
	look_for_freed_frames(20000);
}

// The same a million times. By name only: it has a boot of its own.
TEST_HIDDEN(soak, freed_frames_are_never_seen)
{
	test_deadline(600);
	look_for_freed_frames(1000000);
}
