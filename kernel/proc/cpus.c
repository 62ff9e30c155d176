/*
 * Bringing the machine's CPUs up, see cpus.h. Each begins as its own idle thread.
 *
 * Locking: boot only. Talks to: dev (acpi, madt), arch (apic, clock, smp), sched.
 */
#include <arch/apic.h>
#include <arch/clock.h>
#include <arch/nmi.h>
#include <arch/smp.h>
#include <dev/acpi.h>
#include <dev/madt.h>
#include <lib/printk.h>
#include <proc/cpus.h>
#include <proc/sched.h>

static bool has_clock;

/* Which CPUs there are. Returns false if nobody says so. */
static bool read_madt(struct madt *madt)
{
	const struct acpi_header *table = acpi_map_table("APIC", 0);

	if (!table)
		return false;
	if (madt_parse(table, table->bytes, madt))
		printk("ACPI APIC: ends in an impossible entry\n");
	acpi_unmap_table(table);
	return true;
}

static void become_cpu(void *arg)
{
	struct thread *idle = arg;

	idle->cpu = cpu_index();
	sched_start_cpu(idle);
}

/* A guest for each CPU but this one, with an idle thread to begin as. Returns their number. */
static unsigned prepare_guests(const struct madt *madt, struct smp_guest *guest)
{
	unsigned count = 0;

	for (unsigned i = 0; i < madt->cpu_count; i++) {
		struct thread *idle;

		if (madt->apic_id[i] == apic_id())
			continue;
		idle = thread_alloc(0, "idle");
		if (!idle) {
			printk("no memory for CPU with APIC id %u\n", madt->apic_id[i]);
			continue;
		}
		guest[count++] = (struct smp_guest){
			.apic_id = madt->apic_id[i],
			.stack_top = (void *)ALIGN_DOWN((uint64_t)idle, 16),
			.enter = become_cpu,
			.arg = idle,
		};
	}
	return count;
}

static void start_listed(const struct madt *madt)
{
	static struct smp_guest guest[CPU_MAX];
	unsigned count = prepare_guests(madt, guest);

	smp_start_cpus(guest, count);
	for (unsigned i = 0; i < count; i++) {
		if (guest[i].cpu)
			continue;
		printk("CPU with APIC id %u does not answer: left out\n", guest[i].apic_id);
		thread_free(guest[i].arg);
	}
}

void cpus_init(void)
{
	bool has_apic = apic_init();

	if (has_apic) {
		apic_init_cpu();
		smp_init();
		nmi_init();
	}
	has_clock = has_apic && clock_init();
	sched_init();
	nmi_print_running = sched_print_running;
}

void cpus_start_others(void)
{
	static struct madt madt;

	if (!has_clock)
		printk("CPUs: no local APIC or no timer to measure it by: one CPU, no "
		       "preemption\n");
	else if (read_madt(&madt))
		start_listed(&madt);
	printk("CPUs: %u online, %u not enabled, %u out of reach\n", cpu_count(),
	       madt.disabled_count, madt.unreachable_count);
}
