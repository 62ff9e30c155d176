/*
 * Firmware's tables: the way from the root pointer to them, and those that we read.
 *
 * The first byte says what the rest is: a MADT, a DMAR, or 4 KiB of memory with a root pointer at
 * its start. Signatures and checksums of the last are put right where the input has a table, or few
 * inputs would come past them.
 */
#include <stdlib.h>
#include <string.h>

#include <arch/mmu.h>
#include <boot_info.h>
#include <dev/acpi.h>
#include <dev/dmar.h>
#include <dev/madt.h>
/* acpi.c is compiled with these instead of kspace's. */
#define kspace_map_memory fuzz_map_memory
#define kspace_free fuzz_unmap_memory
#include <mm/kspace.h>
#include <tests/fuzz/fuzz.h>

struct boot_info boot_info;

static unsigned map_count;
static uint8_t *memory;
static uint64_t memory_pa;

/* The draft is all that there is, and every window of it ends where it was asked to. */
va_t fuzz_map_memory(pa_t pa, uint64_t bytes, bool writable)
{
	uint8_t *window;

	(void)writable;
	if (pa.value < memory_pa || pa.value - memory_pa > PAGE_SIZE ||
	    bytes > PAGE_SIZE - (pa.value - memory_pa))
		return 0;
	window = malloc(bytes);
	memcpy(window, memory + (pa.value - memory_pa), bytes);
	map_count++;
	return (va_t)window;
}

void fuzz_unmap_memory(va_t va)
{
	free((void *)va);
	map_count--;
}

static void set_checksum(size_t at, size_t bytes, size_t checksum_at)
{
	uint8_t sum = 0;

	if (at + bytes > PAGE_SIZE || at + checksum_at >= PAGE_SIZE)
		return;
	memory[at + checksum_at] = 0;
	for (size_t i = 0; i < bytes; i++)
		sum = (uint8_t)(sum + memory[at + i]);
	memory[at + checksum_at] = (uint8_t)-sum;
}

/* A table where the input has a length that fits: byte 4 on. */
static void set_table_checksum(size_t at)
{
	uint32_t bytes;

	memcpy(&bytes, memory + at + 4, sizeof(bytes));
	if (bytes >= sizeof(struct acpi_header) && bytes <= PAGE_SIZE - at)
		set_checksum(at, bytes, 9);
}

static void find_tables(const uint8_t *data, size_t size)
{
	static const size_t place[] = { 0x40, 0x100, 0x200, 0x300 };
	const char *reason = NULL;
	const struct acpi_header *table;

	memory = calloc(1, PAGE_SIZE);
	memory_pa = 0x1000;
	memcpy(memory, data, size < PAGE_SIZE ? size : PAGE_SIZE);
	memcpy(memory, "RSD PTR ", 8);
	for (size_t i = sizeof(place) / sizeof(place[0]); i--;)
		set_table_checksum(place[i]);
	set_checksum(0, 20, 8);
	set_checksum(0, 36, 32);
	for (unsigned index = 0; index < 3; index++) {
		table = acpi_map_table_from(PA(memory_pa), "APIC", index, &reason);
		if (table && !acpi_checksum_is_right(table, table->bytes))
			fuzz_fail("a table was handed out that is unsound");
		if (table)
			acpi_unmap_table(table);
	}
	if (map_count)
		fuzz_fail("something stays mapped");
	free(memory);
}

static void read_madt(const uint8_t *table, size_t bytes)
{
	struct madt out;

	madt_parse(table, bytes, &out);
	if (out.cpu_count > CPU_MAX)
		fuzz_fail("more CPUs than there can be");
}

static void read_dmar(const uint8_t *table, size_t bytes)
{
	struct dmar out;

	if (dmar_parse(table, bytes, &out))
		return;
	if (out.unit_count > DMAR_UNITS_MAX || out.address_bits > 64)
		fuzz_fail("more units than there can be");
	for (unsigned i = 0; i < out.unit_count; i++)
		if (out.unit[i].device_count > DMAR_SCOPES_MAX)
			fuzz_fail("more devices than there can be");
	if (dmar_find_unit(&out, 0x10) >= (int)out.unit_count)
		fuzz_fail("a unit that is not there");
}

void fuzz_one(const uint8_t *data, size_t size)
{
	uint8_t *table;

	if (!size)
		return;
	/* At the end of a block, so that a byte read too far is seen. */
	table = malloc(size - 1 ? size - 1 : 1);
	memcpy(table, data + 1, size - 1);
	switch (data[0] % 3) {
	case 0:
		read_madt(table, size - 1);
		break;
	case 1:
		read_dmar(table, size - 1);
		break;
	default:
		find_tables(data + 1, size - 1);
	}
	free(table);
}
