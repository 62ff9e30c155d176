/*
 * Several CPUs in one family of spaces at once: faults, forks, unmaps, lock-free walks. On the
 * host each thread is a CPU. What a CPU wrote it must read back, in its space, whatever the
 * others do; at the end the oracle recounts everything.
 */
#include <lib/preempt.h>
#include <mm/copy.h>
#include <mm/fault.h>
#include <mm/flush.h>
#include <mm/grace.h>
#include <mm/share.h>
#include <tests/kernel/oracle.h>
#include <tests/kernel/test.h>
#include <tests/kernel/touch.h>
#include <tests/kernel/workers.h>

#define CPUS 4
#define BASE 0x30000000000ull
#define PAGES(n) ((n)*PAGE_SIZE)

/* What the CPUs of one test work on. */
struct work {
	struct space *space[CPUS];
	uint64_t failure_count; /* atomic: EXPECT is one thread's */
	bool stop;              /* atomic */
	unsigned arrived;       /* atomic; at the meeting point */
};

static void check(struct work *k, bool ok)
{
	if (!ok)
		__atomic_add_fetch(&k->failure_count, 1, __ATOMIC_RELAXED);
}

/* Wait until all have come here for the n-th time. */
static void meet(struct work *k, unsigned n)
{
	__atomic_add_fetch(&k->arrived, 1, __ATOMIC_ACQ_REL);
	while (__atomic_load_n(&k->arrived, __ATOMIC_ACQUIRE) < n * CPUS)
		preempt_yield();
}

static void add(struct work *k, struct space *s, va_t start, uint64_t pages, unsigned flags)
{
	struct area_spec spec = {
		.start = start, .end = start + PAGES(pages), .flags = flags, .rights = PT_R | PT_W
	};

	check(k, !space_add_area(s, &spec));
}

/* Run fn on all CPUs, in one space. */
static void run(struct work *k, void (*fn)(struct worker *w))
{
	EXPECT(workers_run(CPUS, fn, k));
	EXPECT_EQ(k->failure_count, 0ull);
}

/* A space that all CPUs use, with one area. */
static struct work work_in(uint64_t pages)
{
	struct work k = { .stop = false };
	struct space *s = space_create();

	add(&k, s, BASE, pages, 0);
	for (unsigned i = 0; i < CPUS; i++)
		k.space[i] = s;
	return k;
}

static void work_end(struct work *k)
{
	EXPECT_EQ(oracle_check(), 0u);
	space_destroy(k->space[0]);
}

static void fault_disjoint(struct worker *w)
{
	struct work *k = w->arg;
	struct space *s = k->space[w->number];
	va_t start = BASE + w->number * PAGES(4096);

	for (unsigned i = 0; i < 1500; i++)
		check(k, touch_write(s, start + PAGES(i), start + i));
	for (unsigned i = 0; i < 1500; i++)
		check(k, touch_reads(s, start + PAGES(i), start + i));
	touch_done();
}

// CPUs that fault disjoint regions of one space get each its own pages, and the books are exact.
TEST(mm_cpus, disjoint_faults)
{
	struct work k = work_in(CPUS * 4096);

	run(&k, fault_disjoint);
	EXPECT_EQ(space_mapped(k.space[0], MAPPED_ANON), CPUS * 1500);
	EXPECT_EQ(space_fault_count(k.space[0], FAULT_FILLED), CPUS * 1500ull);
	work_end(&k);
}

static void fault_same(struct worker *w)
{
	struct work *k = w->arg;
	struct space *s = k->space[w->number];

	for (unsigned i = 0; i < 2000; i++)
		check(k, touch_write(s, BASE + PAGES(i * 3) + 8 * w->number, w->number + i));
	for (unsigned i = 0; i < 2000; i++)
		check(k, touch_reads(s, BASE + PAGES(i * 3) + 8 * w->number, w->number + i));
	touch_done();
}

// CPUs that fault the same pages get the same one page; the losers of every race leave nothing
// behind.
TEST(mm_cpus, same_faults)
{
	struct work k = work_in(6000);

	run(&k, fault_same);
	EXPECT_EQ(space_mapped(k.space[0], MAPPED_ANON), 2000);
	work_end(&k);
}

static void unshare_both(struct worker *w)
{
	struct work *k = w->arg;
	struct space *s = k->space[w->number];

	for (unsigned i = 0; i < 8; i++) {
		check(k, touch_write(s, BASE + PAGES(i * 200) + 8 * w->number, w->number + 1));
		check(k, touch_reads(s, BASE + PAGES(i * 200 + 1), i * 200 + 1));
	}
	touch_done();
}

static void unshare_round(bool parent_ends_first)
{
	struct work k = work_in(1700);
	struct space *parent = k.space[0], *child;

	for (unsigned i = 0; i < 8; i++) {
		EXPECT(touch_write(parent, BASE + PAGES(i * 200), 0));
		EXPECT(touch_write(parent, BASE + PAGES(i * 200 + 1), i * 200 + 1));
	}
	touch_done();
	child = space_fork(parent);
	if (!EXPECT(child))
		return;
	k.space[1] = k.space[3] = child;
	run(&k, unshare_both);
	for (unsigned i = 0; i < CPUS; i++) {
		EXPECT(touch_reads(k.space[i], BASE + 8 * i, i + 1));
		EXPECT(touch_reads(k.space[i ^ 1], BASE + 8 * i, 0));
	}
	touch_done();
	EXPECT_EQ(oracle_check(), 0u);
	space_destroy(parent_ends_first ? parent : child);
	EXPECT_EQ(space_mapped(parent_ends_first ? child : parent, MAPPED_ANON), 16);
	space_destroy(parent_ends_first ? child : parent);
}

// Both sides of a fork, two CPUs each, make the same shared tables their own at the same time.
TEST(mm_cpus, concurrent_unshares)
{
	bool shares = fork_shares_tables;
	uint64_t copied = share_stats.copied;

	fork_shares_tables = true;
	for (unsigned round = 0; round < 100; round++)
		unshare_round(round & 1);
	fork_shares_tables = shares;
	test_note("%lu tables copied", share_stats.copied - copied);
}

static void use_own_pages(struct worker *w)
{
	struct work *k = w->arg;
	struct space *s = k->space[w->number];
	uint64_t value = 1;

	for (; !__atomic_load_n(&k->stop, __ATOMIC_RELAXED); value++) {
		va_t va = BASE + PAGES(w->number * 1024 + value * 7 % 1000);

		check(k, touch_write(s, va, value));
		check(k, touch_reads(s, va, value));
	}
	touch_done();
}

static void map_and_unmap(struct worker *w)
{
	struct work *k = w->arg;
	struct space *s = k->space[w->number];
	va_t start = BASE + PAGES(w->number * 1024);

	while (!__atomic_load_n(&k->stop, __ATOMIC_RELAXED)) {
		check(k, !space_unmap(s, start + PAGES(100), start + PAGES(700)));
		check(k, !touch_write(s, start + PAGES(300), 1));
		add(k, s, start + PAGES(100), 600, 0);
		check(k, touch_write(s, start + PAGES(300), 1));
		check(k, touch_write(s, start + PAGES(600), 1));
	}
	touch_done();
}

static void fork_and_exit(struct worker *w)
{
	struct work *k = w->arg;
	struct space *s = k->space[w->number];

	for (unsigned i = 0; i < 150; i++) {
		struct space *child = space_fork(s);

		check(k, child != NULL);
		if (!child)
			break;
		check(k, touch_reads(child, BASE + PAGES(4000), 4));
		check(k, touch_write(child, BASE + PAGES(4000), 5));
		check(k, touch_reads(s, BASE + PAGES(4000), 4));
		touch_done();
		space_destroy(child);
	}
	__atomic_store_n(&k->stop, true, __ATOMIC_RELAXED);
}

static void fork_role(struct worker *w)
{
	static void (*const role[CPUS])(struct worker *) = { use_own_pages, use_own_pages,
							     map_and_unmap, fork_and_exit };

	role[w->number](w);
}

static void fork_under_fire(bool shared)
{
	bool shares = fork_shares_tables;
	uint64_t breaks = copy_break_count;
	struct work k = work_in(4096);

	fork_shares_tables = shared;
	EXPECT(touch_write(k.space[0], BASE + PAGES(4000), 4));
	touch_done();
	run(&k, fork_role);
	work_end(&k);
	fork_shares_tables = shares;
	test_note("%lu breaks", copy_break_count - breaks);
}

// Forks of a space that other CPUs fault, write, unmap and map: everybody keeps what is theirs.
TEST(mm_cpus, fork_under_fire_eager)
{
	fork_under_fire(false);
}

// The same with shared tables.
TEST(mm_cpus, fork_under_fire_shared)
{
	fork_under_fire(true);
}

static void look(struct worker *w)
{
	struct work *k = w->arg;
	struct space *s = k->space[w->number];
	bool seen = false;

	while (!__atomic_load_n(&k->stop, __ATOMIC_RELAXED)) {
		for (unsigned i = 0; i < 64; i++) {
			struct pt_span span;

			grace_enter();
			span = pt_translate(&s->root, BASE + PAGES(i * 600));
			grace_exit();
			check(k, span.kind == PT_NONE || span.kind == PT_LEAF);
			if (span.kind == PT_LEAF && !seen)
				__atomic_add_fetch(&k->arrived, 1, __ATOMIC_RELAXED);
			seen |= span.kind == PT_LEAF;
		}
	}
}

static void tear_down(struct worker *w)
{
	struct work *k = w->arg;
	struct space *s = k->space[w->number];

	/* Until every other CPU has met a page, however seldom it gets to run. */
	for (unsigned i = 0; i < 40 || __atomic_load_n(&k->arrived, __ATOMIC_RELAXED) < CPUS - 1;
	     i++) {
		for (unsigned j = 0; j < 64; j++)
			check(k, !space_fault(s, BASE + PAGES(j * 600), PT_W));
		check(k, !space_unmap(s, BASE, BASE + PAGES(64 * 600)));
		add(k, s, BASE, 64 * 600, 0);
	}
	__atomic_store_n(&k->stop, true, __ATOMIC_RELAXED);
}

static void walk_role(struct worker *w)
{
	if (w->number)
		look(w);
	else
		tear_down(w);
}

// Walks without a lock never meet a table that has become something else, while a writer maps and
// unmaps.
TEST(mm_cpus, lock_free_walks)
{
	struct work k = work_in(64 * 600);

	run(&k, walk_role);
	work_end(&k);
}

/* ---- Flushes across CPUs. ---- */

#define ROUNDS 200

static void touch_what_comes_and_goes(struct worker *w)
{
	struct work *k = w->arg;
	struct space *s = k->space[0];
	uint64_t value;

	for (unsigned round = 0; round < ROUNDS; round++) {
		va_t va = BASE + PAGES(round % 16);

		if (!w->number)
			check(k, touch_write(s, va, round));
		meet(k, 3 * round + 1);
		check(k, touch_reads(s, va, round)); /* everybody's TLB has it */
		meet(k, 3 * round + 2);
		if (!w->number) {
			check(k, !space_unmap(s, va, va + PAGE_SIZE));
			add(k, s, va, 1, 0);
		}
		meet(k, 3 * round + 3);
		check(k, !touch_read_raw(s, va, &value)); /* and has it no more */
	}
	touch_done();
}

// A page that one CPU unmaps is gone for all of them when unmap returns; one round of calls each.
TEST(mm_cpus, unmap_reaches_every_cpu)
{
	struct work k = work_in(16);
	uint64_t calls = flush_stats.calls;

	run(&k, touch_what_comes_and_goes);
	EXPECT_LE(flush_stats.calls - calls, ROUNDS + 2 * CPUS); /* and the workers' stacks */
	test_note("%u rounds, %lu calls", ROUNDS, flush_stats.calls - calls);
	work_end(&k);
}

static void unmap_much(struct worker *w)
{
	struct work *k = w->arg;
	struct space *s = k->space[0];
	uint64_t calls;

	check(k, touch_write(s, BASE + PAGES(w->number), 1)); /* has the space loaded */
	meet(k, 1);
	if (!w->number) {
		for (unsigned i = 0; i < 3000; i++)
			check(k, touch_write(s, BASE + PAGES(i), 1));
		calls = flush_stats.calls;
		check(k, !space_unmap(s, BASE, BASE + PAGES(20)));
		check(k, flush_stats.calls - calls <= 1);
		calls = flush_stats.calls;
		check(k, !space_protect(s, BASE + PAGES(20), BASE + PAGES(3000), PT_R));
		check(k, flush_stats.calls - calls <= 1);
	}
	meet(k, 2);
	touch_done();
	meet(k, 3);
	calls = flush_stats.calls;
	meet(k, 4);
	if (!w->number) { /* nobody else runs the space any more */
		check(k, touch_write(s, BASE + PAGES(3500), 1));
		check(k, !space_unmap(s, BASE + PAGES(3500), BASE + PAGES(3600)));
		check(k, flush_stats.calls == calls);
		touch_done();
	}
	meet(k, 5);
}

// However many pages: one round of calls; none to CPUs that do not run the space.
TEST(mm_cpus, flushes_are_counted)
{
	struct work k = work_in(4096);

	run(&k, unmap_much);
	work_end(&k);
}
