/*
 * From one CPU without interrupts to all there are, with threads: the last step of the boot.
 */
#ifndef PROC_CPUS_H
#define PROC_CPUS_H

/*
 * Set up the local APIC, the clock and the scheduler, and start the CPUs that ACPI lists.
 * Whatever is missing is said and done without: the boot CPU alone, or without a timer. Returns
 * with interrupts enabled.
 */
void cpus_init(void);

#endif
