/* Grace periods; see grace.h. */
#include <lib/cpu_set.h>
#include <lib/preempt.h>
#include <lib/printk.h>
#include <mm/grace.h>

struct grace_slot {
	uint32_t sequence; /* odd: inside a section. Written by its CPU alone */
	uint32_t depth;
} ALIGNED(64);

static struct grace_slot grace_slot[CPU_MAX];
static struct cpu_set grace_cpus; /* those that have ever been inside */

void grace_enter(void)
{
	struct grace_slot *s;

	preempt_disable();
	s = &grace_slot[cpu_index()];
	if (!cpu_set_has(&grace_cpus, cpu_index()))
		cpu_set_add_atomic(&grace_cpus, cpu_index());
	if (s->depth++)
		return;
	WRITE_ONCE(s->sequence, s->sequence + 1);
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* before the first look at a table */
}

void grace_exit(void)
{
	struct grace_slot *s = &grace_slot[cpu_index()];

	ASSERT(s->depth);
	if (!--s->depth)
		__atomic_store_n(&s->sequence, s->sequence + 1, __ATOMIC_RELEASE);
	preempt_enable();
}

void grace_wait(void)
{
	unsigned cpu;

	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* behind the table's leaving the tree */
	cpu_set_for_each(cpu, &grace_cpus)
	{
		const struct grace_slot *s = &grace_slot[cpu];
		uint32_t seen = __atomic_load_n(&s->sequence, __ATOMIC_ACQUIRE);

		while ((seen & 1) && __atomic_load_n(&s->sequence, __ATOMIC_ACQUIRE) == seen)
			arch_pause();
	}
}
