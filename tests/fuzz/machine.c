/* What all targets share: the machine, its panics, and the check that nothing was leaked. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lib/printk.h>
#include <mm/frame.h>
#include <mm/kspace.h>
#include <tests/fuzz/fuzz.h>
#include <tests/host/host.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Small: the oracle looks at every frame. */
static const struct host_bank bank[] = { { 0, 640 << 10 }, { 1 << 20, 63 << 20 } };

static void console_write(const char *text, size_t length)
{
	(void)text, (void)length;
}

void fuzz_fail(const char *why)
{
	fprintf(stderr, "fuzz: %s\n", why);
	abort();
}

void panic_at(const char *file, int line, const char *fmt, ...)
{
	(void)fmt;
	fprintf(stderr, "panic at %s:%d\n", file, line);
	abort();
}

void assert_failed(const char *file, int line, const char *expr, uint64_t left, uint64_t right)
{
	fprintf(stderr, "%s:%d: bug: %s (%#llx, %#llx)\n", file, line, expr,
		(unsigned long long)left, (unsigned long long)right);
	abort();
}

const char *fuzz_text(const uint8_t *data, size_t size, char *text, size_t room)
{
	size_t length = size < room ? size : room - 1;

	memcpy(text, data, length);
	text[length] = '\0';
	return text;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	printk_set_console(console_write);
	host_arena_map();
	if (host_boot(bank, ARRAY_SIZE(bank)))
		fuzz_fail("the machine does not boot");
	kspace_init_root();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool warm; /* pools keep what the first input made */
	uint64_t free_count = frame_free_count();

	fuzz_one(data, size);
	if (warm && frame_free_count() < free_count)
		fuzz_fail("frames leaked");
	warm = true;
	return 0;
}
