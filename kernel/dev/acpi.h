/*
 * ACPI tables: finding one by its signature, from the root pointer that the boot loader gave us.
 *
 * Tables are firmware's: they may lie where the direct map does not reach, and they may be wrong. A
 * table is handed out only whole, read only, with a length that fits and a checksum that is right;
 * what it says is for the reader (madt.h) to doubt. (ACPI specification 6.5, 5.2.5 to 5.2.8.)
 *
 * Locking: none of its own; windows are kspace's. Talks to: mm/kspace, boot_info.
 */
#pragma once

#include <lib/compiler.h>
#include <mm/pt/pt_types.h>

#define ACPI_TABLE_BYTES_MAX 0x100000 /* far more than any table has */

/* What every table but the root pointer begins with. */
struct PACKED acpi_header {
	char signature[4];
	uint32_t bytes; /* of all of it */
	uint8_t revision, checksum;
	char oem_id[6], oem_table_id[8];
	uint32_t oem_revision, creator_id, creator_revision;
};
_Static_assert(sizeof(struct acpi_header) == 36, "by the specification");

/*
 * Map the `index`-th table (0: the first) of this signature, starting at the root pointer at
 * `rsdp`.
 *
 * Returns it, to be given back by acpi_unmap_table; NULL if there is none. *reason is NULL, or
 * says what was found to be unsound on the way.
 */
const struct acpi_header *acpi_map_table_from(pa_t rsdp, const char *signature, unsigned index,
					      const char **reason);
/* The same from the root pointer of this machine, if it has one; prints the reason. */
const struct acpi_header *acpi_map_table(const char *signature, unsigned index);
void acpi_unmap_table(const struct acpi_header *table);

/* Do the bytes sum up to zero? */
bool acpi_checksum_is_right(const void *table, uint64_t bytes);
