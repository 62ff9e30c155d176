/* Whose root each CPU has loaded; see tlb.h for who may see what, and when. */
#include <arch/mmu.h>
#include <arch/smp.h>
#include <lib/broken.h>
#include <lib/preempt.h>
#include <mm/kspace.h>
#include <mm/space.h>
#include <mm/tlb.h>

static struct tlb {
	struct space *running; /* what its thread runs in; NULL: nothing but the kernel */
	struct space *loaded;  /* whose root it has; NULL: the kernel's own */
	uint64_t generation;   /* of `loaded`: every flush up to it is done here */
	struct tlb_stats stats;
} ALIGNED(64) tlbs[CPU_MAX];

static uint64_t newest(const struct space *s)
{
	return __atomic_load_n(&s->generation, __ATOMIC_ACQUIRE);
}

/* ---- Switching. Interrupts are disabled. ---- */

/* Out of the old one's set last: who is in none has forgotten everything. */
static void load_root(struct tlb *t, struct space *s)
{
	struct space *old = t->loaded;

	if (s) {
		cpu_set_add_atomic(&s->cpus, cpu_index());
		t->generation = newest(s);
	}
	t->loaded = s;
	t->stats.loads++;
	arch_root_load(s ? s->root.top.pa : kernel_space.root.top.pa);
	if (old)
		cpu_set_remove_atomic(&old->cpus, cpu_index());
}

static void come_back(struct tlb *t)
{
	uint64_t generation = newest(t->loaded);

	if (generation == t->generation || BROKEN(no_catch_up)) {
		t->stats.warm++;
		return;
	}
	t->generation = generation;
	t->stats.catch_ups++;
	arch_root_load(t->loaded->root.top.pa);
}

void space_switch(struct space *s)
{
	uint64_t flags = arch_irq_save();
	struct tlb *t = &tlbs[cpu_index()];

	(void)__atomic_exchange_n(&t->running, s, __ATOMIC_SEQ_CST);
	if (s && s == t->loaded)
		come_back(t);
	else if (s)
		load_root(t, s);
	arch_irq_restore(flags);
}

struct space *space_current(void)
{
	return READ_ONCE(tlbs[cpu_index()].running);
}

/* ---- Flushing. ---- */

/* Who is seen to have left is done with what it read in the space: the frames may go. */
static bool runs_in(unsigned cpu, const struct space *s)
{
	return __atomic_load_n(&tlbs[cpu].running, __ATOMIC_ACQUIRE) == s;
}

uint64_t tlb_begin_flush(struct space *s, bool tables, struct cpu_set *set)
{
	uint64_t number = __atomic_add_fetch(&s->generation, 1, __ATOMIC_SEQ_CST);
	unsigned cpu;

	cpu_set_copy(set, &s->cpus);
	if (!tables)
		cpu_set_for_each(cpu, set) if (!runs_in(cpu, s)) cpu_set_remove(set, cpu);
	return number;
}

bool tlb_look(struct space *s, uint64_t number, bool *all)
{
	struct tlb *t = &tlbs[cpu_index()];

	if (t->loaded != s)
		return false;
	if (READ_ONCE(t->running) != s) {
		t->stats.detachings++;
		load_root(t, NULL);
		return false;
	}
	if (t->generation >= number) {
		t->stats.spared++;
		return false;
	}
	*all |= t->generation + 1 < number;
	t->generation = *all ? newest(s) : number;
	return true;
}

static void detach(void *space)
{
	struct tlb *t = &tlbs[cpu_index()];

	if (t->loaded == space && t->running != space)
		load_root(t, NULL);
}

void tlb_detach_all(struct space *s)
{
	struct cpu_set set;

	cpu_set_copy(&set, &s->cpus);
	if (cpu_set_count(&set))
		cpu_call(&set, detach, s, true);
}

struct tlb_stats tlb_stats(unsigned cpu)
{
	return tlbs[cpu].stats;
}
