/*
 * What somebody types at the prompt: keys, lines, completion, and every command but those that run
 * tests and the tour. The terminal is the input's as well; when it ends, so does the line.
 */
#include <setjmp.h>

#include <arch/trap.h>
#include <dev/debug_exit.h>
#include <dev/serial.h>
#include <lib/printk.h>
#include <mm/copy.h>
#include <mm/share.h>
#include <shell/device.h>
#include <shell/dump.h>
#include <shell/scratch.h>
#include <shell/shell.h>
#include <shell/term.h>
#include <shell/watch.h>
#include <tests/fuzz/fuzz.h>
#include <tests/kernel/oracle.h>
#include <tests/kernel/touch.h>

static const uint8_t *key, *key_end;
static jmp_buf left;

/* It names parts of an image that is not here. */
void dump_linux(const struct space *s)
{
	(void)s;
}

/* No device works in a space here. */
void device_forget(const struct space *s)
{
	(void)s;
}

bool panic_has_begun(void)
{
	return false;
}

int serial_read(void)
{
	return key < key_end ? *key++ : -1;
}

void serial_write(const char *text, size_t length)
{
	(void)text, (void)length;
}

/* Stands in for the way out of the machine. */
void debug_exit(enum debug_exit_code code)
{
	(void)code;
	longjmp(left, 1);
}

/* An access as a program makes it, by the MMU in software. */
struct trap_info arch_access(struct access *a)
{
	struct space *s = space_current();
	bool done = a->kind == ACCESS_WRITE ? touch_write(s, a->va & ~7ull, a->value)
					    : touch_read(s, a->va & ~7ull, &a->value);

	return (struct trap_info){ .vector = done ? TRAP_NONE : TRAP_PF, .va = a->va };
}

static void let_go(void *arg, const char *name)
{
	*(const char **)arg = name;
}

static void reset(void)
{
	const char *name;

	touch_done();
	space_switch(NULL);
	do {
		struct space *s;

		name = NULL;
		scratch_each(let_go, &name);
		s = name ? scratch_find(name) : NULL;
		if (s) {
			watch_forget(s);
			scratch_remove(s);
			space_destroy(s);
		}
	} while (name);
	shell_failure_count = 0;
	term_rows = term_columns = 0;
	fork_shares_tables = false;
}

void fuzz_one(const uint8_t *data, size_t size)
{
	key = data;
	key_end = data + size;
	if (!setjmp(left))
		shell_run();
	if (oracle_check())
		fuzz_fail("the oracle disagrees");
	reset();
}
