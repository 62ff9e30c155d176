/*
 * A device that copies a process's memory by virtual address, against everything that takes
 * translations away at the same time: unmap, fork (and the copies that it causes), protect,
 * reclaim. Four threads, on as many CPUs as there are:
 *
 *   copy      the device moves blocks from SOURCE to TARGET and to CHURN; every byte that it has
 *             moved to TARGET is read back by the CPU
 *   churn     unmaps CHURN and maps it anew; every byte of it can only be what the device copied
 *             since, in the lower halves of pages, and its own in the upper
 *   fork      forks; the child sees SOURCE as it is, and writes to its own copies
 *   withdraw  protects and reclaims parts of SOURCE and TARGET
 *
 * Each word of SOURCE is its own address, scrambled, for good; so a page that the device finds in
 * the wrong place, or after it was given to somebody else, is seen.
 */
#include <arch/clock.h>
#include <arch/trap.h>
#include <mm/copy.h>
#include <mm/reclaim.h>
#include <mm/share.h>
#include <mm/swap.h>
#include <proc/thread.h>
#include <tests/kernel/copier.h>
#include <tests/kernel/oracle.h>
#include <tests/kernel/test.h>
#include <tests/kernel/workers.h>

#define ROUNDS 5500
#define BROKEN_ROUNDS 200000 /* at most, until a forgotten step is seen */
#define SOURCE_PAGES 64      /* at most */
#define FEW_PAGES 3          /* so that everybody meets everybody */
#define TARGET_PAGES 64
#define CHURN_PAGES 32
#define SOURCE RIG_PAGE(0)
#define TARGET RIG_PAGE(SOURCE_PAGES)
#define CHURN (TARGET + PAGES(TARGET_PAGES))
#define BLOCK_MAX 512
#define SLOTS 512
#define HALF (PAGE_SIZE / 2)
#define HALF_WORDS (HALF / 8)
#define COPY_WORDS_MAX ((E1000_COPY_MIN + BLOCK_MAX) / 8)
#define LEAD 32 /* copies for each round of everybody else */
#define RETRY_WAIT (20 * CLOCK_MS)

#define SCRAMBLE 0x9e3779b97f4a7c15ull
#define UNSCRAMBLE 0xf1de83e19937733dull /* its inverse modulo 2^64 */

struct stress {
	struct copier c;
	unsigned rounds;
	uint64_t seed;
	uint64_t source_pages;
	bool broken; /* something is left out; then nobody but the device changes TARGET, so that
		      * the device finds what is wrong but destroys nothing */
	/* atomic */
	uint64_t failure_count, attempts;
	bool waiting; /* the device, for the others */
	bool stop;
	/* of the thread that failed first */
	const char *first;
	uint64_t first_value;
	/* of one thread each */
	uint64_t copies, refused, churns, forks, protects, reclaimed;
};

static uint64_t word_at(va_t va)
{
	return va * SCRAMBLE;
}

/* Is it what SOURCE has somewhere? */
static bool is_word(uint64_t word)
{
	va_t va = word * UNSCRAMBLE;

	return !(va % 8) && va >= SOURCE && va < TARGET;
}

static void failed(struct stress *t, const char *what, uint64_t value)
{
	if (!__atomic_fetch_add(&t->failure_count, 1, __ATOMIC_RELAXED)) {
		t->first = what;
		t->first_value = value;
	}
}

/* EXPECT is one thread's. */
#define CHECK(t, cond, value)                              \
	do {                                               \
		if (!(cond))                               \
			failed(t, #cond, (uint64_t)value); \
	} while (0)

static bool is_over(const struct stress *t)
{
	return __atomic_load_n(&t->stop, __ATOMIC_RELAXED);
}

static void add_area(struct stress *t, va_t start, uint64_t pages, unsigned flags)
{
	struct area_spec spec = {
		.start = start, .end = start + PAGES(pages), .flags = flags, .rights = RW
	};

	CHECK(t, !space_add_area(t->c.space, &spec), start);
}

/* Random numbers of a thread of its own: below `limit`. */
static uint64_t pick(uint64_t *state, uint64_t limit)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state % limit;
}

/* ---- Many words, through the CPU's MMU. ---- */

struct words {
	uint64_t *at, *user;
	unsigned count;
	bool write;
};

static void move_words(void *arg)
{
	struct words *w = arg;
	volatile uint64_t *to = w->write ? w->user : w->at, *from = w->write ? w->at : w->user;

	arch_user_access_begin();
	for (unsigned i = 0; i < w->count; i++)
		to[i] = from[i];
	arch_user_access_end();
}

/* False: the space refused. */
static bool move(struct stress *t, struct words w)
{
	if (space_current() != t->c.space)
		space_switch(t->c.space);
	return expect_fault(move_words, &w, false).vector == TRAP_NONE;
}

static bool read_words(struct stress *t, va_t va, uint64_t *words, unsigned count)
{
	return move(t, (struct words){ words, (uint64_t *)va, count, false });
}

static bool write_words(struct stress *t, va_t va, uint64_t *words, unsigned count)
{
	return move(t, (struct words){ words, (uint64_t *)va, count, true });
}

/* ---- The device. ---- */

static void check_target(struct stress *t, va_t to, va_t from, unsigned bytes)
{
	uint64_t words[COPY_WORDS_MAX];

	CHECK(t, read_words(t, to, words, bytes / 8), to);
	for (unsigned i = 0; i < bytes / 8; i++)
		CHECK(t, words[i] == word_at(from + i * 8), to + i * 8);
}

static void copy_to_target(struct stress *t, uint64_t *random)
{
	unsigned bytes = E1000_COPY_MIN + (unsigned)pick(random, BLOCK_MAX / 8) * 8;
	va_t from = SOURCE + pick(random, (PAGES(t->source_pages) - bytes) / 8) * 8;
	va_t to = TARGET + pick(random, (PAGES(TARGET_PAGES) - bytes) / 8) * 8;
	int err = e1000_copy(to, from, bytes);

	if (!err)
		check_target(t, to, from, bytes);
	else
		CHECK(t, err == -EFAULT, err);
	t->copies += !err;
	t->refused += err != 0;
}

/* Into the lower half of a page that may be gone. */
static void copy_to_churn(struct stress *t, uint64_t *random)
{
	unsigned bytes = E1000_COPY_MIN + (unsigned)pick(random, BLOCK_MAX / 8) * 8;
	va_t from = SOURCE + pick(random, (PAGES(t->source_pages) - bytes) / 8) * 8;
	va_t to = CHURN + PAGES(pick(random, CHURN_PAGES)) + pick(random, (HALF - bytes) / 8) * 8;
	int err = e1000_copy(to, from, bytes);

	CHECK(t, !err || err == -EFAULT, err);
	t->copies += !err;
	t->refused += err != 0;
}

/* The rounds of whoever has done the fewest. */
static uint64_t slowest(const struct stress *t)
{
	uint64_t churns = READ_ONCE(t->churns), forks = READ_ONCE(t->forks);
	uint64_t rounds = READ_ONCE(t->protects) / 4;

	rounds = churns < rounds ? churns : rounds;
	return forks < rounds ? forks : rounds;
}

/* Copying is quick: let the others keep up, who take translations away. */
static void wait_for_others(struct stress *t)
{
	if (t->broken || t->attempts <= (slowest(t) + 1) * LEAD)
		return;
	WRITE_ONCE(t->waiting, true);
	while (t->attempts > (slowest(t) + 1) * LEAD && !READ_ONCE(t->failure_count))
		thread_sleep(20 * CLOCK_US);
	WRITE_ONCE(t->waiting, false);
}

static void copy(struct stress *t, uint64_t random)
{
	while (t->copies < t->rounds && !READ_ONCE(t->failure_count)) {
		if (t->broken || pick(&random, 4))
			copy_to_target(t, &random);
		else
			copy_to_churn(t, &random);
		touch_done();
		__atomic_store_n(&t->attempts, t->attempts + 1, __ATOMIC_RELAXED);
		wait_for_others(t);
	}
	__atomic_store_n(&t->stop, true, __ATOMIC_RELAXED);
}

/* ---- What takes translations away. ---- */

/*
 * Every so many copies each of the others does its worst. They sleep in between and leave the
 * space, as a CPU that runs it must be called for every flush, and the machine that emulates this
 * one may have fewer. When the device waits for them, they do not wait for it.
 */
static bool wait_for_copies(const struct stress *t, unsigned count)
{
	uint64_t goal = __atomic_load_n(&t->attempts, __ATOMIC_RELAXED) + count;

	touch_done();
	do
		thread_sleep(20 * CLOCK_US);
	while (!is_over(t) && !READ_ONCE(t->waiting) &&
	       __atomic_load_n(&t->attempts, __ATOMIC_RELAXED) < goal);
	return !is_over(t);
}

static void fill_upper(struct stress *t, va_t page)
{
	uint64_t words[HALF_WORDS];

	for (unsigned i = 0; i < HALF_WORDS; i++)
		words[i] = ~(page + i);
	CHECK(t, write_words(t, page + HALF, words, HALF_WORDS), page);
}

static void add_churn(struct stress *t, va_t start, uint64_t pages)
{
	add_area(t, start, pages, 0);
	for (va_t page = start; page < start + PAGES(pages); page += PAGE_SIZE)
		fill_upper(t, page);
}

static void check_churned(struct stress *t, va_t page)
{
	uint64_t words[HALF_WORDS];

	CHECK(t, read_words(t, page, words, HALF_WORDS), page);
	for (unsigned i = 0; i < HALF_WORDS; i++)
		CHECK(t, !words[i] || is_word(words[i]), words[i]);
	CHECK(t, read_words(t, page + HALF, words, HALF_WORDS), page);
	for (unsigned i = 0; i < HALF_WORDS; i++)
		CHECK(t, words[i] == ~(page + i), page);
}

static void churn(struct stress *t, uint64_t random)
{
	for (; wait_for_copies(t, 8); t->churns++) {
		va_t start = CHURN + PAGES(pick(&random, CHURN_PAGES / 4) * 4);

		for (va_t page = start; page < start + PAGES(4); page += PAGE_SIZE)
			check_churned(t, page);
		touch_done();
		CHECK(t, !space_unmap(t->c.space, start, start + PAGES(4)), start);
		add_churn(t, start, 4);
	}
}

static va_t pick_source(const struct stress *t, uint64_t *random)
{
	return SOURCE + pick(random, PAGES(t->source_pages) / 8) * 8;
}

static void use_child(struct stress *t, struct space *child, uint64_t *random)
{
	for (unsigned i = 0; i < 8; i++) {
		va_t va = pick_source(t, random);

		CHECK(t, touch_reads(child, va, word_at(va)), va);
	}
	for (unsigned i = 0; i < 8; i++) { /* if it may */
		touch_write(child, pick_source(t, random), 0);
		if (!t->broken)
			touch_write(child, TARGET + pick(random, PAGES(TARGET_PAGES) / 8) * 8, 0);
	}
}

static void fork(struct stress *t, uint64_t random)
{
	for (; wait_for_copies(t, t->broken ? 4 : 16); t->forks++) {
		struct space *child = space_fork(t->c.space);

		CHECK(t, child != NULL, 0);
		if (!child)
			break;
		use_child(t, child, &random);
		for (unsigned i = 0; i < 8; i++) { /* the parent gets copies of its own, too */
			va_t va = pick_source(t, &random);

			touch_write(t->c.space, va, word_at(va));
		}
		touch_done();
		space_destroy(child);
	}
}

/* A page of a range gets fewer rights for a moment; its neighbours, too, if there are many. */
static void protect(struct stress *t, va_t first, uint64_t pages, pt_attr_t rights,
		    uint64_t *random)
{
	uint64_t count = pages > FEW_PAGES ? 4 : 1;
	va_t start = first + PAGES(pick(random, pages / count) * count);

	CHECK(t, !space_protect(t->c.space, start, start + PAGES(count), rights), start);
	CHECK(t, !space_protect(t->c.space, start, start + PAGES(count), RW), start);
	t->protects += 2;
}

/* Pages of SOURCE go out, used or not. */
static void swap_out(struct stress *t, uint64_t *random)
{
	for (unsigned i = 0; i < 4; i++)
		t->reclaimed +=
			!space_swap_out(t->c.space, SOURCE + PAGES(pick(random, t->source_pages)));
}

static void withdraw(struct stress *t, uint64_t random)
{
	while (wait_for_copies(t, 4)) {
		protect(t, SOURCE, t->source_pages, PT_R, &random);
		swap_out(t, &random);
		if (!wait_for_copies(t, 4))
			break;
		if (!t->broken)
			protect(t, TARGET, TARGET_PAGES, PT_R, &random);
		t->reclaimed += space_reclaim(t->c.space, 4);
	}
}

/* ---- All of them. ---- */

static void take_part(struct worker *w)
{
	static void (*const role[])(struct stress *, uint64_t) = { copy, churn, fork, withdraw };
	struct stress *t = w->arg;

	role[w->number](t, t->seed + w->number);
	touch_done();
}

static bool stress_open(struct stress *t, bool broken)
{
	t->broken = broken;
	t->source_pages = broken ? FEW_PAGES : SOURCE_PAGES;
	if (!EXPECT_EQ(swap_init(SLOTS), 0) || !copier_open(&t->c, t->source_pages, 0))
		return false;
	add_area(t, TARGET, TARGET_PAGES, broken ? AREA_SHARED : 0);
	add_churn(t, CHURN, CHURN_PAGES);
	for (va_t va = SOURCE; va < SOURCE + PAGES(t->source_pages); va += 8)
		touch_write(t->c.space, va, word_at(va));
	touch_done();
	return true;
}

static void stress_run(struct stress *t, unsigned rounds, bool shares)
{
	bool before = fork_shares_tables;

	t->rounds = rounds;
	t->seed = test_random() | 1 << 8;
	fork_shares_tables = shares;
	EXPECT(workers_run(4, take_part, t));
	fork_shares_tables = before;
}

static void stress_close(struct stress *t)
{
	copier_close(&t->c);
	swap_fini();
}

static void stress_say(struct stress *t)
{
	struct vtd_stats s = copier_since(&t->c);

	if (t->first)
		test_note("failed first: %s (%#lx)", t->first, t->first_value);
	test_note("%lu copies, %lu refused, %lu faults, %lu flushes, %lu fills done again",
		  t->copies, t->refused, s.faults, s.page_flushes + s.domain_flushes,
		  t->c.d->mirror->stats.retry_count);
	test_note("against %lu unmaps, %lu forks, %lu protects, %lu pages reclaimed", t->churns,
		  t->forks, t->protects, t->reclaimed);
}

static void stress(bool shares)
{
	struct stress t = { .stop = false };

	COPIER_NEEDED();
	REQUIRE(stress_open(&t, false));
	stress_run(&t, ROUNDS, shares);
	EXPECT(slowest(&t) >= ROUNDS / LEAD - 2 && t.reclaimed);
	for (va_t va = SOURCE; va < TARGET; va += 8)
		CHECK(&t, touch_reads(t.c.space, va, word_at(va)), va);
	EXPECT_EQ(t.failure_count, 0u);
	stress_say(&t);
	stress_close(&t);
}

// The words can be told from others.
TEST(dma_stress, words)
{
	EXPECT_EQ(SCRAMBLE * UNSCRAMBLE, 1u);
	EXPECT(is_word(word_at(SOURCE)) && is_word(word_at(TARGET - 8)));
	EXPECT(!is_word(word_at(TARGET)) && !is_word(0) && !is_word(~CHURN));
}

// Whatever is unmapped, forked, protected and reclaimed meanwhile: every byte that the device moves
// arrives, and no other is touched. Forks copy.
TEST(dma_stress, eager)
{
	stress(false);
}

// The same while forks share tables.
TEST(dma_stress, shared)
{
	stress(true);
}

/*
 * In place of looking again, the mirror's reader waits until it would have had to: until an
 * invalidation of what it has looked up has come and gone. What it establishes then is stale.
 */
static void wait_to_be_stale(struct notifier *n, uint64_t sequence, va_t start, va_t end)
{
	uint64_t limit = clock_now() + RETRY_WAIT;

	while (clock_now() < limit &&
	       (!notifier_read_retry(n, sequence, start, end) || notifier_is_open(n, start, end)))
		thread_sleep(20 * CLOCK_US);
}

/* With something left out, the device reads what it should not, sooner or later. */
static void stress_broken(bool skip_flushes)
{
	struct stress t = { .stop = false };

	COPIER_NEEDED();
	REQUIRE(stress_open(&t, true));
	if (skip_flushes)
		t.c.d->flush_skip = ~0u;
	else
		t.c.d->mirror->retry_skip = wait_to_be_stale;
	t.waiting = !skip_flushes;
	stress_run(&t, BROKEN_ROUNDS, false);
	stress_say(&t);
	EXPECT_EQ(t.failure_count, 0u);
	stress_close(&t);
}

TEST_HIDDEN(selftest, dma_without_retry)
{
	stress_broken(false);
}

TEST_HIDDEN(selftest, dma_without_flush)
{
	stress_broken(true);
}
