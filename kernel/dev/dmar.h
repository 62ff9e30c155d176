/*
 * The DMAR table, ACPI's list of IOMMUs: where their registers are, and which devices they serve.
 *
 * Pure logic on a table in memory, which is not trusted; compiles on the host. (VT-d specification,
 * chapter 8.)
 */
#pragma once

#include <mm/pt/pt_types.h>

#define DMAR_UNITS_MAX 8
#define DMAR_SCOPES_MAX 32

struct dmar_unit {
	pa_t registers;
	uint16_t segment;
	bool serves_the_rest; /* whatever no other unit of the segment names */
	unsigned device_count;
	uint16_t device[DMAR_SCOPES_MAX]; /* requester ids: named, on bus `start bus` itself */
};

struct dmar {
	unsigned address_bits; /* of the host, as the platform can use for DMA */
	unsigned unit_count;
	struct dmar_unit unit[DMAR_UNITS_MAX];
	unsigned reserved_count; /* memory that devices of firmware's use (RMRR) */
	unsigned skipped_count;  /* units and scopes that are too many, or behind bridges */
};

/*
 * Read the table of `bytes` bytes (header and all; signature and checksum have been checked).
 *
 * Returns 0, or -EINVAL if a structure is too small for its kind or reaches past the end, or the
 * address width is impossible; `out` has what came before it then.
 */
int dmar_parse(const void *table, size_t bytes, struct dmar *out);

/* The unit that serves a device of segment 0, by its index; -1 if none does. */
int dmar_find_unit(const struct dmar *d, uint16_t requester);
