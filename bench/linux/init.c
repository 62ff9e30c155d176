/*
 * The peer: the same workloads as bench/bench_fork.c and bench_fault.c, as the only process of a
 * Linux system, with rdtsc around system calls and stores.
 *
 * What differs from ours: a fork here makes a process as well as an address space, so its fixed
 * cost is told apart (size 0: a process without the area); stores come from ring 3; the timer
 * ticks. Contents are booked by rule: so many tables and pages, each at what the kernel's string
 * instructions cost on this CPU. A write to a shared 2M page splits it and copies 4K of it. The
 * kernel is started with init_on_alloc=0: Debian's default clears pages it will copy to as well.
 *
 * Its report is read by tools/bench.py; bench_levels in its environment is the kernel's depth.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../sizes.h"

#define REPEATS 3
#define PAGE 4096ull
#define PROBE_TURNS 1000
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

struct scene {
	uint64_t bytes, page_bytes, page_count, stride;
	char *base;
};

/* What child processes leave for their parent. */
static volatile struct shared {
	uint64_t finished; /* a time stamp */
	uint64_t writes[WRITE_COUNT];
} * shared;

static uint64_t overhead, clear_cost, copy_cost;
static const char *levels;

static inline uint64_t now(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void die(const char *what)
{
	perror(what);
	reboot(RB_AUTOBOOT);
	_exit(1);
}

static void report(const char *name, uint64_t page_bytes, uint64_t size_bytes, uint64_t items,
		   uint64_t instructions, uint64_t content)
{
	printf("bench,%s,linux,%s,%llu,%llu,%llu,%llu,%llu\n", name, levels,
	       (unsigned long long)page_bytes, (unsigned long long)size_bytes,
	       (unsigned long long)items, (unsigned long long)instructions,
	       (unsigned long long)content);
	fflush(stdout);
}

static void report_scene(const char *name, const struct scene *s, uint64_t instructions,
			 uint64_t content)
{
	report(name, s->page_bytes, s->bytes, s->page_count, instructions, content);
}

/* ---- Calibration. ---- */

static bool counts_instructions(void)
{
	uint64_t turns, start, took = ~0ull;

	overhead = ~0ull;
	for (unsigned i = 0; i < 100; i++) {
		start = now();
		overhead = least(overhead, now() - start);
	}
	for (unsigned i = 0; i < 100; i++) {
		start = now();
		__asm__ volatile("mov %1, %0; 1: dec %0; jnz 1b"
				 : "=r"(turns)
				 : "i"(PROBE_TURNS)
				 : "cc");
		took = least(took, now() - start - overhead);
	}
	return took == 2 * PROBE_TURNS + 1;
}

static bool cpu_has(const char *flag)
{
	static char text[8192];
	FILE *file = fopen("/proc/cpuinfo", "r");
	size_t length = file ? fread(text, 1, sizeof(text) - 1, file) : 0;
	char word[32];

	if (file)
		fclose(file);
	text[length] = '\0';
	snprintf(word, sizeof(word), " %s ", flag);
	return strstr(text, word);
}

/*
 * The kernel chooses its string instructions by these flags. With erms it clears and copies user
 * pages by the byte: a machine without the flag needs 3,584 instructions less for each, which is
 * the difference between 4,096 bytes and 512 words.
 */
static void find_content_costs(void)
{
	bool erms = cpu_has("erms"), rep_good = cpu_has("rep_good");

	clear_cost = copy_cost = erms ? PAGE : PAGE / 8;
	if (!erms && !rep_good)
		die("neither erms nor rep_good: what clearing costs is not known");
	printf("# erms %d: %llu to clear or copy a page\n", erms, (unsigned long long)clear_cost);
}

/* Tables of this process: what the kernel says, and the top one. */
static uint64_t table_count(void)
{
	FILE *file = fopen("/proc/self/status", "r");
	unsigned long kib = 0;
	char line[128];

	while (file && fgets(line, sizeof(line), file))
		sscanf(line, "VmPTE: %lu", &kib);
	if (file)
		fclose(file);
	return kib / 4 + 1;
}

/* ---- Scenes. ---- */

static void map_scene(struct scene *s)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;

	s->base = mmap((void *)0x10000000000, s->bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
	if (s->base == MAP_FAILED)
		die("mmap");
	madvise(s->base, s->bytes, s->page_bytes == PAGE ? MADV_NOHUGEPAGE : MADV_HUGEPAGE);
}

static struct scene scene_of(uint64_t bytes, uint64_t page_bytes)
{
	uint64_t sparse = page_bytes == PAGE ? SCENE_SPARSE_4K : SCENE_SPARSE_2M;
	uint64_t count = bytes <= SCENE_FULL_BYTES ? bytes / page_bytes : sparse;

	return (struct scene){ bytes, page_bytes, count, bytes / count, NULL };
}

static volatile char *page_of(const struct scene *s, uint64_t i)
{
	return s->base + i * s->stride;
}

static void write_all(const struct scene *s)
{
	for (uint64_t i = 0; i < s->page_count; i++)
		*page_of(s, i) = 1;
}

/* ---- Fork. ---- */

/* Fork and run `fn` in the child. Returns the child, and when the fork began and had returned. */
static pid_t fork_and(void (*fn)(const struct scene *), const struct scene *s, uint64_t *begun,
		      uint64_t *returned)
{
	pid_t pid;

	*begun = now();
	pid = fork();
	*returned = now();
	if (pid < 0)
		die("fork");
	if (pid == 0) {
		fn(s);
		_exit(0);
	}
	return pid;
}

static void do_nothing(const struct scene *s)
{
	(void)s;
}

static void unmap_all(const struct scene *s)
{
	munmap(s->base, s->bytes);
	shared->finished = now();
}

static void stay(const struct scene *s)
{
	(void)s;
	pause();
}

static void measure_fork(const struct scene *s, uint64_t content)
{
	uint64_t fork_least = ~0ull, exit_least = ~0ull, begun, returned;

	for (unsigned i = 0; i < REPEATS; i++) {
		write_all(s);
		waitpid(fork_and(do_nothing, s, &begun, &returned), NULL, 0);
		exit_least = least(exit_least, now() - begun - overhead);
		fork_least = least(fork_least, returned - begun - overhead);
	}
	report_scene("fork", s, fork_least, content);
	report_scene("fork_exit", s, exit_least, content);
}

static void measure_unmap(const struct scene *s, uint64_t content)
{
	uint64_t took = ~0ull, begun, returned;

	for (unsigned i = 0; i < REPEATS; i++) {
		write_all(s);
		waitpid(fork_and(unmap_all, s, &begun, &returned), NULL, 0);
		took = least(took, shared->finished - begun - overhead);
	}
	report_scene("fork_unmap", s, took, content);
}

static void measure_write(const struct scene *s, uint64_t content)
{
	uint64_t took = ~0ull, begun, returned;

	for (unsigned i = 0; i < REPEATS; i++) {
		write_all(s);
		waitpid(fork_and(write_all, s, &begun, &returned), NULL, 0);
		took = least(took, now() - begun - overhead);
	}
	report_scene("fork_write_exit", s, took, content + s->page_count * copy_cost);
}

static void measure_second(const struct scene *s, uint64_t content)
{
	uint64_t took = ~0ull, begun, returned, ignored;

	for (unsigned i = 0; i < REPEATS; i++) {
		pid_t first, second;

		write_all(s);
		first = fork_and(stay, s, &ignored, &ignored);
		second = fork_and(stay, s, &begun, &returned);
		took = least(took, returned - begun - overhead);
		kill(first, SIGKILL);
		kill(second, SIGKILL);
		waitpid(first, NULL, 0);
		waitpid(second, NULL, 0);
	}
	report_scene("second_fork", s, took, content);
}

/* ---- Writes. ---- */

/* In the child: time each write, in the order that jumps. */
static void write_each(const struct scene *s)
{
	for (unsigned i = 0; i < WRITE_COUNT; i++) {
		volatile char *p = page_of(s, WRITE_ORDER(i, s->page_count));
		uint64_t begun = now();

		*p = 2;
		shared->writes[i] = now() - begun - overhead;
	}
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void measure_first_write(const struct scene *s)
{
	uint64_t took[WRITE_COUNT], ignored;

	waitpid(fork_and(write_each, s, &ignored, &ignored), NULL, 0);
	memcpy(took, (const void *)shared->writes, sizeof(took));
	report("first_write", PAGE, s->bytes, 1, took[0], copy_cost);
	qsort(took, WRITE_COUNT, sizeof(took[0]), compare);
	report("first_write_p50", PAGE, s->bytes, 1, took[WRITE_COUNT / 2], copy_cost);
	report("first_write_max", PAGE, s->bytes, 1, took[WRITE_COUNT - 1], copy_cost);
	if (s->page_count == FAULT_PAGES)
		report("fault_cow", PAGE, PAGE, 1, took[0], copy_cost);
}

static void measure_fault_anon(void)
{
	struct scene s = scene_of(FAULT_PAGES * PAGE, PAGE);
	uint64_t took = ~0ull;

	map_scene(&s);
	for (uint64_t i = 0; i < s.page_count; i++) {
		volatile char *p = page_of(&s, i);
		uint64_t begun = now();

		*p = 1;
		took = least(took, now() - begun - overhead);
	}
	munmap(s.base, s.bytes);
	report("fault_anon", PAGE, PAGE, 1, took, clear_cost);
}

static void measure_mmap(uint64_t bytes)
{
	struct scene s = scene_of(bytes, PAGE);
	uint64_t took = ~0ull, tables = table_count(), content = 0;

	for (unsigned i = 0; i < REPEATS; i++) {
		uint64_t begun = now();

		map_scene(&s);
		write_all(&s);
		munmap(s.base, s.bytes);
		took = least(took, now() - begun - overhead);
	}
	map_scene(&s);
	write_all(&s);
	content = (table_count() - tables + s.page_count) * clear_cost;
	munmap(s.base, s.bytes);
	report_scene("mmap_munmap", &s, took, content);
}

/* ---- All of it. ---- */

static void measure_scene(uint64_t bytes, uint64_t page_bytes)
{
	struct scene s = scene_of(bytes, page_bytes);
	uint64_t content;

	map_scene(&s);
	write_all(&s);
	content = table_count() * clear_cost;
	measure_fork(&s, content);
	measure_unmap(&s, content);
	measure_second(&s, content);
	measure_write(&s, content);
	if (page_bytes == PAGE)
		measure_first_write(&s);
	munmap(s.base, s.bytes);
}

static void measure_all(void)
{
	static const uint64_t sizes[] = SCENE_SIZES;
	struct scene none = { 0, PAGE, 0, 0, NULL };

	measure_fork(&none, table_count() * clear_cost);
	measure_fault_anon();
	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
		measure_scene(sizes[i], PAGE);
		measure_scene(sizes[i], 2 << 20);
		if (sizes[i] <= SCENE_FULL_BYTES)
			measure_mmap(sizes[i]);
	}
}

int main(void)
{
	levels = getenv("bench_levels");
	if (mkdir("/proc", 0755), mount("proc", "/proc", "proc", 0, NULL))
		die("mount");
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	printf("bench begin %s\n", counts_instructions() ? "instructions" : "ticks");
	find_content_costs();
	measure_all();
	printf("bench end\n");
	fflush(stdout);
	reboot(RB_AUTOBOOT);
	return 1;
}
