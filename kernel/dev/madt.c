/*
 * Reading the MADT, see madt.h.
 */
#include <dev/acpi.h>
#include <dev/madt.h>
#include <lib/string.h>

#define MADT_HEADER_BYTES (sizeof(struct acpi_header) + 8) /* address of the APICs, flags */

#define ENTRY_LOCAL_APIC 0
#define ENTRY_APIC_ADDRESS 5
#define ENTRY_LOCAL_X2APIC 9
#define FLAG_ENABLED 1u
#define APIC_ID_ALL 255 /* an address, not a CPU */

struct PACKED local_apic {
	uint8_t type, bytes, uid, id;
	uint32_t flags;
};

struct PACKED apic_address {
	uint8_t type, bytes;
	uint16_t reserved;
	uint64_t address;
};

struct PACKED local_x2apic {
	uint8_t type, bytes;
	uint16_t reserved;
	uint32_t id, flags, uid;
};

static bool is_known(const struct madt *m, uint8_t id)
{
	for (unsigned i = 0; i < m->cpu_count; i++)
		if (m->apic_id[i] == id)
			return true;
	return false;
}

static void add_cpu(struct madt *m, uint32_t id, uint32_t flags)
{
	if (!(flags & FLAG_ENABLED))
		m->disabled_count++;
	else if (id >= APIC_ID_ALL)
		m->unreachable_count++;
	else if (is_known(m, (uint8_t)id))
		m->repeated_count++;
	else
		m->apic_id[m->cpu_count++] = (uint8_t)id;
}
_Static_assert(CPU_MAX >= APIC_ID_ALL, "there is room for every id");

/* Copy an entry of a known kind out of the table. Returns false if it is too small to be one. */
static bool copy_entry(void *to, size_t bytes, const uint8_t *entry)
{
	memcpy(to, entry, entry[1] < bytes ? entry[1] : bytes);
	return entry[1] >= bytes;
}

static bool read_entry(struct madt *m, const uint8_t *entry)
{
	struct local_apic apic;
	struct local_x2apic x2apic;
	struct apic_address address;

	switch (entry[0]) {
	case ENTRY_LOCAL_APIC:
		if (!copy_entry(&apic, sizeof(apic), entry))
			return false;
		add_cpu(m, apic.id, apic.flags);
		return true;
	case ENTRY_LOCAL_X2APIC:
		if (!copy_entry(&x2apic, sizeof(x2apic), entry))
			return false;
		add_cpu(m, x2apic.id, x2apic.flags);
		return true;
	case ENTRY_APIC_ADDRESS:
		if (!copy_entry(&address, sizeof(address), entry))
			return false;
		m->apic = PA(address.address);
		return true;
	default:
		return true;
	}
}

int madt_parse(const void *table, size_t bytes, struct madt *out)
{
	const uint8_t *start = table;
	uint32_t address;

	memset(out, 0, sizeof(*out));
	if (bytes < MADT_HEADER_BYTES)
		return -EINVAL;
	memcpy(&address, start + sizeof(struct acpi_header), sizeof(address));
	out->apic = PA(address);
	for (size_t at = MADT_HEADER_BYTES; at < bytes; at += start[at + 1]) {
		if (bytes - at < 2 || start[at + 1] < 2 || start[at + 1] > bytes - at)
			return -EINVAL;
		if (!read_entry(out, start + at))
			return -EINVAL;
	}
	return 0;
}
