/* Per-CPU slots for the books of areas; see account.h. */
#include <lib/cpu_set.h>
#include <lib/preempt.h>
#include <lib/spin_word.h>
#include <mm/space.h>

struct account_slot {
	uint32_t lock; /* word */
	/* under lock; collectors look at area before they take it */
	struct area *area;
	int64_t mapped[MAPPED_KIND_COUNT];
	int64_t faults[FAULT_RESULT_COUNT];
} ALIGNED(64);

static struct account_slot account_slot[CPU_MAX];
static struct cpu_set account_cpus; /* those that have booked anything, ever */

static void account_move(int64_t *to, int64_t *from, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		if (from[i])
			__atomic_add_fetch(&to[i], from[i], __ATOMIC_RELAXED);
		from[i] = 0;
	}
}

static void account_empty(struct account_slot *s)
{
	if (s->area) {
		account_move(s->area->mapped, s->mapped, MAPPED_KIND_COUNT);
		account_move(s->area->faults, s->faults, FAULT_RESULT_COUNT);
	}
	WRITE_ONCE(s->area, NULL);
}

/* This CPU's slot, locked, for this area. */
static struct account_slot *account_open(struct area *area)
{
	struct account_slot *s;

	preempt_disable();
	s = &account_slot[cpu_index()];
	if (!cpu_set_has(&account_cpus, cpu_index()))
		cpu_set_add_atomic(&account_cpus, cpu_index());
	spin_word_lock(&s->lock);
	if (s->area != area) {
		account_empty(s);
		WRITE_ONCE(s->area, area);
	}
	return s;
}

static void account_close(struct account_slot *s)
{
	spin_word_unlock(&s->lock);
	preempt_enable();
}

void area_account(struct area *area, enum mapped_kind kind, int64_t pages)
{
	struct account_slot *s = account_open(area);

	s->mapped[kind] += pages;
	account_close(s);
}

void area_account_fault(struct area *area, enum fault_result result)
{
	struct account_slot *s = account_open(area);

	s->faults[result]++;
	account_close(s);
}

void area_collect(struct area *area)
{
	unsigned cpu;

	cpu_set_for_each(cpu, &account_cpus)
	{
		struct account_slot *s = &account_slot[cpu];

		if (READ_ONCE(s->area) != area)
			continue;
		preempt_disable(); /* who books on this CPU could not wait for one put off */
		spin_word_lock(&s->lock);
		if (s->area == area)
			account_empty(s);
		spin_word_unlock(&s->lock);
		preempt_enable();
	}
}
