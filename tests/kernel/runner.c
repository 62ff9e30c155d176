/*
 * The test runner: picks tests by glob, runs them in a stable order and prints KTAP.
 *
 *   KTAP version 1
 *   1..1
 *       KTAP version 1
 *       # Subtest: suite
 *       1..2
 *       ok 1 behaviour_name
 *       ok 2 no_frame_leaked
 *   ok 1 suite                    a subset that both prove and kunit.py read
 *
 * The same in the kernel and on the host: nothing here knows the CPU.
 * Locking: one run at a time, on one CPU. Talks to: lib (printk, glob), mm/frame (the leak check).
 */
#include <lib/glob.h>
#include <lib/lock_check.h>
#include <lib/preempt.h>
#include <lib/printk.h>
#include <lib/string.h>
#include <mm/frame.h>
#include <options.h>
#include <tests/kernel/oracle.h>
#include <tests/kernel/test.h>

#define TEST_MAX 2048
#define INDENT "    "
/* Of one test: failures printed, and failures after which it is taken not to end. */
#define FAILURES_SHOWN 10
#define FAILURES_MAX 1000000

extern const struct test __start_test_entries[], __stop_test_entries[];

/* The tests of the current run, in order. */
static const struct test *selected[TEST_MAX];
static size_t selected_count;

/* The test that is running. */
static struct {
	const struct test *test;
	unsigned number;
	unsigned checks, failures;
	bool skipped;
	char skip_reason[120];
} current;

static struct {
	uint64_t seed, state;
} rng;

void test_note(const char *fmt, ...)
{
	uint64_t flags = printk_begin();
	__builtin_va_list args;

	__builtin_va_start(args, fmt);
	printk(INDENT "# ");
	vprintk(fmt, args);
	printk("\n");
	__builtin_va_end(args);
	printk_end(flags);
}

/* A walk in circles fails for ever: its log must not fill the disk, nor its test the day. */
static bool is_failure_shown(unsigned failures)
{
	if (failures == FAILURES_SHOWN)
		test_note("failures of this test that follow are not shown");
	if (failures == FAILURES_MAX)
		panic("%s.%s fails without end", current.test->suite, current.test->name);
	return failures < FAILURES_SHOWN;
}

bool test_check(bool ok, const char *file, int line, const char *expr, uint64_t left,
		uint64_t right)
{
	__atomic_fetch_add(&current.checks, 1, __ATOMIC_RELAXED);
	if (ok)
		return true;
	if (!is_failure_shown(__atomic_fetch_add(&current.failures, 1, __ATOMIC_RELAXED)))
		return false;
	if (left || right)
		test_note("%s:%d: failed: %s (%#lx, %#lx)", file, line, expr, left, right);
	else
		test_note("%s:%d: failed: %s", file, line, expr);
	return false;
}

void test_skip(const char *fmt, ...)
{
	__builtin_va_list args;

	__builtin_va_start(args, fmt);
	kvsnprintf(current.skip_reason, sizeof(current.skip_reason), fmt, args);
	__builtin_va_end(args);
	current.skipped = true;
}

void **test_bug_begin(void)
{
	struct cpu_local *local = cpu_local();
	struct context *c = local->context;

	c->bug_expected = true;
	c->bug_held_count = c->held_count;
	c->bug_preempt_count = local->preempt_count;
	c->bug_irq_depth = local->irq_depth;
	c->bug_irq_enabled = arch_irq_enabled();
	return c->bug_jump;
}

void test_bug_end(void)
{
	cpu_local()->context->bug_expected = false;
}

/* Make it as if what is abandoned had never held a lock nor disabled anything. */
static void undo_abandoned(const struct context *c)
{
	struct cpu_local *local = cpu_local();

	preempt_disable(); /* releasing a lock must not let others run yet */
	lock_release_abandoned(c->bug_held_count);
	local->preempt_count = c->bug_preempt_count;
	if (c->bug_irq_enabled)
		arch_irq_enable();
	else
		arch_irq_disable();
}

static char bug_text[120];

const char *test_bug_text(void)
{
	return bug_text;
}

void test_bug_hit(const char *file, int line, const char *expr)
{
	struct context *c = cpu_local()->context;

	if (!c->bug_expected || c->bug_irq_depth != cpu_local()->irq_depth)
		return;
	undo_abandoned(c);
	ksnprintf(bug_text, sizeof(bug_text), "%s:%d: %s", file, line, expr);
	__builtin_longjmp(c->bug_jump, 1);
}

/* splitmix64: any seed is as good as any other. */
uint64_t test_random(void)
{
	uint64_t z = rng.state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

void test_random_seed(uint64_t seed)
{
	rng.seed = rng.state = seed;
}

/* Each test has numbers of its own, whichever others run. */
static void seed_for_test(const struct test *t)
{
	uint64_t hash = 0xcbf29ce484222325; /* FNV-1a */

	for (const char *p = t->name; *p; p++)
		hash = (hash ^ (uint8_t)*p) * 0x100000001b3;
	rng.state = rng.seed ^ hash;
}

/* Does the pattern of `length` characters ask for this test? Hidden ones want the full name. */
static bool is_asked_for(const struct test *t, const char *pattern, size_t length)
{
	char name[128];

	ksnprintf(name, sizeof(name), "%s.%s", t->suite, t->name);
	if (t->hidden)
		return strlen(name) == length && !strncmp(name, pattern, length);
	return glob_match(pattern, length, name) || glob_match(pattern, length, t->suite);
}

static bool is_selected(const struct test *t)
{
	for (size_t i = 0; i < selected_count; i++)
		if (selected[i] == t)
			return true;
	return false;
}

/* Select what one glob asks for. Returns false if that is nothing. */
static bool select_glob(const char *pattern, size_t length)
{
	bool found = false;

	for (const struct test *t = __start_test_entries; t < __stop_test_entries; t++) {
		if (!is_asked_for(t, pattern, length))
			continue;
		found = true;
		if (!is_selected(t) && selected_count < TEST_MAX)
			selected[selected_count++] = t;
	}
	return found;
}

/* Take out what one glob names. Returns false if nothing of that was selected. */
static bool unselect_glob(const char *pattern, size_t length)
{
	size_t kept = 0, before = selected_count;

	for (size_t i = 0; i < selected_count; i++)
		if (!is_asked_for(selected[i], pattern, length))
			selected[kept++] = selected[i];
	selected_count = kept;
	return kept < before;
}

/* Select what the comma-separated globs ask for. Returns how many of them ask for nothing. */
static unsigned select_globs(const char *globs)
{
	unsigned unmatched = 0;

	selected_count = 0;
	for (;;) {
		const char *comma = strchr(globs, ',');
		size_t length = comma ? (size_t)(comma - globs) : strlen(globs);

		if (!(*globs == '-' ? unselect_glob(globs + 1, length - 1)
				    : select_glob(globs, length))) {
			printk("# no test matches \"%.*s\"\n", (int)length, globs);
			unmatched++;
		}
		if (!comma)
			return unmatched;
		globs = comma + 1;
	}
}

/* By suite, then as written: by file and line. */
static int compare_tests(const struct test *a, const struct test *b)
{
	int order = strcmp(a->suite, b->suite);

	if (!order)
		order = strcmp(a->file, b->file);
	return order ? order : a->line - b->line;
}

static void sort_selected(void)
{
	for (size_t i = 1; i < selected_count; i++) {
		const struct test *t = selected[i];
		size_t j = i;

		for (; j && compare_tests(selected[j - 1], t) > 0; j--)
			selected[j] = selected[j - 1];
		selected[j] = t;
	}
}

/* Behind the test at `first`, the first that is of another suite. */
static size_t suite_end(size_t first)
{
	size_t i = first;

	while (i < selected_count && !strcmp(selected[i]->suite, selected[first]->suite))
		i++;
	return i;
}

static unsigned suite_count(void)
{
	unsigned count = 0;

	for (size_t i = 0; i < selected_count; i = suite_end(i))
		count++;
	return count;
}

const struct test_guard *test_guard;

void test_deadline(uint64_t seconds)
{
	if (test_guard)
		test_guard->extend(seconds);
}

void test_print_hang(void)
{
	printk("\n" INDENT "not ok %u %s\n", current.number, current.test->name);
}

static void run_guarded(const struct test *t)
{
	static char name[128];

	ksnprintf(name, sizeof(name), "%s.%s", t->suite ? t->suite : "", t->name);
	if (test_guard)
		test_guard->begin(name);
	t->run();
	if (test_guard)
		test_guard->end();
}

static void run_test(const struct test *t, unsigned number, struct test_result *result)
{
	current.test = t;
	current.number = number;
	current.checks = current.failures = 0;
	current.skipped = false;
	seed_for_test(t);
	oracle_set_always(options.oracle_always);
	run_guarded(t);

	if (!current.checks && !current.skipped)
		test_check(false, t->file, t->line, "the test checks something", 0, 1);
	if (current.failures) {
		result->failed++;
		printk(INDENT "not ok %u %s\n", number, t->name);
	} else if (current.skipped) {
		result->skipped++;
		printk(INDENT "ok %u %s # SKIP %s\n", number, t->name, current.skip_reason);
	} else {
		result->passed++;
		printk(INDENT "ok %u %s\n", number, t->name);
	}
}

/* What closes every suite: it has given back every frame. */
static uint64_t suite_free_frames;

static void check_no_frame_leaked(void)
{
	EXPECT_EQ(frame_free_count(), suite_free_frames);
}

static const struct test no_frame_leaked = {
	.name = "no_frame_leaked",
	.run = check_no_frame_leaked,
	.file = __FILE__,
	.line = __LINE__,
};

/* Run the tests [first, end), which are one suite, and print its result. */
static struct test_result run_suite(size_t first, size_t end, unsigned number)
{
	struct test_result result = { 0 };
	const char *suite = selected[first]->suite;
	unsigned count = (unsigned)(end - first);

	printk(INDENT "KTAP version 1\n");
	printk(INDENT "# Subtest: %s\n", suite);
	printk(INDENT "1..%u\n", count + 1);
	suite_free_frames = frame_free_count();
	for (unsigned i = 0; i < count; i++)
		run_test(selected[first + i], i + 1, &result);

	bool all_skipped = result.skipped == count;

	run_test(&no_frame_leaked, count + 1, &result);
	printk("%sok %u %s%s\n", result.failed ? "not " : "", number, suite,
	       all_skipped && !result.failed ? " # SKIP all of it" : "");
	return result;
}

void test_each_suite(void (*found)(void *arg, const char *suite), void *arg)
{
	const char *last = "", *next;

	do {
		next = NULL;
		for (const struct test *t = __start_test_entries; t < __stop_test_entries; t++)
			if (!t->hidden && strcmp(t->suite, last) > 0 &&
			    (!next || strcmp(t->suite, next) < 0))
				next = t->suite;
		if (next)
			found(arg, next);
	} while ((last = next));
}

static void add_result(struct test_result *total, struct test_result more)
{
	total->passed += more.passed;
	total->failed += more.failed;
	total->skipped += more.skipped;
}

/* All that is selected, once. The first suite has the number after *number. */
static struct test_result run_round(unsigned *number)
{
	struct test_result total = { 0 };

	for (size_t i = 0; i < selected_count; i = suite_end(i))
		add_result(&total, run_suite(i, suite_end(i), ++*number));
	return total;
}

struct test_result test_run_rounds(const char *globs, uint64_t rounds)
{
	struct test_result total = { 0 };
	unsigned number = 0;
	unsigned unmatched = select_globs(globs);

	sort_selected();
	printk("\nKTAP version 1\n1..%lu\n", suite_count() * rounds + (unmatched ? 1 : 0));
	printk("# seed=%#lx\n", rng.seed);
	for (uint64_t round = 1; round <= rounds; round++, rng.seed++) {
		add_result(&total, run_round(&number));
		if (rounds > 1)
			printk("# round %lu of %lu: seed=%#lx, %lu frames free\n", round, rounds,
			       rng.seed, frame_free_count());
	}
	if (unmatched) {
		printk("not ok %u every_glob_matches_a_test\n", ++number);
		total.failed += unmatched;
	}
	oracle_set_always(false);
	if (options.oracle_always)
		printk("# the oracle looked %lu times\n", oracle_release_count);
	printk("# %u passed, %u failed, %u skipped\n", total.passed, total.failed, total.skipped);
	return total;
}

struct test_result test_run(const char *globs)
{
	return test_run_rounds(globs, 1);
}
