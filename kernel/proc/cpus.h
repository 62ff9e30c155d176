/*
 * From one CPU without interrupts to all there are, with threads: the last step of the boot.
 */
#pragma once

/*
 * Set up the local APIC, the clock and the scheduler on the boot CPU. Whatever is missing is done
 * without. Returns with interrupts enabled.
 */
void cpus_init(void);
/* Start the CPUs that ACPI lists, and say how many there are, or why there is one only. */
void cpus_start_others(void);
