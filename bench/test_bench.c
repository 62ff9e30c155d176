/*
 * Do the measurements work, and do the small ones keep their goals?
 *
 * Figures count only where the time stamp counter counts instructions: under -icount (bench.h).
 */
#include <bench/bench.h>
#include <tests/kernel/test.h>

#if PTOLEMY_TEST

#define SMALL (2ull << 20)
#define PAGE 4096ull

/* Run workloads at the smallest size, in silence. */
static bool run_small(const char *globs)
{
	uint64_t size_max = bench_size_max;
	bool ok;

	bench_size_max = SMALL;
	bench_is_quiet = true;
	ok = bench_run(globs);
	bench_is_quiet = false;
	bench_size_max = size_max;
	return ok;
}

/* What a row says without contents, or so much that no goal is met. */
static uint64_t net(const char *name, const char *impl, uint64_t page_bytes, uint64_t size_bytes)
{
	const struct bench_row *row = bench_find(name, impl, page_bytes, size_bytes);

	EXPECT(row != NULL);
	return row ? row->instructions - row->content : ~0ull;
}

// Every workload runs to its end, reports something, and gives every frame back.
TEST(bench, every_workload_runs)
{
	EXPECT(run_small("*"));
	EXPECT_OP(net("fork", "eager", PAGE, SMALL), >, 0);
	EXPECT_OP(net("fork", "shared", PAGE, SMALL), >, 0);
	EXPECT_OP(net("fault_anon", "generic", PAGE, PAGE), >, 0);
}

// A glob that asks for nothing is an error.
TEST(bench, unknown_workload_is_an_error)
{
	EXPECT(!run_small("no_such_workload"));
}

// Sharing beats copying even where there is just one bottom table.
TEST(bench, shared_fork_is_cheaper)
{
	EXPECT(run_small("fork"));
	if (!bench_counts_instructions())
		TEST_SKIP("the counter does not count instructions");
	EXPECT_OP(net("fork", "shared", PAGE, SMALL), <, net("fork", "eager", PAGE, SMALL));
}

#endif
