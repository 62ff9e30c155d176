/*
 * The runner of measurements, see bench.h, and the monitor's command for it.
 *
 * No state but the calibration and the rows of the last runs. Talks to: lib, mm/frame.
 */
#include <arch/mmu.h>
#include <bench/bench.h>
#include <lib/glob.h>
#include <lib/printk.h>
#include <lib/string.h>
#include <mm/frame.h>
#include <shell/shell.h>

#define ROW_MAX 512
#define PROBE_TURNS 1000

extern const struct bench __start_bench_entries[], __stop_bench_entries[];

uint64_t bench_overhead, bench_size_max = 1ull << 40;
struct bench_content bench_content[2];
bool bench_is_quiet;
static struct bench_row rows[ROW_MAX];
static unsigned row_count;
static bool counts_instructions;

/* ---- Calibration. ---- */

static void measure_overhead(void)
{
	struct bench_best best = BENCH_BEST;

	bench_overhead = 0;
	for (unsigned i = 0; i < BENCH_REPEATS; i++) {
		bench_start(&best);
		bench_stop(&best);
	}
	bench_overhead = best.least;
}

/* A loop of known length: two instructions a turn, and one before it. */
static void probe_counter(void)
{
	struct bench_best best = BENCH_BEST;
	uint64_t turns;

	counts_instructions = true;
	for (unsigned i = 0; i < BENCH_REPEATS; i++) {
		bench_start(&best);
		__asm__ volatile("mov %1, %0; 1: dec %0; jnz 1b"
				 : "=r"(turns)
				 : "i"(PROBE_TURNS)
				 : "cc", "memory");
		counts_instructions &= bench_stop(&best) == 2 * PROBE_TURNS + 1;
	}
}

static struct bench_content measure_content(unsigned order)
{
	struct bench_best clear = BENCH_BEST, copy = BENCH_BEST;
	struct frame *a = frame_alloc(order, FRAME_KERNEL), *b = frame_alloc(order, FRAME_KERNEL);

	ASSERT(a && b);
	for (unsigned i = 0; i < BENCH_REPEATS; i++) {
		bench_start(&clear);
		memset(pa_to_ptr(frame_to_pa(a)), 0, PAGE_SIZE << order);
		bench_stop(&clear);
		bench_start(&copy);
		memcpy(pa_to_ptr(frame_to_pa(b)), pa_to_ptr(frame_to_pa(a)), PAGE_SIZE << order);
		bench_stop(&copy);
	}
	frame_free(a);
	frame_free(b);
	return (struct bench_content){ clear.least, copy.least };
}

static void calibrate(void)
{
	measure_overhead();
	probe_counter();
	bench_content[0] = measure_content(0);
	bench_content[1] = measure_content(9);
}

bool bench_counts_instructions(void)
{
	return counts_instructions;
}

/* ---- Rows. ---- */

void bench_report(const struct bench_row *row)
{
	if (row_count < ROW_MAX)
		rows[row_count++] = *row;
	if (bench_is_quiet)
		return;
	printk("bench,%s,%s,%u,%lu,%lu,%lu,%lu,%lu\n", row->name, row->impl, arch_mmu.top_level + 1,
	       row->page_bytes, row->size_bytes, row->items, row->instructions, row->content);
}

const struct bench_row *bench_find(const char *name, const char *impl, uint64_t page_bytes,
				   uint64_t size_bytes)
{
	for (unsigned i = row_count; i-- > 0;) {
		const struct bench_row *r = &rows[i];

		if (!strcmp(r->name, name) && !strcmp(r->impl, impl) &&
		    r->page_bytes == page_bytes && r->size_bytes == size_bytes)
			return r;
	}
	return NULL;
}

/* ---- Running. ---- */

static bool is_asked_for(const struct bench *b, const char *globs)
{
	for (;;) {
		const char *comma = strchr(globs, ',');

		if (glob_match(globs, comma ? (size_t)(comma - globs) : strlen(globs), b->name))
			return true;
		if (!comma)
			return false;
		globs = comma + 1;
	}
}

/* The linker fills the table in no order to rely on. */
static const struct bench *bench_after(const char *name)
{
	const struct bench *best = NULL;

	for (const struct bench *b = __start_bench_entries; b < __stop_bench_entries; b++)
		if (strcmp(b->name, name) > 0 && (!best || strcmp(b->name, best->name) < 0))
			best = b;
	return best;
}

static unsigned run_matching(const char *globs)
{
	unsigned run_count = 0;

	for (const struct bench *b = bench_after(""); b; b = bench_after(b->name)) {
		if (!is_asked_for(b, globs))
			continue;
		if (!bench_is_quiet)
			printk("# %s: %s\n", b->name, b->what);
		b->run();
		run_count++;
	}
	return run_count;
}

bool bench_run(const char *globs)
{
	unsigned run_count;

	row_count = 0;
	calibrate();
	if (!bench_is_quiet)
		printk("bench begin %s tests=%d\n", counts_instructions ? "instructions" : "ticks",
		       PTOLEMY_TEST);
	run_count = run_matching(globs);
	if (!bench_is_quiet)
		printk("bench end\n");
	if (!run_count)
		printk("no workload matches \"%s\"\n", globs);
	return run_count;
}

SHELL_COMMAND(bench, "work", "bench <globs>",
	      "measure, for example: bench fork,walk; `bench *` for all")
{
	return bench_run(argv[1]);
}
