/*
 * Tests that register themselves, in the kernel and on the host.
 *
 *   // One sentence: the claim.
 *   TEST(frame, double_free_is_caught)
 *   {
 *           EXPECT_EQ(frame_free_count(), before);
 *   }
 *
 * A failed EXPECT_ prints file:line and both values and goes on; REQUIRE_ also leaves the test. A
 * test that made no check fails. The runner prints KTAP: a suite is a subtest, with a last test of
 * its own, `no_frame_leaked`, that compares the free frames before and after the suite.
 */
#pragma once

#include <lib/compiler.h>

struct test {
	const char *suite, *name;
	void (*run)(void);
	const char *file;
	int line;
	bool hidden;
};

#define TEST(suite_, name_) TEST_DEFINE_(suite_, name_, false)

/* One that only its full name selects, not a glob: it is meant to fail, and tests the runner. */
#define TEST_HIDDEN(suite_, name_) TEST_DEFINE_(suite_, name_, true)

#define TEST_DEFINE_(suite_, name_, hidden_)                                                    \
	static void test_##suite_##_##name_(void);                                              \
	static const struct test test_entry_##suite_##_##name_ SECTION("test_entries") ALIGNED( \
		8) = { #suite_, #name_, test_##suite_##_##name_, __FILE__, __LINE__, hidden_ }; \
	static void test_##suite_##_##name_(void)

/* The check itself: counts it, prints a `# file:line: ...` diagnostic when it fails. */
bool test_check(bool ok, const char *file, int line, const char *expr, uint64_t left,
		uint64_t right);

#define EXPECT(cond) test_check(!!(cond), __FILE__, __LINE__, #cond, 0, 0)
/* Compares as unsigned 64-bit numbers, so that signed constants need no suffix. */
#define EXPECT_OP(a, op, b)                                                          \
	({                                                                           \
		uint64_t a_ = (uint64_t)(a);                                         \
		uint64_t b_ = (uint64_t)(b);                                         \
		test_check(a_ op b_, __FILE__, __LINE__, #a " " #op " " #b, a_, b_); \
	})
#define EXPECT_EQ(a, b) EXPECT_OP(a, ==, b)
#define EXPECT_NE(a, b) EXPECT_OP(a, !=, b)
#define EXPECT_LE(a, b) EXPECT_OP(a, <=, b)
#define REQUIRE(cond)                                                       \
	do {                                                                \
		if (!test_check(!!(cond), __FILE__, __LINE__, #cond, 0, 0)) \
			return;                                             \
	} while (0)
#define REQUIRE_EQ(a, b)              \
	do {                          \
		if (!EXPECT_EQ(a, b)) \
			return;       \
	} while (0)

/* Say why this test cannot run here, and leave it. It counts as skipped, not as passed. */
#define TEST_SKIP(...)                  \
	do {                            \
		test_skip(__VA_ARGS__); \
		return;                 \
	} while (0)
void test_skip(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* A KTAP diagnostic line, "# ..." at the right indentation: counts and figures go here. */
void test_note(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* This test may take so many seconds from now on, instead of what option `deadline` says. */
void test_deadline(uint64_t seconds);

/*
 * Who sees to it that a test ends: told when one begins ("suite.name"), goes on and
 * ends. Set by the kernel's main; NULL where nobody does.
 */
struct test_guard {
	void (*begin)(const char *name);
	void (*extend)(uint64_t seconds);
	void (*end)(void);
};
extern const struct test_guard *test_guard;
/* For it: print the result of the test that does not end. */
void test_print_hang(void);

/*
 * Run statement; it must end in a failed ASSERT or a reported bug, and does not continue behind it.
 * (setjmp under the hood: locals changed in the statement are undefined afterwards.)
 */
#define EXPECT_BUG(statement)                                                            \
	do {                                                                             \
		if (!__builtin_setjmp(test_bug_begin())) {                               \
			statement;                                                       \
			test_bug_end();                                                  \
			test_check(false, __FILE__, __LINE__, "bug: " #statement, 0, 0); \
		} else {                                                                 \
			test_bug_end();                                                  \
			test_check(true, __FILE__, __LINE__, #statement, 0, 0);          \
		}                                                                        \
	} while (0)
void **test_bug_begin(void);
void test_bug_end(void);
/* What the last bug that a test expected was. */
const char *test_bug_text(void);
/* Called by assert_failed (assert_hook in the kernel): does not return if a test expects a bug. */
void test_bug_hit(const char *file, int line, const char *expr);

/* Deterministic random numbers, the same for a test whichever others run; the seed is printed with
 * the results and set by `seed=n`. */
uint64_t test_random(void);
void test_random_seed(uint64_t seed);

struct test_result {
	unsigned passed, failed, skipped;
};

/*
 * Run the tests whose "suite.name" or "suite" matches the glob (several, separated by commas; `*`
 * and `?`; after a '-' it takes out what the ones before it have chosen), print KTAP, and return
 * the counts. A glob that matches nothing counts as one failure and says so. Suites run in the
 * order of their names, tests as they are written.
 */
struct test_result test_run(const char *globs);
/*
 * The same so many times in one report, each time with other random numbers: the first with the
 * seed, the second with the seed + 1, ... After each it says how many frames are free.
 */
struct test_result test_run_rounds(const char *globs, uint64_t rounds);

/* Tell `found` of every suite, once each, in the order of their names. */
void test_each_suite(void (*found)(void *arg, const char *suite), void *arg);

/* What is worth a person's wait at every boot: without the suites that take their time. */
#define TEST_QUICK                                                                \
	"*,-sweep,-pt_*,pt_small_2,-frame_span,-put_off,-frame_bug,"              \
	"-multiboot_bad,-family,-*_cpus,-thread,-*_device,-vtd,-dma_*,-watchdog," \
	"-*_random,-swap_cpu,-model,-inject*,-bench,-reclaim_clock"
