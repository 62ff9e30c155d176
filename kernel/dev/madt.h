/*
 * The MADT, ACPI's list of CPUs: which there are, and where their local APICs are.
 *
 * Pure logic on a table in memory, which is not trusted; compiles on the host. (ACPI specification
 * 6.5, 5.2.12.)
 */
#pragma once

#include <arch/cpu.h>
#include <mm/pt/pt_types.h>

struct madt {
	pa_t apic;          /* the registers of the local APICs */
	unsigned cpu_count; /* CPUs that may be started: enabled, and each once */
	uint8_t apic_id[CPU_MAX];
	unsigned disabled_count;    /* present at most later */
	unsigned unreachable_count; /* with an id that only x2APIC reaches */
	unsigned repeated_count;
};

/*
 * Read the table of `bytes` bytes (header and all; signature and checksum have been checked).
 *
 * Returns 0, or -EINVAL if an entry is too small for its kind or reaches past the end; `out`
 * then has what came before it. Entries of other kinds are skipped.
 */
int madt_parse(const void *table, size_t bytes, struct madt *out);
