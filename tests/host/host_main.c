/*
 * The host program: boots the fake machine, runs the tests that match, and says how it went.
 *
 * Takes the kernel's own options as arguments: test=glob seed=n. Its exit status is 0 only if
 * something passed and nothing failed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lib/broken.h>
#include <lib/printk.h>
#include <mm/share.h>
#include <options.h>
#include <tests/host/host.h>
#include <tests/host/host_turns.h>
#include <tests/kernel/test.h>

#define EXIT_USAGE 2
#define EXIT_PANIC 3

static void console_write(const char *text, size_t length)
{
	fwrite(text, 1, length, stdout);
}

void panic_at(const char *file, int line, const char *fmt, ...)
{
	__builtin_va_list args;
	char reason[256];

	__builtin_va_start(args, fmt);
	kvsnprintf(reason, sizeof(reason), fmt, args);
	__builtin_va_end(args);
	printk("panic at %s:%d\nBail out! %s\n", file, line, reason);
	fflush(NULL);
	_Exit(EXIT_PANIC);
}

void assert_failed(const char *file, int line, const char *expr, uint64_t left, uint64_t right)
{
	test_bug_hit(file, line, expr);
	panic_at(file, line, "bug: %s (%#llx, %#llx)", expr, (unsigned long long)left,
		 (unsigned long long)right);
}

static void report_option(const char *text)
{
	fprintf(stderr, "%s\n", text);
}

/* Read the arguments as the kernel reads its command line. */
static void read_options(int argc, char **argv)
{
	char line[OPTIONS_CMDLINE_MAX];
	size_t length = 0;

	line[0] = '\0';
	for (int i = 1; i < argc && length < sizeof(line); i++) {
		if (!strncmp(argv[i], "sched=", 6))
			host_turns_seed = strtoull(argv[i] + 6, NULL, 0);
		else
			length += (size_t)snprintf(line + length, sizeof(line) - length, "\"%s\" ",
						   argv[i]);
	}
	options_parse(&options, line, report_option);
	if (options.error_count || length >= sizeof(line)) {
		fprintf(stderr, "usage: test [test=glob[,glob...]] [seed=n] [sched=n]\n");
		exit(EXIT_USAGE);
	}
}

int main(int argc, char **argv)
{
	struct test_result result;

	setvbuf(stdout, NULL, _IOLBF, 0);
	printk_set_console(console_write);
	read_options(argc, argv);
	test_random_seed(options.seed);
	fork_shares_tables = options.fork == FORK_SHARED;
	broken_variant = options.broken;
	host_arena_map();
	host_boot_default();
	result = test_run(options.test);
	return result.passed && !result.failed ? EXIT_SUCCESS : EXIT_FAILURE;
}
