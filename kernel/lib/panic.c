/*
 * The end: panic, and the failed ASSERTs that lead to it.
 *
 * Invariant: a panic that meets a second panic on its way out still leaves through debug-exit.
 * Locking: none. Talks to: arch (back trace), dev/debug_exit.
 */
#include <arch/backtrace.h>
#include <arch/cpu.h>
#include <dev/debug_exit.h>
#include <lib/printk.h>

void (*assert_hook)(const char *file, int line, const char *expr);

void bail_out(const char *reason)
{
	/* From the start of a line: whatever was being printed may have been cut short. */
	printk("\nBail out! %s\n", reason);
	debug_exit(DEBUG_EXIT_PANIC);
}

void panic_at(const char *file, int line, const char *fmt, ...)
{
	static unsigned depth;
	char reason[200];
	__builtin_va_list args;

	arch_irq_disable();
	__builtin_va_start(args, fmt);
	kvsnprintf(reason, sizeof(reason), fmt, args);
	__builtin_va_end(args);

	if (__atomic_fetch_add(&depth, 1, __ATOMIC_RELAXED))
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
