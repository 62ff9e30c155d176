/*
 * printk: formatted text to the console that was registered; before that, nowhere.
 *
 * Locking: a lock of its own, which its holder may take again (a trap while printing), and which is
 * taken by force after a long wait: what is printed last matters most.
 * Talks to: the console (dev/serial), through printk_set_console.
 */
#include <arch/cpu.h>
#include <lib/format.h>
#include <lib/printk.h>

#define PATIENCE 1000000u /* pauses: much longer than a line takes */

static printk_write_t console_write;

printk_write_t printk_set_console(printk_write_t write)
{
	printk_write_t before = console_write;

	console_write = write;
	return before;
}

static void console_put(struct format_sink *sink, const char *text, size_t length)
{
	(void)sink;
	if (console_write)
		console_write(text, length);
}

/* ---- One CPU at a time. ---- */

static unsigned owner;       /* 1 + number of the CPU that prints; 0: none */
static unsigned owner_depth; /* the owner's */

static bool try_own(unsigned me)
{
	unsigned nobody = 0;

	return __atomic_load_n(&owner, __ATOMIC_RELAXED) == me ||
	       __atomic_compare_exchange_n(&owner, &nobody, me, false, __ATOMIC_ACQUIRE,
					   __ATOMIC_RELAXED);
}

uint64_t printk_begin(void)
{
	uint64_t flags = arch_irq_save();
	unsigned me = cpu_index() + 1;

	for (unsigned i = 0; i < PATIENCE && !try_own(me); i++) {
		arch_irq_restore(flags);
		arch_pause();
		arch_irq_save();
	}
	/* An owner that does not come back has been stopped, or is why somebody prints. */
	if (owner != me) {
		__atomic_store_n(&owner, me, __ATOMIC_RELAXED);
		owner_depth = 0;
	}
	owner_depth++;
	return flags;
}

void printk_end(uint64_t flags)
{
	if (owner == cpu_index() + 1 && !--owner_depth)
		__atomic_store_n(&owner, 0, __ATOMIC_RELEASE);
	arch_irq_restore(flags);
}

void vprintk(const char *fmt, __builtin_va_list args)
{
	struct format_sink sink = { console_put };
	uint64_t flags = printk_begin();

	format_text(&sink, fmt, args);
	printk_end(flags);
}

void printk(const char *fmt, ...)
{
	__builtin_va_list args;

	__builtin_va_start(args, fmt);
	vprintk(fmt, args);
	__builtin_va_end(args);
}
