/*
 * Stopping all other CPUs, whatever they are doing: the end of a panic, and the watchdog's report.
 *
 * By NMI, one CPU at a time, so that what they print does not mix. A CPU that is stopped stays so.
 * Locking: the first who stops the others is the one; a second waits for ever.
 */
#include <arch/apic.h>
#include <arch/backtrace.h>
#include <arch/clock.h>
#include <lib/context.h>
#include <lib/lock_check.h>
#include <lib/printk.h>

#include "percpu.h"
#include "smp_internal.h"

#define ANSWER_NS (2 * CLOCK_S)
#define NOBODY (~0u)

void (*smp_print_running)(void);

static unsigned stopper = NOBODY; /* who stops the others */
static unsigned wanted = NOBODY;  /* who is to stop now; NOBODY again when it has */
static bool with_report;

static void print_state(const struct trap_frame *f)
{
	const struct cpu_local *local = cpu_local();

	printk("CPU %u: interrupts %s, preemption %s (%u), ", local->index,
	       f->rflags & RFLAGS_IF ? "enabled" : "disabled",
	       local->preempt_count ? "disabled" : "enabled", local->preempt_count);
	if (smp_print_running)
		smp_print_running();
	printk("\n");
	lock_print_held(local->context, "  ");
	backtrace_print_address(f->rip);
	backtrace_print(f->rbp);
}

static NORETURN void stop_here(void)
{
	for (;;) {
		arch_irq_disable();
		arch_halt();
	}
}

static bool handle_nmi(const struct trap_frame *f)
{
	if (__atomic_load_n(&stopper, __ATOMIC_ACQUIRE) == NOBODY)
		return false;
	if (__atomic_load_n(&wanted, __ATOMIC_ACQUIRE) == cpu_index()) {
		if (with_report)
			print_state(f);
		__atomic_store_n(&wanted, NOBODY, __ATOMIC_RELEASE);
	}
	stop_here();
}

void smp_init_stop(void)
{
	trap_nmi = handle_nmi;
	panic_stop_others = smp_stop_others;
}

static void stop_one(unsigned cpu)
{
	uint64_t start = clock_now();

	__atomic_store_n(&wanted, cpu, __ATOMIC_RELEASE);
	apic_send_nmi(smp_apic_id(cpu));
	while (__atomic_load_n(&wanted, __ATOMIC_ACQUIRE) == cpu) {
		if (clock_now() - start > ANSWER_NS) {
			printk("CPU %u: does not answer\n", cpu);
			return;
		}
		arch_pause();
	}
}

static void stop_others(bool report)
{
	unsigned nobody = NOBODY;

	if (cpu_count() == 1)
		return;
	arch_irq_disable();
	if (!__atomic_compare_exchange_n(&stopper, &nobody, cpu_index(), false, __ATOMIC_SEQ_CST,
					 __ATOMIC_SEQ_CST)) {
		if (nobody != cpu_index())
			stop_here();
		return;
	}
	with_report = report;
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++)
		if (cpu != cpu_index())
			stop_one(cpu);
}

void smp_stop_others(void)
{
	stop_others(false);
}

void smp_report_and_stop_others(void)
{
	stop_others(true);
}
