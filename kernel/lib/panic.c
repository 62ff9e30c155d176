/*
 * The end: panic, and the failed ASSERTs that lead to it.
 *
 * Invariant: a panic that meets a second panic on its way out still leaves through debug-exit; of
 * several CPUs that panic the first one is heard.
 * Locking: none. Talks to: arch (back trace), dev/debug_exit.
 */
#include <arch/backtrace.h>
#include <arch/cpu.h>
#include <dev/debug_exit.h>
#include <lib/printk.h>

static unsigned panic_owner; /* 1 + number of the CPU */

void (*panic_stop_others)(void);
void (*assert_hook)(const char *file, int line, const char *expr);

void bail_out(const char *reason)
{
	/* From the start of a line: whatever was being printed may have been cut short. */
	printk("\nBail out! %s\n", reason);
	debug_exit(DEBUG_EXIT_PANIC);
}

/* Another CPU is at it: stay out of its way until it stops this one. */
static NORETURN void stop_here(void)
{
	for (;;)
		arch_halt();
}

bool panic_has_begun(void)
{
	return READ_ONCE(panic_owner);
}

bool panic_claim(void)
{
	unsigned nobody = 0, me = cpu_index() + 1;

	arch_irq_disable();
	if (!__atomic_compare_exchange_n(&panic_owner, &nobody, me, false, __ATOMIC_SEQ_CST,
					 __ATOMIC_SEQ_CST)) {
		if (nobody != me)
			stop_here();
		return false;
	}
	return true;
}

bool panic_begin(void)
{
	if (!panic_claim())
		return false;
	if (panic_stop_others)
		panic_stop_others();
	return true;
}

void panic_at(const char *file, int line, const char *fmt, ...)
{
	char reason[200];
	__builtin_va_list args;

	__builtin_va_start(args, fmt);
	kvsnprintf(reason, sizeof(reason), fmt, args);
	__builtin_va_end(args);

	if (!panic_begin())
		bail_out(reason);
	printk("\npanic: %s\n  at %s:%d\n", reason, file, line);
	backtrace_print_here();
	bail_out(reason);
}

void assert_failed(const char *file, int line, const char *expr, uint64_t left, uint64_t right)
{
	if (assert_hook)
		assert_hook(file, line, expr);
	panic_at(file, line, "ASSERT(%s) failed: %#lx, %#lx", expr, left, right);
}
