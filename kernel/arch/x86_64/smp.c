/*
 * Interrupts between CPUs: cross-calls, rescheduling, flushes.
 *
 * A cross-call lies in its sender's slot; the sender puts its number into each receiver's inbox,
 * which is a set of CPUs, and interrupts it. A receiver empties its inbox and runs the call of
 * every sender in it.
 *
 *   slot[sender]   fn, arg, pending: how many have not run it yet; rests: the sender halts
 *   inbox[cpu]     whose calls this CPU has to run
 *
 * Locking: a slot is its CPU's while nothing is pending; inboxes are atomic.
 */
#include <arch/apic.h>
#include <arch/irq.h>
#include <arch/smp.h>
#include <lib/preempt.h>
#include <lib/printk.h>
#include <mm/flush.h>

#include "smp_internal.h"

static struct ALIGNED(64) {
	void (*fn)(void *arg);
	void *arg;
	uint32_t pending, rests;
	struct smp_stats stats;
} slots[CPU_MAX];

static struct ALIGNED(64) {
	struct cpu_set from;
} inboxes[CPU_MAX];

static uint8_t apic_ids[CPU_MAX];

void smp_set_apic_id(unsigned cpu, uint8_t id)
{
	apic_ids[cpu] = id;
}

unsigned smp_apic_id(unsigned cpu)
{
	return apic_ids[cpu];
}

struct smp_stats smp_stats(unsigned cpu)
{
	return slots[cpu].stats;
}

void cpu_set_others(struct cpu_set *set)
{
	cpu_set_clear(set);
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++)
		cpu_set_add(set, cpu);
	cpu_set_remove(set, cpu_index());
}

/* ---- Sending. ---- */

/* The CPUs of the set that are online, without the caller. */
static struct cpu_set others_of(const struct cpu_set *set)
{
	struct cpu_set others;

	cpu_set_others(&others);
	for (unsigned i = 0; i < CPU_SET_WORDS; i++)
		others.word[i] &= set->word[i];
	return others;
}

/* One command if it is for everybody else, one a CPU if not. */
static void send(const struct cpu_set *others, unsigned count, unsigned vector)
{
	unsigned cpu;

	if (count && count == cpu_count() - 1) {
		apic_send_to_others(vector);
		return;
	}
	cpu_set_for_each(cpu, others) apic_send(apic_ids[cpu], vector);
}

#if PTOLEMY_TEST
void (*smp_inject_delay)(void);
bool (*smp_inject_loss)(void);

static void inject_delay(void)
{
	if (UNLIKELY(smp_inject_delay))
		smp_inject_delay();
}

static bool inject_loss(void)
{
	return UNLIKELY(smp_inject_loss) && smp_inject_loss();
}
#else
static void inject_delay(void)
{
}

static bool inject_loss(void)
{
	return false;
}
#endif

void smp_send_reschedule(unsigned cpu)
{
	if (inject_loss())
		return;
	apic_send(apic_ids[cpu], VECTOR_RESCHEDULE);
}

void smp_send_flush(const struct cpu_set *set)
{
	struct cpu_set others;
	unsigned count;

	preempt_disable();
	others = others_of(set);
	count = cpu_set_count(&others);
	slots[cpu_index()].stats.flush_rounds += count != 0;
	send(&others, count, VECTOR_FLUSH);
	preempt_enable();
}

static void run_here(void (*fn)(void *arg), void *arg)
{
	uint64_t flags = arch_irq_save();

	cpu_local()->irq_depth++;
	fn(arg);
	cpu_local()->irq_depth--;
	arch_irq_restore(flags);
}

/*
 * If that takes long (an emulator may have fewer CPUs than it shows), the CPU halts, and whoever
 * is the last to run the call wakes it:
 *
 *   sender      rests = 1      (full barrier)   reads pending: not 0, halts
 *   receiver    pending = 0    (full barrier)   reads rests: 1, interrupts the sender
 *
 * One of them sees what the other wrote.
 */
static void wait_until_done(unsigned me)
{
	for (unsigned round = 0; __atomic_load_n(&slots[me].pending, __ATOMIC_ACQUIRE); round++) {
		arch_pause();
		if (round < PREEMPT_WAIT_ROUNDS)
			continue;
		arch_irq_disable();
		(void)__atomic_exchange_n(&slots[me].rests, 1, __ATOMIC_SEQ_CST);
		if (__atomic_load_n(&slots[me].pending, __ATOMIC_SEQ_CST))
			preempt_rest();
		arch_irq_enable();
		__atomic_store_n(&slots[me].rests, 0, __ATOMIC_RELAXED);
	}
}

/* Preemption is disabled: nobody else uses the slot. */
static void call_others(const struct cpu_set *others, unsigned count, void (*fn)(void *arg),
			void *arg)
{
	unsigned me = cpu_index(), cpu;

	wait_until_done(me);
	slots[me].fn = fn;
	slots[me].arg = arg;
	slots[me].stats.call_rounds++;
	__atomic_store_n(&slots[me].pending, count, __ATOMIC_RELEASE);
	cpu_set_for_each(cpu, others) cpu_set_add_atomic(&inboxes[cpu].from, me);
	send(others, count, VECTOR_CALL);
}

void cpu_call(const struct cpu_set *set, void (*fn)(void *arg), void *arg, bool wait)
{
	struct cpu_set others;
	unsigned me, count;

	preempt_disable();
	me = cpu_index();
	others = others_of(set);
	count = cpu_set_count(&others);
	ASSERT(!cpu_local()->irq_depth);
	ASSERT(!count || arch_irq_enabled());
	if (count)
		call_others(&others, count, fn, arg);
	if (cpu_set_has(set, me))
		run_here(fn, arg);
	if (count && wait)
		wait_until_done(me);
	preempt_enable();
}

/* ---- Receiving. ---- */

static void run_call_of(unsigned sender)
{
	slots[sender].fn(slots[sender].arg);
	slots[cpu_index()].stats.calls_handled++;
	if (!__atomic_sub_fetch(&slots[sender].pending, 1, __ATOMIC_SEQ_CST) &&
	    __atomic_load_n(&slots[sender].rests, __ATOMIC_SEQ_CST))
		apic_send(apic_ids[sender], VECTOR_RESCHEDULE);
}

static void handle_calls(unsigned vector)
{
	struct cpu_set *inbox = &inboxes[cpu_index()].from;

	(void)vector;
	inject_delay();
	for (unsigned i = 0; i < CPU_SET_WORDS; i++) {
		uint64_t senders = __atomic_exchange_n(&inbox->word[i], 0, __ATOMIC_ACQUIRE);

		for (; senders; senders &= senders - 1)
			run_call_of(i * 64 + (unsigned)__builtin_ctzll(senders));
	}
}

static void handle_flush(unsigned vector)
{
	(void)vector;
	slots[cpu_index()].stats.flushes_handled++;
	flush_ipi();
}

void smp_init_vectors(void)
{
	irq_set_handler(VECTOR_CALL, handle_calls);
	irq_set_handler(VECTOR_FLUSH, handle_flush);
}
