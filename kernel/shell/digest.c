/* Test results condensed; see digest.h. */
#include <dev/serial.h>
#include <lib/printk.h>
#include <lib/string.h>
#include <shell/digest.h>

#if PTOLEMY_TEST

#define LINE_BYTES 256
#define HELD_BYTES 4096

/* What was printed since the last result: shown if the next one is a failure. */
static struct {
	char line[LINE_BYTES];
	size_t line_length;
	char held[HELD_BYTES]; /* complete lines */
	size_t held_length;
	bool open; /* everything goes through */
	unsigned dots;
} digest;

static void show_held(void)
{
	if (digest.dots)
		serial_write("\n", 1);
	digest.dots = 0;
	serial_write(digest.held, digest.held_length);
	digest.held_length = 0;
}

/* Hold the line; the oldest ones make room for it. */
static void hold_line(void)
{
	size_t room = HELD_BYTES - digest.line_length;

	if (digest.held_length > room) {
		memmove(digest.held, digest.held + digest.held_length - room, room);
		digest.held_length = room;
	}
	memcpy(digest.held + digest.held_length, digest.line, digest.line_length);
	digest.held_length += digest.line_length;
}

static bool line_begins(const char *text)
{
	return digest.line_length >= strlen(text) && !strncmp(digest.line, text, strlen(text));
}

static void end_line(void)
{
	hold_line();
	if (line_begins("Bail out!"))
		digest.open = true;
	if (digest.open || line_begins("not ok") || line_begins("    not ok"))
		show_held();
	else if (line_begins("ok ") || line_begins("    ok "))
		digest.held_length = 0;
	if (line_begins("ok ")) {
		digest.dots++;
		serial_write(".", 1);
	}
	digest.line_length = 0;
}

static void digest_write(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		digest.line[digest.line_length++] = text[i];
		if (text[i] == '\n' || digest.line_length == LINE_BYTES)
			end_line();
	}
}

struct test_result digest_run_tests(const char *globs)
{
	struct test_result result;

	memset(&digest, 0, sizeof(digest));
	printk_set_console(digest_write);
	result = test_run(globs);
	printk_set_console(serial_write);
	if (result.failed)
		show_held();
	printk("%s%u passed, %u failed, %u skipped\n", digest.dots ? "\n" : "", result.passed,
	       result.failed, result.skipped);
	return result;
}

#endif
