/*
 * Tests of many CPUs: all that ACPI lists are there, each is its own, and they hear each other.
 */
#include <arch/apic.h>
#include <arch/clock.h>
#include <arch/mmu.h>
#include <arch/smp.h>
#include <arch/trap.h>
#include <dev/acpi.h>
#include <dev/madt.h>
#include <lib/preempt.h>
#include <lib/printk.h>
#include <mm/kspace.h>
#include <proc/sched.h>
#include <tests/kernel/test.h>
#include <tests/kernel/workers.h>

static struct cpu_set all_cpus(void)
{
	struct cpu_set set;

	preempt_disable();
	cpu_set_others(&set);
	cpu_set_add(&set, cpu_index());
	preempt_enable();
	return set;
}

/* As many CPUs are online as ACPI says may be started, with the APIC ids that it says. */
TEST(smp, every_listed_cpu_is_online)
{
	const struct acpi_header *table = acpi_map_table("APIC", 0);
	static struct madt madt;
	unsigned found = 0;

	REQUIRE(table);
	EXPECT_EQ(madt_parse(table, table->bytes, &madt), 0);
	acpi_unmap_table(table);
	EXPECT_EQ(cpu_count(), madt.cpu_count);
	for (unsigned i = 0; i < madt.cpu_count; i++)
		for (unsigned cpu = 0; cpu < cpu_count(); cpu++)
			found += smp_apic_id(cpu) == madt.apic_id[i];
	EXPECT_EQ(found, cpu_count());
	test_note("%u CPUs", cpu_count());
}

/* What each CPU says of itself. */
struct self {
	unsigned index, apic_id, call_count;
	struct cpu_local *local;
	uint64_t cr0, cr3, cr4, efer, pat, flags;
	uint64_t stack;
	uint16_t task;
	uint64_t gdt;
};
static struct self selves[CPU_MAX];

static void describe_self(void *arg)
{
	struct self *s = &selves[cpu_index()];
	struct PACKED {
		uint16_t limit;
		uint64_t base;
	} gdt;

	(void)arg;
	__asm__ volatile("sgdt %0" : "=m"(gdt));
	__asm__ volatile("str %0" : "=r"(s->task));
	s->gdt = gdt.base;
	s->index = cpu_index();
	s->apic_id = apic_id();
	s->local = cpu_local();
	s->cr0 = arch_read_cr0();
	s->cr3 = arch_root_current().value;
	s->cr4 = arch_read_cr4();
	s->efer = arch_read_msr(MSR_EFER);
	s->pat = arch_read_msr(0x277);
	s->flags = arch_read_flags();
	s->stack = (uint64_t)__builtin_frame_address(0);
	__atomic_fetch_add(&s->call_count, 1, __ATOMIC_RELAXED);
}

static void describe_all(void)
{
	struct cpu_set set = all_cpus();

	for (unsigned cpu = 0; cpu < CPU_MAX; cpu++)
		selves[cpu] = (struct self){ 0 };
	cpu_call(&set, describe_self, NULL, true);
}

/* Every CPU answers a call once, as itself, and runs it with interrupts disabled. */
TEST(smp, every_cpu_answers_a_call)
{
	describe_all();
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++) {
		EXPECT_EQ(selves[cpu].call_count, 1);
		EXPECT_EQ(selves[cpu].index, cpu);
		EXPECT_EQ(selves[cpu].apic_id, smp_apic_id(cpu));
		EXPECT(!(selves[cpu].flags & RFLAGS_IF));
	}
	for (unsigned cpu = cpu_count(); cpu < CPU_MAX; cpu++)
		EXPECT_EQ(selves[cpu].call_count, 0);
}

/* No two CPUs share what each must have of its own. */
TEST(smp, per_cpu_data_is_distinct)
{
	describe_all();
	for (unsigned a = 0; a < cpu_count(); a++) {
		EXPECT_EQ(selves[a].local->index, a);
		for (unsigned b = 0; b < a; b++) {
			EXPECT_NE(selves[a].local, selves[b].local);
			EXPECT_NE(selves[a].apic_id, selves[b].apic_id);
			EXPECT_NE(selves[a].gdt, selves[b].gdt);
			EXPECT_NE(selves[a].stack >> 12, selves[b].stack >> 12);
		}
	}
}

/* Every CPU walks the same tables in the same mode, with the same protections. */
TEST(smp, every_cpu_runs_in_the_same_mode)
{
	describe_all();
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++) {
		EXPECT_EQ(selves[cpu].cr0, selves[0].cr0);
		EXPECT_EQ(selves[cpu].cr3, kernel_space.root.top.pa.value);
		EXPECT_EQ(selves[cpu].cr4, selves[0].cr4);
		EXPECT_EQ(selves[cpu].efer, selves[0].efer);
		EXPECT_EQ(selves[cpu].pat, selves[0].pat);
		EXPECT_EQ(selves[cpu].task, selves[0].task);
	}
}

/* Nothing of the page that the CPUs started on is left in the kernel's tables. */
TEST(smp, start_page_is_unmapped)
{
	struct pt_root low = kernel_space.root;

	low.first = 0;
	low.last = ~kernel_space.root.first;
	for (va_t va = 0; va < 0x100000; va += PAGE_SIZE)
		EXPECT_EQ(pt_translate(&low, va).kind, (enum pt_kind)PT_NONE);
	for (unsigned i = 0; i <= pt_index(low.last, low.top.level); i++)
		EXPECT(ptv_none(ptp_get(pt_entry(low.top, i))));
	EXPECT_EQ(kspace_check_rights(), 0);
}

static void never(void *arg)
{
	(void)arg;
	panic("a CPU that does not exist has come");
}

/* A CPU that does not answer is left out, and costs nothing; those that run do not notice. */
TEST(smp, absent_cpu_is_left_out)
{
	struct smp_guest guest = { .apic_id = 254, .stack_top = &guest, .enter = never };
	uint64_t free_before = frame_free_count(), patience = smp_patience_ns;
	unsigned before = cpu_count();

	for (unsigned cpu = 0; cpu < cpu_count(); cpu++)
		if (smp_apic_id(cpu) == guest.apic_id)
			TEST_SKIP("all ids that there can be are taken");
	smp_patience_ns = 100 * CLOCK_MS;
	EXPECT_EQ(smp_start_cpus(&guest, 1), 0);
	smp_patience_ns = patience;
	EXPECT_EQ(guest.cpu, 0);
	EXPECT_EQ(cpu_count(), before);
	EXPECT_EQ(frame_free_count(), free_before);
	describe_all();
	EXPECT_EQ(selves[before - 1].call_count, 1);
}

/* Without memory for what it needs no CPU is awaited, and nothing is lost. */
TEST(smp, start_without_memory)
{
	struct smp_guest guest = { .apic_id = 254, .stack_top = &guest, .enter = never };
	uint64_t free_before = frame_free_count(), patience = smp_patience_ns;

	for (unsigned cpu = 0; cpu < cpu_count(); cpu++)
		if (smp_apic_id(cpu) == guest.apic_id)
			TEST_SKIP("all ids that there can be are taken");
	smp_patience_ns = CLOCK_MS;
	for (unsigned skip = 0; skip < 12; skip++) {
		frame_fail_after(skip, 1);
		EXPECT_EQ(smp_start_cpus(&guest, 1), 0);
		frame_fail_after(0, 0);
		EXPECT_EQ(frame_free_count(), free_before);
	}
	smp_patience_ns = patience;
}

static void count_call(void *arg)
{
	__atomic_fetch_add((uint64_t *)arg, 1, __ATOMIC_RELAXED);
}

/* However many CPUs a call is for, it is one round of interrupts, and each runs it once. */
TEST(smp, a_call_is_one_round)
{
	struct cpu_set set = all_cpus();
	uint64_t rounds, count = 0;

	NEED_CPUS(2);
	preempt_disable();
	rounds = smp_stats(cpu_index()).call_rounds;
	for (unsigned i = 0; i < 100; i++)
		cpu_call(&set, count_call, &count, true);
	rounds = smp_stats(cpu_index()).call_rounds - rounds;
	preempt_enable();
	EXPECT_EQ(rounds, 100);
	EXPECT_EQ(count, 100 * cpu_count());
}

/* A call for some CPUs does not reach the others; one for this CPU alone sends nothing. */
TEST(smp, calls_reach_only_their_set)
{
	struct cpu_set set;
	uint64_t rounds;

	NEED_CPUS(2);
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++)
		selves[cpu].call_count = 0;
	for (unsigned target = 0; target < cpu_count(); target++) {
		cpu_set_clear(&set);
		cpu_set_add(&set, target);
		cpu_call(&set, describe_self, NULL, true);
		for (unsigned cpu = 0; cpu < cpu_count(); cpu++)
			EXPECT_EQ(selves[cpu].call_count, cpu <= target);
	}
	preempt_disable();
	rounds = smp_stats(cpu_index()).call_rounds;
	cpu_set_clear(&set);
	cpu_set_add(&set, cpu_index());
	cpu_call(&set, describe_self, NULL, true);
	EXPECT_EQ(smp_stats(cpu_index()).call_rounds, rounds);
	preempt_enable();
}

/* A call without waiting is done some time, and the next one waits for it. */
TEST(smp, calls_without_waiting_are_not_lost)
{
	struct cpu_set set = all_cpus();
	uint64_t count = 0;

	NEED_CPUS(2);
	for (unsigned i = 0; i < 100; i++)
		cpu_call(&set, count_call, &count, false);
	cpu_call(&set, count_call, &count, true);
	EXPECT_EQ(count, 101 * cpu_count());
}

#define STORM_CALLS 400

struct storm {
	uint64_t count[CPU_MAX]; /* calls that each CPU has run */
	unsigned calls;
};

static void count_here(void *arg)
{
	((struct storm *)arg)->count[cpu_index()]++;
}

static void call_everybody(struct worker *w)
{
	struct storm *s = w->arg;
	struct cpu_set set = all_cpus();

	for (unsigned i = 0; i < s->calls; i++)
		cpu_call(&set, count_here, s, i % 3 != 0);
	cpu_call(&set, count_here, s, true);
}

/* When all CPUs call all CPUs at once, every call is run everywhere once, and nobody waits for
 * ever. */
TEST(smp, calls_of_all_to_all)
{
	static struct storm storm;

	NEED_CPUS(2);
	storm = (struct storm){ .calls = STORM_CALLS / cpu_count() };
	REQUIRE(workers_run(cpu_count(), call_everybody, &storm));
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++)
		EXPECT_EQ(storm.count[cpu], (storm.calls + 1) * cpu_count());
	test_note("%u calls handled", (storm.calls + 1) * cpu_count() * (cpu_count() - 1));
}

/* The flush vector reaches exactly the CPUs of its set. */
TEST(smp, flush_interrupts_reach_their_set)
{
	uint64_t before[CPU_MAX], start;
	struct cpu_set set;

	NEED_CPUS(2);
	for (unsigned target = 0; target < cpu_count(); target++) {
		for (unsigned cpu = 0; cpu < cpu_count(); cpu++)
			before[cpu] = smp_stats(cpu).flushes_handled;
		preempt_disable();
		cpu_set_clear(&set);
		cpu_set_add(&set, target);
		smp_send_flush(&set);
		start = clock_now();
		while (target != cpu_index() &&
		       READ_ONCE(before[target]) == smp_stats(target).flushes_handled &&
		       clock_now() - start < CLOCK_S)
			arch_pause();
		for (unsigned cpu = 0; cpu < cpu_count(); cpu++)
			EXPECT_EQ(smp_stats(cpu).flushes_handled - before[cpu],
				  cpu == target && cpu != cpu_index());
		preempt_enable();
	}
}

static void note_cpu(struct worker *w)
{
	((uint32_t *)w->arg)[w->number] = 1 + cpu_index();
	for (unsigned i = 0; i < 20; i++) {
		thread_yield();
		if (cpu_index() != w->number % cpu_count())
			((uint32_t *)w->arg)[w->number] = 0;
	}
}

/* Threads run on the CPU that they were made for, always. */
TEST(smp, threads_stay_on_their_cpu)
{
	static uint32_t seen[WORKERS_MAX];
	unsigned count = cpu_count() > 64 ? cpu_count() : 2 * cpu_count();

	NEED_CPUS(2);
	REQUIRE(workers_run(count, note_cpu, seen));
	for (unsigned i = 0; i < count; i++)
		EXPECT_EQ(seen[i], 1 + i % cpu_count());
}

static void wait_for_everybody(struct worker *w)
{
	uint32_t *there = w->arg;

	__atomic_fetch_add(there, 1, __ATOMIC_RELAXED);
	preempt_disable();
	while (READ_ONCE(*there) < w->count)
		arch_pause();
	preempt_enable();
}

/* CPUs run at the same time: each keeps its own until all have met. */
TEST(smp, cpus_run_at_the_same_time)
{
	uint32_t there = 0;

	NEED_CPUS(2);
	REQUIRE(workers_run(cpu_count(), wait_for_everybody, &there));
	EXPECT_EQ(there, cpu_count());
}

static void ping(struct worker *w)
{
	struct thread **thread = w->arg;
	struct thread *other;

	__atomic_store_n(&thread[w->number], thread_self(), __ATOMIC_RELEASE);
	while (!(other = __atomic_load_n(&thread[!w->number], __ATOMIC_ACQUIRE)))
		thread_yield();
	for (unsigned i = 0; i < 500; i++) {
		if (w->number == 0)
			thread_unpark(other);
		thread_park(THREAD_FOREVER);
		if (w->number == 1)
			thread_unpark(other);
	}
}

/* Two threads on different CPUs wake each other in turns; no wake-up is lost. */
TEST(smp, threads_wake_each_other)
{
	struct thread *thread[2] = { NULL, NULL };

	NEED_CPUS(2);
	EXPECT(workers_run(2, ping, thread));
}

/* No interrupt was ever refused by an APIC. */
TEST(smp, no_apic_errors)
{
	EXPECT_EQ(apic_error_count, 0);
	test_note("%lu spurious interrupts", apic_spurious_count);
}
