/*
 * Several CPUs in one family of spaces at once: faults, forks, unmaps, lock-free walks. On the
 * host each thread is a CPU. What a CPU wrote it must read back, in its space, whatever the
 * others do; at the end the oracle recounts everything.
 */
#include <mm/copy.h>
#include <mm/fault.h>
#include <mm/flush.h>
#include <mm/grace.h>
#include <mm/share.h>
#include <tests/kernel/cpu_work.h>

static void fault_disjoint(struct worker *w)
{
	struct work *k = w->arg;
	struct space *s = k->space[w->number];
	va_t start = BASE + w->number * PAGES(4096);

	for (unsigned i = 0; i < 1500; i++)
		work_check(k, touch_write(s, start + PAGES(i), start + i));
	for (unsigned i = 0; i < 1500; i++)
		work_check(k, touch_reads(s, start + PAGES(i), start + i));
	touch_done();
}

// CPUs that fault disjoint regions of one space get each its own pages, and the books are exact.
TEST(mm_cpus, disjoint_faults)
{
	struct work k = work_begin(CPUS * 4096);

	work_run(&k, fault_disjoint);
	EXPECT_EQ(space_mapped(k.space[0], MAPPED_ANON), CPUS * 1500);
	EXPECT_EQ(space_fault_count(k.space[0], FAULT_FILLED), CPUS * 1500ull);
	work_end(&k);
}

static void fault_same(struct worker *w)
{
	struct work *k = w->arg;
	struct space *s = k->space[w->number];

	for (unsigned i = 0; i < 2000; i++)
		work_check(k, touch_write(s, BASE + PAGES(i * 3) + 8 * w->number, w->number + i));
	for (unsigned i = 0; i < 2000; i++)
		work_check(k, touch_reads(s, BASE + PAGES(i * 3) + 8 * w->number, w->number + i));
	touch_done();
}

// CPUs that fault the same pages get the same one page; the losers of every race leave nothing
// behind.
TEST(mm_cpus, same_faults)
{
	struct work k = work_begin(6000);

	work_run(&k, fault_same);
	EXPECT_EQ(space_mapped(k.space[0], MAPPED_ANON), 2000);
	work_end(&k);
}

static void unshare_both(struct worker *w)
{
	struct work *k = w->arg;
	struct space *s = k->space[w->number];

	for (unsigned i = 0; i < 8; i++) {
		work_check(k, touch_write(s, BASE + PAGES(i * 200) + 8 * w->number, w->number + 1));
		work_check(k, touch_reads(s, BASE + PAGES(i * 200 + 1), i * 200 + 1));
	}
	touch_done();
}

static void unshare_round(bool parent_ends_first)
{
	struct work k = work_begin(1700);
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
	work_run(&k, unshare_both);
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

	for (; !work_is_over(k); value++) {
		va_t va = BASE + PAGES(w->number * 1024 + value * 7 % 1000);

		work_check(k, touch_write(s, va, value));
		work_check(k, touch_reads(s, va, value));
	}
	k->done[w->number] += value;
	touch_done();
}

static void map_and_unmap(struct worker *w)
{
	struct work *k = w->arg;
	struct space *s = k->space[w->number];
	va_t start = BASE + PAGES(w->number * 1024);

	while (!work_is_over(k)) {
		work_check(k, !space_unmap(s, start + PAGES(100), start + PAGES(700)));
		work_check(k, !touch_write(s, start + PAGES(300), 1));
		work_add(k, s, start + PAGES(100), 600);
		work_check(k, touch_write(s, start + PAGES(300), 1));
		work_check(k, touch_write(s, start + PAGES(600), 1));
		k->done[w->number]++;
	}
	touch_done();
}

#define PHASES 5
#define FORKS 12 /* a phase */

static void fork_and_exit(struct worker *w)
{
	struct work *k = w->arg;
	struct space *s = k->space[w->number];

	for (unsigned i = 0; i < FORKS; i++) {
		struct space *child = space_fork(s);

		work_check(k, child != NULL);
		if (!child)
			break;
		work_check(k, touch_reads(child, BASE + PAGES(4000), 4));
		work_check(k, touch_write(child, BASE + PAGES(4000), 5));
		work_check(k, touch_reads(s, BASE + PAGES(4000), 4));
		touch_done();
		space_destroy(child);
		k->done[w->number]++;
	}
	work_stop(k);
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
	struct work k = work_begin(4096);

	fork_shares_tables = shared;
	EXPECT(touch_write(k.space[0], BASE + PAGES(4000), 4));
	touch_done();
	for (unsigned phase = 0; phase < PHASES; phase++) {
		k.stop = false;
		work_run(&k, fork_role);
		EXPECT_EQ(oracle_check(), 0u);
	}
	test_note("%lu and %lu touches, %lu unmaps, %lu forks with %lu breaks, %u quiet points",
		  k.done[0], k.done[1], k.done[2], k.done[3], copy_break_count - breaks, PHASES);
	work_end(&k);
	fork_shares_tables = shares;
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
	uint64_t seen = 0;

	while (!work_is_over(k)) {
		for (unsigned i = 0; i < 64; i++) {
			struct pt_span span;

			grace_enter();
			span = pt_translate(&s->root, BASE + PAGES(i * 600));
			grace_exit();
			work_check(k, span.kind == PT_NONE || span.kind == PT_LEAF);
			seen += span.kind == PT_LEAF;
			if (seen == 1 && span.kind == PT_LEAF)
				__atomic_add_fetch(&k->arrived, 1, __ATOMIC_RELAXED);
		}
	}
	k->done[w->number] = seen;
}

static void tear_down(struct worker *w)
{
	struct work *k = w->arg;
	struct space *s = k->space[w->number];

	/* Until every other CPU has met a page, however seldom it gets to run. */
	for (unsigned i = 0; i < 40 || __atomic_load_n(&k->arrived, __ATOMIC_RELAXED) < CPUS - 1;
	     i++) {
		for (unsigned j = 0; j < 64; j++)
			work_check(k, !space_fault(s, BASE + PAGES(j * 600), PT_W));
		work_check(k, !space_unmap(s, BASE, BASE + PAGES(64 * 600)));
		work_add(k, s, BASE, 64 * 600);
		k->rounds++;
	}
	work_stop(k);
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
	struct work k = work_begin(64 * 600);

	work_run(&k, walk_role);
	test_note("%lu pages seen while %lu trees were torn down",
		  k.done[1] + k.done[2] + k.done[3], k.rounds);
	work_end(&k);
}
