/*
 * Who runs: the host's threads, each of which is a CPU of its own to the code under test.
 */
#include <sched.h>
#include <time.h>

#include <arch/clock.h>
#include <arch/smp.h>
#include <lib/context.h>
#include <lib/preempt.h>
#include <lib/printk.h>
#include <tests/host/host.h>
#include <tests/host/host_turns.h>

static __thread struct context context;
static __thread struct cpu_local local;

struct cpu_local *cpu_local(void)
{
	local.context = &context;
	return &local;
}

void host_cpu_begin(unsigned index)
{
	local.index = index;
}

uint64_t clock_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * CLOCK_S + (uint64_t)t.tv_nsec;
}

bool host_yields;

void host_maybe_yield(void)
{
	static __thread uint32_t random;

	if (local.irq_depth)
		return; /* who acts for another CPU takes no turns in its name */
	host_turns_point();
	if (!host_yields)
		return;
	random = random * 1664525 + 1013904223 + local.index;
	if (random >> 28 == 0)
		sched_yield();
}

void arch_pause(void)
{
	if (!host_turns_wait())
		sched_yield();
}

/* ---- Interrupts: held while they are disabled, or while somebody acts for the CPU. ---- */

static struct {
	uint32_t held;
} ALIGNED(64) interrupts[HOST_CPUS];

static void hold_interrupts(unsigned cpu)
{
	while (__atomic_exchange_n(&interrupts[cpu].held, 1, __ATOMIC_ACQUIRE))
		arch_pause();
}

static void let_interrupts(unsigned cpu)
{
	__atomic_store_n(&interrupts[cpu].held, 0, __ATOMIC_RELEASE);
}

void arch_irq_disable(void)
{
	if (!local.irq_disabled)
		hold_interrupts(local.index);
	local.irq_disabled = true;
}

void arch_irq_enable(void)
{
	if (local.irq_disabled)
		let_interrupts(local.index);
	local.irq_disabled = false;
}

static void call_as(unsigned cpu, void (*fn)(void *arg), void *arg)
{
	unsigned me = local.index;

	host_maybe_yield();
	hold_interrupts(cpu);
	local.index = cpu;
	local.irq_disabled = true;
	local.irq_depth++;
	fn(arg);
	local.irq_depth--;
	local.irq_disabled = false;
	local.index = me;
	let_interrupts(cpu);
}

/* The caller has interrupts enabled: two that call each other do not wait for each other. */
void cpu_call(const struct cpu_set *set, void (*fn)(void *arg), void *arg, bool wait)
{
	unsigned cpu;

	(void)wait;
	ASSERT(!local.irq_disabled);
	cpu_set_for_each(cpu, set) call_as(cpu, fn, arg);
}

void preempt_schedule(void)
{
}

void preempt_wait(unsigned round)
{
	(void)round;
	arch_pause();
}

/* Nobody halts. */
void preempt_kick(unsigned cpu)
{
	(void)cpu;
}
