/*
 * What a non-maskable interrupt is for: stopping a CPU whatever it is doing, having it say first
 * what that was, and, on a machine with one CPU, looking after it although it hears nothing else.
 *
 * CPUs are stopped one at a time, so that what they print does not mix; a CPU that is stopped stays
 * so. Handlers run on their own stack and take no lock. Talks to: apic.c, dev (pic, pit).
 */
#include <arch/apic.h>
#include <arch/backtrace.h>
#include <arch/clock.h>
#include <arch/nmi.h>
#include <dev/pic.h>
#include <dev/pit.h>
#include <lib/context.h>
#include <lib/lock_check.h>
#include <lib/printk.h>

#include "percpu.h"
#include "smp_internal.h"

#define ANSWER_NS (2 * CLOCK_S)
#define NOBODY (~0u)
#define STRAGGLERS_MAX 2 /* one being delivered, one latched behind it (SDM vol. 3, 6.7.1) */

void (*nmi_print_running)(void);

/*
 * The boot CPU's: nobody else gets the timer's NMIs. One may come for which the controller has
 * nothing to say: its line rises again if the timer signals while the handler is on its way.
 */
#define TIMER_CPU 0
static void (*timer_fn)(void); /* NULL: off */
static unsigned stragglers;    /* how many may still be on their way since it was switched off */

static unsigned stopper = NOBODY; /* any other CPU that gets an NMI stops */
static unsigned wanted = NOBODY;  /* who is to stop now; NOBODY again when it has */
static bool with_report;

/* ---- Receiving. ---- */

/* What everybody wants to know of a CPU; `state` says more of its interrupts. */
static void print_state(const char *state)
{
	const struct cpu_local *local = cpu_local();

	printk("CPU %u: %s, preemption %s, ", local->index, state,
	       local->preempt_count ? "disabled" : "enabled");
	if (nmi_print_running)
		nmi_print_running();
	printk("\n");
	lock_print_held(local->context, "  ");
}

static NORETURN void stop_here(void)
{
	for (;;) {
		arch_irq_disable();
		arch_halt();
	}
}

static NORETURN void stop_when_asked(const struct trap_frame *f)
{
	if (__atomic_load_n(&wanted, __ATOMIC_ACQUIRE) == cpu_index()) {
		if (with_report) {
			print_state(f->rflags & RFLAGS_IF ? "interrupts enabled"
							  : "interrupts disabled");
			backtrace_print_address(f->rip);
			backtrace_print(f->rbp);
		}
		__atomic_store_n(&wanted, NOBODY, __ATOMIC_RELEASE);
	}
	stop_here();
}

static bool handle_nmi(const struct trap_frame *f)
{
	unsigned who = __atomic_load_n(&stopper, __ATOMIC_ACQUIRE);

	if (who != NOBODY && who != cpu_index())
		stop_when_asked(f);
	if (cpu_index() != TIMER_CPU || (!timer_fn && !stragglers))
		return false;
	if (!timer_fn)
		stragglers--;
	else if (pic_take_timer())
		timer_fn();
	return true;
}

/* ---- Sending. ---- */

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
	arch_irq_disable();
	with_report = report;
	__atomic_store_n(&stopper, cpu_index(), __ATOMIC_RELEASE);
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++)
		if (cpu != cpu_index())
			stop_one(cpu);
}

static void stop_others_silently(void)
{
	stop_others(false);
}

void nmi_report_all(void)
{
	print_state("reports");
	backtrace_print_here();
	stop_others(true);
}

/* ---- The timer. ---- */

void nmi_timer_start(void (*fn)(void))
{
	timer_fn = fn;
	pic_enable_timer();
	pit_start_periodic();
	apic_set_line0_nmi(true);
}

void nmi_timer_stop(void)
{
	apic_set_line0_nmi(false);
	pic_disable();
	stragglers = STRAGGLERS_MAX;
	timer_fn = NULL;
}

void nmi_init(void)
{
	trap_nmi = handle_nmi;
	panic_stop_others = stop_others_silently;
}
