/*
 * From the root pointer to a table, see acpi.h. Every step maps what it reads and unmaps it again.
 *
 *   RSDP -> XSDT (64-bit addresses) or RSDT (32-bit) -> any other table
 */
#include <arch/mmu.h>
#include <boot_info.h>
#include <dev/acpi.h>
#include <lib/printk.h>
#include <lib/string.h>
#include <mm/kspace.h>

/* The root pointer. What follows `rsdt` is there from revision 2 on. */
struct PACKED rsdp {
	char signature[8];
	uint8_t checksum; /* of the first RSDP_OLD_BYTES */
	char oem_id[6];
	uint8_t revision;
	uint32_t rsdt;
	uint32_t bytes;
	uint64_t xsdt;
	uint8_t extended_checksum; /* of all of it */
	uint8_t reserved[3];
};
#define RSDP_OLD_BYTES 20
_Static_assert(offsetof(struct rsdp, bytes) == RSDP_OLD_BYTES, "by the specification");
_Static_assert(sizeof(struct rsdp) == 36, "by the specification");

/* Where the list of all tables is, and how wide its addresses are. */
struct root {
	pa_t pa;
	unsigned entry_bytes;
	const char *signature;
};

bool acpi_checksum_is_right(const void *table, uint64_t bytes)
{
	const uint8_t *p = table;
	uint8_t sum = 0;

	while (bytes--)
		sum = (uint8_t)(sum + *p++);
	return sum == 0;
}

/* Map memory of firmware's, if such an address exists at all. */
static const void *map(pa_t pa, uint64_t bytes)
{
	uint64_t limit = 1ull << arch_mmu.pa_bits;

	if (!pa.value || pa.value >= limit || bytes > limit - pa.value)
		return NULL;
	return (const void *)kspace_map_memory(pa, bytes, false);
}

static void unmap(const void *ptr)
{
	kspace_free((va_t)ptr);
}

/* ---- The root pointer. ---- */

static const char *check_rsdp(const struct rsdp *p)
{
	if (memcmp(p->signature, "RSD PTR ", sizeof(p->signature)))
		return "the root pointer has no signature";
	if (!acpi_checksum_is_right(p, RSDP_OLD_BYTES))
		return "the root pointer's checksum is wrong";
	return NULL;
}

/* Is there a sound extended part? Its length is not used: ours lies in the first 36 bytes. */
static bool has_xsdt(const struct rsdp *p)
{
	return p->revision >= 2 && p->bytes >= sizeof(*p) && p->xsdt &&
	       acpi_checksum_is_right(p, sizeof(*p));
}

static const char *find_root(pa_t pa, struct root *root)
{
	const struct rsdp *p = map(pa, sizeof(*p));
	const char *wrong;

	if (!p)
		return "the root pointer is nowhere";
	wrong = check_rsdp(p);
	if (has_xsdt(p))
		*root = (struct root){ PA(p->xsdt), 8, "XSDT" };
	else
		*root = (struct root){ PA(p->rsdt), 4, "RSDT" };
	unmap(p);
	return wrong;
}

/* ---- Tables. ---- */

static bool has_signature(const struct acpi_header *header, const char *signature)
{
	return !memcmp(header->signature, signature, sizeof(header->signature));
}

/* Copy the header at `pa`. Returns false if there can be none. */
static bool read_header(pa_t pa, struct acpi_header *header)
{
	const struct acpi_header *p = map(pa, sizeof(*p));

	if (!p)
		return false;
	*header = *p;
	unmap(p);
	return true;
}

/* The whole table at `pa` if it is of this signature and sound. */
static const struct acpi_header *map_whole(pa_t pa, const char *signature, const char **reason)
{
	const struct acpi_header *table = NULL;
	struct acpi_header header;

	if (!read_header(pa, &header) || !has_signature(&header, signature))
		return NULL;
	if (header.bytes >= sizeof(header) && header.bytes <= ACPI_TABLE_BYTES_MAX)
		table = map(pa, header.bytes);
	if (table && acpi_checksum_is_right(table, header.bytes))
		return table;
	*reason = table ? "the checksum is wrong" : "the length is impossible";
	if (table)
		unmap(table);
	return NULL;
}

static pa_t get_entry(const struct acpi_header *list, unsigned entry_bytes, uint64_t i)
{
	uint64_t address = 0;

	memcpy(&address, (const char *)(list + 1) + i * entry_bytes, entry_bytes);
	return PA(address);
}

/* The index-th table of this signature in the list. */
static const struct acpi_header *search(const struct acpi_header *list, unsigned entry_bytes,
					const char *signature, unsigned index, const char **reason)
{
	uint64_t count = (list->bytes - sizeof(*list)) / entry_bytes;

	for (uint64_t i = 0; i < count; i++) {
		pa_t pa = get_entry(list, entry_bytes, i);
		const struct acpi_header *table = map_whole(pa, signature, reason);

		if (table && !index--)
			return table;
		if (table)
			unmap(table);
	}
	return NULL;
}

const struct acpi_header *acpi_map_table_from(pa_t rsdp, const char *signature, unsigned index,
					      const char **reason)
{
	const struct acpi_header *list, *table;
	struct root root;

	*reason = find_root(rsdp, &root);
	if (*reason)
		return NULL;
	list = map_whole(root.pa, root.signature, reason);
	if (!list) {
		*reason = "the list of tables is unsound";
		return NULL;
	}
	table = search(list, root.entry_bytes, signature, index, reason);
	unmap(list);
	return table;
}

const struct acpi_header *acpi_map_table(const char *signature, unsigned index)
{
	const struct acpi_header *table;
	const char *reason;

	if (pa_equal(boot_info.rsdp, PA_NONE))
		return NULL;
	table = acpi_map_table_from(boot_info.rsdp, signature, index, &reason);
	if (reason)
		printk("ACPI %s: %s\n", signature, reason);
	return table;
}

void acpi_unmap_table(const struct acpi_header *table)
{
	unmap(table);
}
