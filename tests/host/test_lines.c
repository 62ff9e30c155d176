/*
 * What a fault writes, line by line: CPUs that fault pages of their own write no line in common.
 */
#include <mm/fault.h>
#include <mm/frame.h>
#include <tests/host/lines/lines.h>
#include <tests/kernel/cpu_work.h>

#define FAULTS 16
#define FRAME_STOCK 32
#define REGION 2048 /* pages: tables of its own */

static struct line_set written[CPUS];

static unsigned common_lines(const struct line_set *a, const struct line_set *b)
{
	unsigned count = 0;

	for (unsigned i = 0; i < a->count; i++)
		for (unsigned j = 0; j < b->count; j++)
			if (a->line[i] == b->line[j]) {
				test_note("both write the line at %#lx",
					  (unsigned long)a->line[i] * LINE_BYTES);
				count++;
			}
	return count;
}

/* As many frames in the CPU's own stock as it can have. */
static void fill_stock(struct work *k)
{
	struct frame *f[FRAME_STOCK];

	for (unsigned i = 0; i < FRAME_STOCK; i++)
		work_check(k, (f[i] = frame_alloc(0, FRAME_DATA)) != NULL);
	for (unsigned i = 0; i < FRAME_STOCK; i++)
		frame_free(f[i]);
}

/* The first page makes the tables; those that follow are watched. */
static void fault_and_watch(struct worker *w)
{
	struct work *k = w->arg;
	struct space *s = k->space[0];
	va_t start = BASE + PAGES(w->number * REGION);

	work_check(k, !space_fault(s, start, PT_W));
	fill_stock(k);
	work_meet(k, 1);
	lines_begin(&written[w->number]);
	for (unsigned i = 1; i <= FAULTS; i++)
		work_check(k, !space_fault(s, start + PAGES(i), PT_W));
	lines_end();
}

// Faults of pages that are nobody else's, in tables that are there, with frames of the CPU's own.
TEST(lines, disjoint_faults_share_none)
{
	struct work k;

	if (!lines_begin)
		TEST_SKIP("the program `lines` knows");
	k = work_begin(CPUS * REGION);
	work_run(&k, fault_and_watch);
	for (unsigned i = 0; i < CPUS; i++) {
		EXPECT_LE(FAULTS * PAGE_SIZE / LINE_BYTES, written[i].count);
		EXPECT(written[i].count < LINES_MAX);
		for (unsigned j = 0; j < i; j++)
			EXPECT_EQ(common_lines(&written[i], &written[j]), 0u);
	}
	test_note("%u faults write %u lines, %u of them the pages'", FAULTS, written[0].count,
		  (unsigned)(FAULTS * PAGE_SIZE / LINE_BYTES));
	work_end(&k);
}

static void fault_one_page(struct worker *w)
{
	struct work *k = w->arg;

	lines_begin(&written[w->number]);
	work_check(k, !space_fault(k->space[0], BASE + PAGES(w->number), PT_W));
	lines_end();
}

// And it would be seen: neighbours in one table do write lines in common.
TEST(lines, neighbours_are_seen)
{
	struct work k;

	if (!lines_begin)
		TEST_SKIP("the program `lines` knows");
	k = work_begin(CPUS);
	work_run(&k, fault_one_page);
	EXPECT(common_lines(&written[0], &written[1]) > 0);
	work_end(&k);
}
