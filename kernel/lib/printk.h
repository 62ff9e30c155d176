/*
 * printk: formatted text to the console, and the two ways to say that the
 * kernel itself is wrong: ASSERT and panic.
 *
 * Locking: printk may be called from anywhere, traps included.
 * Talks to: whatever console the boot code registered (dev/serial); panic also to the arch's back
 * trace and to dev/debug_exit.
 */
#pragma once

#include <lib/compiler.h>

/*
 * Print to the console.
 *
 * Conversions: %d %i %u %x %X %o %c %s %p %% with flags "0-+# ", width, precision, '*',
 * and the length marks hh h l ll z. Output is plain text; '\n' is sent as CR LF by the
 * serial driver.
 */
void printk(const char *fmt, ...) PRINTF_LIKE(1, 2);
void vprintk(const char *fmt, __builtin_va_list args) PRINTF_LIKE(1, 0);

/*
 * Keep several calls of printk together: nobody else prints between begin and end, and interrupts
 * are disabled. They nest. printk_end takes what printk_begin returned.
 */
uint64_t printk_begin(void);
void printk_end(uint64_t flags);

/* Where printk's text goes from this moment on; before the first call it is dropped. Returns where
 * it went until now. */
typedef void (*printk_write_t)(const char *text, size_t length);
printk_write_t printk_set_console(printk_write_t write);

/*
 * The same into a buffer; always terminated when size > 0.
 *
 * Returns the length the whole text would have had, as C's snprintf does.
 */
int ksnprintf(char *buf, size_t size, const char *fmt, ...) PRINTF_LIKE(3, 4);
int kvsnprintf(char *buf, size_t size, const char *fmt, __builtin_va_list args) PRINTF_LIKE(3, 0);

/*
 * Stop: print the reason, file:line, a back trace with function names, then
 * "Bail out! reason" and leave through debug-exit with the panic code.
 */
void panic_at(const char *file, int line, const char *fmt, ...) PRINTF_LIKE(3, 4) NORETURN;
#define panic(...) panic_at(__FILE__, __LINE__, __VA_ARGS__)

/* Is a panic on its way out? Then nothing may wait for anybody. */
bool panic_has_begun(void);

/* The end of every panic: "Bail out! reason" and the panic code. */
void bail_out(const char *reason) NORETURN;

/*
 * The beginning of every report of an end: from here on this CPU is the only one that runs, and
 * what it prints goes through. Returns false if it had begun before, and met another one on its
 * way.
 */
bool panic_begin(void);
/* The same, but the others go on: the caller stops them in its own way. */
bool panic_claim(void);
/* Stops all other CPUs. Set by arch once there are others. */
extern void (*panic_stop_others)(void);

/*
 * Our own invariants, never for input. A test may expect one to fire (tests/kernel/test.h,
 * EXPECT_BUG); otherwise it is a panic that prints the expression and file:line.
 */
void assert_failed(const char *file, int line, const char *expr, uint64_t left,
		   uint64_t right) NORETURN;
/* Asked first by assert_failed; does not return if the bug was expected. Set by main for tests. */
extern void (*assert_hook)(const char *file, int line, const char *expr);
#define ASSERT(cond) ((cond) ? (void)0 : assert_failed(__FILE__, __LINE__, #cond, 0, 0))
#define ASSERT_OP(a, op, b)                                                                \
	do {                                                                               \
		__typeof__(a) a_ = (a);                                                    \
		__typeof__(b) b_ = (b);                                                    \
		if (!(a_ op b_))                                                           \
			assert_failed(__FILE__, __LINE__, #a " " #op " " #b, (uint64_t)a_, \
				      (uint64_t)b_);                                       \
	} while (0)
#define ASSERT_EQ(a, b) ASSERT_OP(a, ==, b)
