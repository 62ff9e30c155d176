/*
 * CPUs that have left a space and kept its root (mm/tlb.h): nobody calls them for data, they catch
 * up when they come back, or find their TLB as warm as they left it; and they are called when
 * tables go. On the host each thread is a CPU, with a TLB of its own.
 *
 * What is stale shows by a write to a page that has become read-only: nothing is freed by that.
 */
#include <arch/mmu.h>
#include <lib/broken.h>
#include <mm/flush.h>
#include <mm/kspace.h>
#include <mm/tlb.h>
#include <tests/kernel/cpu_work.h>

#define ROUNDS 50
#define WINDOW 16 /* pages used in turn: few enough for all of them to stay cached */

static va_t page_of(unsigned round)
{
	return BASE + PAGES(round % WINDOW);
}

static bool set_rights(struct space *s, va_t va, pt_attr_t rights)
{
	return !space_protect(s, va, va + PAGE_SIZE, rights);
}

/* Every CPU has the page in its TLB, to write to, and all but the first have left the space. */
static void use_and_leave(struct worker *w, va_t va, unsigned meeting)
{
	struct work *k = w->arg;

	if (!w->number)
		work_check(k, set_rights(k->space[0], va, PT_R | PT_W));
	work_meet(k, meeting);
	work_check(k, touch_write(k->space[0], va, 1));
	if (w->number)
		touch_done();
	work_meet(k, meeting + 1);
}

/* ---- Data. ---- */

static void miss_a_change(struct worker *w, unsigned round)
{
	struct work *k = w->arg;
	struct space *s = k->space[0];
	va_t va = page_of(round);
	uint64_t calls = flush_stats.calls;
	struct tlb_stats before = tlb_stats(cpu_index()), after;

	use_and_leave(w, va, 4 * round + 1);
	if (!w->number) {
		calls = flush_stats.calls;
		work_check(k, set_rights(s, va, PT_R));
		work_check(k, flush_stats.calls == calls);
	}
	work_meet(k, 4 * round + 3);
	work_check(k, !touch_write_raw(s, va, 2));
	after = tlb_stats(cpu_index());
	k->done[w->number] += after.catch_ups - before.catch_ups;
	work_check(k, after.loads == before.loads || !round);
	work_meet(k, 4 * round + 4);
}

static void miss_changes(struct worker *w)
{
	for (unsigned round = 0; round < ROUNDS; round++)
		miss_a_change(w, round);
	touch_done();
}

// Who is lazy is not called when rights are taken from a page, and does not have them when it comes
// back: once for every time it was left behind it flushes, without another root.
TEST(lazy, no_call_for_data_and_a_catch_up)
{
	struct work k;

	NEED_CPUS(CPUS);
	k = work_begin(WINDOW);
	work_run(&k, miss_changes);
	for (unsigned i = 1; i < CPUS; i++)
		EXPECT_EQ(k.done[i], ROUNDS);
	test_note("%u changes missed, no call, %lu, %lu, %lu catch-ups", ROUNDS, k.done[1],
		  k.done[2], k.done[3]);
	work_end(&k);
}

/* The first CPU takes W away; what it leaves out meanwhile is `how`. */
static void protect_broken(struct work *k, va_t va, enum broken how)
{
	enum broken before = broken_variant;

	WRITE_ONCE(broken_variant, how);
	work_check(k, set_rights(k->space[0], va, PT_R));
	WRITE_ONCE(broken_variant, before);
}

static void come_back_warm(struct worker *w)
{
	struct work *k = w->arg;
	struct tlb_stats before, after;

	for (unsigned round = 0; round < ROUNDS; round++) {
		va_t va = page_of(round);

		use_and_leave(w, va, 4 * round + 1);
		if (!w->number)
			protect_broken(k, va, BROKEN_no_flush); /* nothing happened, officially */
		before = tlb_stats(cpu_index());
		work_meet(k, 4 * round + 3);
		k->done[w->number] += touch_write_raw(k->space[0], va, 2);
		after = tlb_stats(cpu_index());
		work_check(k, after.loads == before.loads && after.catch_ups == before.catch_ups);
		work_check(k, !w->number || after.warm > before.warm);
		work_meet(k, 4 * round + 4);
	}
	touch_done();
}

// Who comes back to a space that has not changed flushes nothing: what was cached still is. (Not
// every time: an emulator's TLB forgets by itself.)
TEST(lazy, comes_back_warm)
{
	struct work k;

	NEED_CPUS(CPUS);
	k = work_begin(WINDOW);
	work_run(&k, come_back_warm);
	for (unsigned i = 1; i < CPUS; i++)
		EXPECT_LE(1ull, k.done[i]);
	test_note("%u returns: %lu, %lu, %lu times the cached entry was there", ROUNDS, k.done[1],
		  k.done[2], k.done[3]);
	work_end(&k);
}

static void trust_the_tlb(struct worker *w)
{
	struct work *k = w->arg;
	struct space *s = k->space[0];
	enum broken before = broken_variant;

	for (unsigned round = 0; round < ROUNDS; round++) {
		va_t va = page_of(round);

		use_and_leave(w, va, 5 * round + 1);
		if (!w->number) {
			work_check(k, set_rights(s, va, PT_R));
			WRITE_ONCE(broken_variant, BROKEN_no_catch_up);
		}
		work_meet(k, 5 * round + 3);
		k->done[w->number] += touch_write_raw(s, va, 2);
		work_meet(k, 5 * round + 4);
		if (!w->number) {
			WRITE_ONCE(broken_variant, before);
			work_check(k,
				   set_rights(s, va, PT_R)); /* finds them two behind: all goes */
		}
		work_meet(k, 5 * round + 5);
		work_check(k, !touch_write_raw(s, va, 3));
	}
	touch_done();
}

// Without the catch-up who comes back still writes to the page; and the next call makes up for it.
TEST(lazy, omitted_catch_up_shows)
{
	struct work k;

	NEED_CPUS(CPUS);
	k = work_begin(WINDOW);
	work_run(&k, trust_the_tlb);
	EXPECT_LE(1ull, k.done[1] + k.done[2] + k.done[3]);
	EXPECT_EQ(k.done[0], 0ull);
	test_note("%u returns: %lu, %lu, %lu forbidden writes", ROUNDS, k.done[1], k.done[2],
		  k.done[3]);
	work_end(&k);
}

/* ---- Tables. ---- */

static bool has_root_of(const struct space *s)
{
	return arch_root_current().value == s->root.top.pa.value;
}

static void lose_tables(struct worker *w)
{
	struct work *k = w->arg;
	struct space *s = k->space[0];
	uint64_t calls, detachings = tlb_stats(cpu_index()).detachings;

	use_and_leave(w, BASE, 1);
	work_check(k, has_root_of(s));
	work_meet(k, 3);
	if (!w->number) {
		calls = flush_stats.calls;
		work_check(k, !space_unmap(s, BASE, BASE + PAGES(WINDOW)));
		work_check(k, flush_stats.calls == calls + 1);
		work_add(k, s, BASE, WINDOW);
	}
	work_meet(k, 4);
	work_check(k, has_root_of(w->number ? &kernel_space : s));
	work_check(k, tlb_stats(cpu_index()).detachings == detachings + !!w->number);
	if (!w->number) { /* nobody is called twice */
		calls = flush_stats.calls;
		work_check(k, touch_write(s, BASE, 1));
		work_check(k, !space_unmap(s, BASE, BASE + PAGES(WINDOW)));
		work_check(k, flush_stats.calls == calls);
		work_add(k, s, BASE, WINDOW);
	}
	work_meet(k, 5);
	work_check(k, !touch_write_raw(s, BASE, 2));
	touch_done();
}

// When tables go, one round reaches who is lazy: it has another root before they are free, and is
// not called again.
TEST(lazy, tables_reach_who_is_lazy)
{
	struct work k;

	NEED_CPUS(CPUS);
	k = work_begin(WINDOW);
	work_run(&k, lose_tables);
	work_end(&k);
}

static void lose_the_space(struct worker *w)
{
	struct work *k = w->arg;
	struct space *s = k->space[1];
	uint64_t calls;

	work_check(k, touch_write(s, BASE, 1));
	touch_done();
	work_check(k, has_root_of(s));
	work_meet(k, 1);
	if (!w->number) {
		calls = flush_stats.calls;
		space_destroy(s);
		work_check(k, flush_stats.calls == calls); /* one call it was, before any flush */
	}
	work_meet(k, 2);
	work_check(k, has_root_of(&kernel_space));
}

// A space that is destroyed is loaded nowhere, though nobody has left it for another.
TEST(lazy, destroyed_space_is_loaded_nowhere)
{
	struct work k;

	NEED_CPUS(CPUS);
	k = work_begin(WINDOW);
	k.space[1] = space_create();
	REQUIRE(k.space[1]);
	work_add(&k, k.space[1], BASE, WINDOW);
	work_run(&k, lose_the_space);
	work_end(&k);
}

/* ---- Rounds that meet. ---- */

static void flush_one_page(struct space *s, unsigned page)
{
	FLUSH_BATCH(batch);

	flush_begin(&batch, s);
	flush_add_range(&batch, BASE + PAGES(page), BASE + PAGES(page + 1) - 1, 0);
	flush_end(&batch);
}

#define FLUSHES 100
#define TRIES 2000 /* for two of them to meet; the first mostly does, but on a busy host */

static uint64_t spared_here(void)
{
	return tlb_stats(cpu_index()).spared;
}

static void flush_among_others(struct worker *w)
{
	struct work *k = w->arg;
	struct space *s = k->space[0];
	uint64_t spared = spared_here();

	work_check(k, touch_write(s, BASE, 1));
	work_meet(k, 1);
	for (unsigned i = 0; i < FLUSHES; i++)
		flush_one_page(s, w->number);
	work_meet(k, 2);
	k->done[w->number] += spared_here() - spared;
	touch_done();
}

// Of flushes at the same time one does for all that began before it: who has done it is spared
// those that come late.
TEST(lazy, flushes_that_meet_are_done_at_once)
{
	uint64_t spared = 0, tried = 0;
	struct work k;

	NEED_CPUS(CPUS);
	k = work_begin(WINDOW);
	while (!spared && tried < TRIES) {
		k.arrived = 0;
		work_run(&k, flush_among_others);
		spared = k.done[0] + k.done[1] + k.done[2] + k.done[3];
		EXPECT_EQ(k.space[0]->generation, CPUS * FLUSHES * ++tried);
	}
	EXPECT_LE(1ull, spared);
	test_note("%lu of %lu calls had nothing left to do", spared,
		  CPUS * (CPUS - 1) * FLUSHES * tried);
	work_end(&k);
}

/* ---- All of it at once. ---- */

#define TURNS 300

static void come_and_go(struct worker *w)
{
	struct work *k = w->arg;
	struct space *s = k->space[0];
	va_t mine = BASE + PAGES(w->number * WINDOW);
	va_t others = BASE + PAGES((w->number + 1) % CPUS * WINDOW);
	uint64_t value;

	for (unsigned turn = 1; turn <= TURNS; turn++) {
		va_t va = mine + PAGES(turn % WINDOW);

		work_check(k, touch_write(s, va, turn));
		if (turn % 3)
			touch_done();
		if (touch_read_raw(s, others + PAGES(turn % WINDOW), &value))
			work_check(k, value <= TURNS);
		if (turn % 5 == w->number)
			touch_done();
		work_check(k, !space_unmap(s, va, va + PAGE_SIZE));
		work_add(k, s, va, 1);
		work_check(k, !touch_read_raw(s, va, &value));
	}
	touch_done();
}

// CPUs come and go in a space in which all of them map and unmap, tables included: nobody ever
// reads a freed frame, or what he has unmapped himself.
TEST(lazy, who_comes_and_goes_sees_nothing_freed)
{
	struct tlb_stats sum = { 0 };
	struct work k = work_begin(CPUS * WINDOW);

	work_run(&k, come_and_go);
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++) {
		struct tlb_stats t = tlb_stats(cpu);

		sum.warm += t.warm;
		sum.catch_ups += t.catch_ups;
		sum.detachings += t.detachings;
	}
	test_note("since boot: %lu warm returns, %lu catch-ups, %lu detachings", sum.warm,
		  sum.catch_ups, sum.detachings);
	work_end(&k);
}
