/*
 * Several threads in one family of spaces at once: faults, forks, unmaps and lock-free walks.
 * Host only; each thread is a CPU. What a thread wrote it must read back, in its space, whatever
 * the others do; at the end the oracle recounts everything.
 */
#include <pthread.h>

#include <mm/copy.h>
#include <mm/fault.h>
#include <mm/grace.h>
#include <mm/share.h>
#include <tests/host/host.h>
#include <tests/kernel/oracle.h>
#include <tests/kernel/test.h>
#include <tests/kernel/touch.h>

#define THREADS 4
#define BASE 0x30000000000ull
#define PAGES(n) ((n)*PAGE_SIZE)

struct worker {
	pthread_t thread;
	unsigned number;
	void *(*run)(void *);
	struct space *space;
	uint64_t failure_count; /* EXPECT is one thread's */
};

static struct worker worker[THREADS];
static bool stop;

static void add(struct space *s, va_t start, uint64_t pages, unsigned flags)
{
	struct area_spec spec = {
		start, start + PAGES(pages), AREA_ANON, flags, PT_R | PT_W, NULL, 0, PA(0)
	};

	EXPECT_EQ(space_add_area(s, &spec), 0);
}

static void *begin(void *arg)
{
	struct worker *w = arg;

	host_cpu_begin(w->number + 1);
	return w->run(w);
}

static void run(void *(*fn)(void *), unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		worker[i].number = i;
		worker[i].run = fn;
		worker[i].failure_count = 0;
		EXPECT_EQ(pthread_create(&worker[i].thread, NULL, begin, &worker[i]), 0);
	}
	for (unsigned i = 0; i < count; i++) {
		pthread_join(worker[i].thread, NULL);
		EXPECT_EQ(worker[i].failure_count, 0ull);
	}
}

static void check(struct worker *w, bool ok)
{
	w->failure_count += !ok;
}

static void *fault_disjoint(void *arg)
{
	struct worker *w = arg;
	va_t start = BASE + w->number * PAGES(4096);

	for (unsigned i = 0; i < 1500; i++)
		check(w, touch_write(w->space, start + PAGES(i), start + i));
	for (unsigned i = 0; i < 1500; i++)
		check(w, touch_reads(w->space, start + PAGES(i), start + i));
	touch_done();
	return NULL;
}

// CPUs that fault disjoint regions of one space get each its own pages, and the books are exact.
TEST(mm_threads, disjoint_faults)
{
	struct space *s = space_create();

	add(s, BASE, THREADS * 4096, 0);
	for (unsigned i = 0; i < THREADS; i++)
		worker[i].space = s;
	run(fault_disjoint, THREADS);
	EXPECT_EQ(space_mapped(s, MAPPED_ANON), THREADS * 1500);
	EXPECT_EQ(space_fault_count(s, FAULT_FILLED), THREADS * 1500ull);
	EXPECT_EQ(oracle_check(), 0u);
	space_destroy(s);
}

static void *fault_same(void *arg)
{
	struct worker *w = arg;

	for (unsigned i = 0; i < 2000; i++)
		check(w, touch_write(w->space, BASE + PAGES(i * 3) + 8 * w->number, w->number + i));
	for (unsigned i = 0; i < 2000; i++)
		check(w, touch_reads(w->space, BASE + PAGES(i * 3) + 8 * w->number, w->number + i));
	touch_done();
	return NULL;
}

// CPUs that fault the same pages get the same one page; the losers of every race leave nothing
// behind.
TEST(mm_threads, same_faults)
{
	struct space *s = space_create();

	add(s, BASE, 6000, 0);
	for (unsigned i = 0; i < THREADS; i++)
		worker[i].space = s;
	run(fault_same, THREADS);
	EXPECT_EQ(space_mapped(s, MAPPED_ANON), 2000);
	EXPECT_EQ(oracle_check(), 0u);
	space_destroy(s);
}

static void *unshare_both(void *arg)
{
	struct worker *w = arg;

	for (unsigned i = 0; i < 8; i++) {
		check(w,
		      touch_write(w->space, BASE + PAGES(i * 200) + 8 * w->number, w->number + 1));
		check(w, touch_reads(w->space, BASE + PAGES(i * 200 + 1), i * 200 + 1));
	}
	touch_done();
	return NULL;
}

// Both sides of a fork, two CPUs each, make the same shared tables their own at the same time.
TEST(mm_threads, concurrent_unshares)
{
	bool shares = fork_shares_tables;
	uint64_t copied = share_stats.copied;

	fork_shares_tables = true;
	for (unsigned round = 0; round < 200; round++) {
		struct space *parent = space_create(), *child;

		add(parent, BASE, 1700, 0);
		for (unsigned i = 0; i < 8; i++) {
			EXPECT(touch_write(parent, BASE + PAGES(i * 200), 0));
			EXPECT(touch_write(parent, BASE + PAGES(i * 200 + 1), i * 200 + 1));
		}
		child = space_fork(parent);
		for (unsigned i = 0; i < THREADS; i++)
			worker[i].space = i & 1 ? child : parent;
		touch_done();
		run(unshare_both, THREADS);
		for (unsigned i = 0; i < THREADS; i++) {
			EXPECT(touch_reads(worker[i].space, BASE + 8 * i, i + 1));
			EXPECT(touch_reads(worker[i ^ 1].space, BASE + 8 * i, 0));
		}
		touch_done();
		if (round % 20 == 0)
			EXPECT_EQ(oracle_check(), 0u);
		space_destroy(round & 1 ? parent : child);
		EXPECT_EQ(space_mapped(round & 1 ? child : parent, MAPPED_ANON), 16);
		space_destroy(round & 1 ? child : parent);
	}
	fork_shares_tables = shares;
	test_note("%lu tables copied", share_stats.copied - copied);
}

static void *use_own_pages(void *arg)
{
	struct worker *w = arg;
	uint64_t value = 1;

	for (; !__atomic_load_n(&stop, __ATOMIC_RELAXED); value++) {
		va_t va = BASE + PAGES(w->number * 1024 + value * 7 % 1000);

		check(w, touch_write(w->space, va, value));
		check(w, touch_reads(w->space, va, value));
	}
	touch_done();
	return NULL;
}

static void *map_and_unmap(void *arg)
{
	struct worker *w = arg;
	va_t start = BASE + PAGES(w->number * 1024);

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		check(w, !space_unmap(w->space, start + PAGES(100), start + PAGES(700)));
		check(w, !touch_write(w->space, start + PAGES(300), 1));
		add(w->space, start + PAGES(100), 600, 0);
		check(w, touch_write(w->space, start + PAGES(300), 1));
		check(w, touch_write(w->space, start + PAGES(600), 1));
	}
	touch_done();
	return NULL;
}

static void *fork_and_exit(void *arg)
{
	struct worker *w = arg;

	for (unsigned i = 0; i < 150; i++) {
		struct space *child = space_fork(w->space);

		check(w, child);
		if (!child)
			break;
		check(w, touch_reads(child, BASE + PAGES(4000), 4));
		check(w, touch_write(child, BASE + PAGES(4000), 5));
		check(w, touch_reads(w->space, BASE + PAGES(4000), 4));
		touch_done();
		space_destroy(child);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	return NULL;
}

static void *fork_test_thread(void *arg)
{
	static void *(*const role[THREADS])(void *) = { use_own_pages, use_own_pages, map_and_unmap,
							fork_and_exit };

	return role[((struct worker *)arg)->number](arg);
}

static void fork_under_fire(bool shared)
{
	bool shares = fork_shares_tables;
	uint64_t breaks = copy_break_count;
	struct space *s = space_create();

	fork_shares_tables = shared;
	stop = false;
	add(s, BASE, 4096, 0);
	EXPECT(touch_write(s, BASE + PAGES(4000), 4));
	touch_done();
	for (unsigned i = 0; i < THREADS; i++)
		worker[i].space = s;
	run(fork_test_thread, THREADS);
	EXPECT_EQ(oracle_check(), 0u);
	space_destroy(s);
	fork_shares_tables = shares;
	test_note("%lu breaks", copy_break_count - breaks);
}

// Forks of a space that other CPUs fault, write, unmap and map: everybody keeps what is theirs.
TEST(mm_threads, fork_under_fire_eager)
{
	fork_under_fire(false);
}

// The same with shared tables.
TEST(mm_threads, fork_under_fire_shared)
{
	fork_under_fire(true);
}

static void *look(void *arg)
{
	struct worker *w = arg;
	uint64_t seen = 0;

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		for (unsigned i = 0; i < 64; i++) {
			struct pt_span span;

			grace_enter();
			span = pt_translate(&w->space->root, BASE + PAGES(i * 600));
			grace_exit();
			check(w, span.kind == PT_NONE || span.kind == PT_LEAF);
			seen += span.kind == PT_LEAF;
		}
	}
	check(w, seen > 0);
	return NULL;
}

static void *tear_down(void *arg)
{
	struct worker *w = arg;

	for (unsigned i = 0; i < 400; i++) {
		for (unsigned j = 0; j < 64; j++)
			check(w, !space_fault(w->space, BASE + PAGES(j * 600), PT_W));
		check(w, !space_unmap(w->space, BASE, BASE + PAGES(64 * 600)));
		add(w->space, BASE, 64 * 600, 0);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	return NULL;
}

static void *walk_test_thread(void *arg)
{
	return ((struct worker *)arg)->number ? look(arg) : tear_down(arg);
}

// Walks without a lock never meet a table that has become something else, while a writer maps and
// unmaps.
TEST(mm_threads, lock_free_walks)
{
	struct space *s = space_create();

	stop = false;
	add(s, BASE, 64 * 600, 0);
	for (unsigned i = 0; i < THREADS; i++)
		worker[i].space = s;
	run(walk_test_thread, THREADS);
	EXPECT_EQ(oracle_check(), 0u);
	space_destroy(s);
}
