/* PCI by configuration mechanism #1; see pci.h. */
#include <arch/cpu.h>
#include <dev/msi.h>
#include <dev/pci.h>
#include <lib/printk.h>
#include <lib/spinlock.h>
#include <mm/kspace.h>

#define PORT_ADDRESS 0xcf8
#define PORT_DATA 0xcfc
#define ADDRESS_ENABLE (1u << 31)

#define HEADER_TYPE 0x0e
#define HEADER_MULTIFUNCTION 0x80
#define STATUS 0x06
#define STATUS_CAPABILITIES (1u << 4)
#define CAPABILITIES 0x34
#define CAPABILITY_COUNT_MAX 48 /* as many as fit: a chain in a circle ends */
#define CAPABILITY_MSI 0x05
#define BAR_FIRST 0x10
#define BAR_COUNT 6
#define BAR_IO 0x1
#define BAR_64 0x4
#define BAR_FLAGS 0xfull
#define MSI_CONTROL 2
#define MSI_CONTROL_ENABLE 0x0001
#define MSI_CONTROL_COUNT 0x0070 /* messages in use: one */
#define MSI_CONTROL_64 0x0080
#define MSI_ADDRESS 4

static struct spinlock pci_lock = SPINLOCK_INIT(LOCK_PCI);

static void select_register(pci_id_t id, unsigned offset)
{
	arch_out32(PORT_ADDRESS, ADDRESS_ENABLE | (uint32_t)id << 8 | (offset & 0xfc));
}

uint32_t pci_read(pci_id_t id, unsigned offset, unsigned bytes)
{
	uint32_t value;

	spin_lock(&pci_lock);
	select_register(id, offset);
	value = arch_in32(PORT_DATA);
	spin_unlock(&pci_lock);
	value >>= offset % 4 * 8;
	return bytes == 4 ? value : value & ((1u << bytes * 8) - 1);
}

void pci_write(pci_id_t id, unsigned offset, unsigned bytes, uint32_t value)
{
	uint16_t port = (uint16_t)(PORT_DATA + offset % 4);

	spin_lock(&pci_lock);
	select_register(id, offset);
	if (bytes == 1)
		arch_out8(port, (uint8_t)value);
	else if (bytes == 2)
		arch_out16(port, (uint16_t)value);
	else
		arch_out32(port, value);
	spin_unlock(&pci_lock);
}

/* ---- Finding. ---- */

static bool is_there(pci_id_t id)
{
	return pci_read(id, PCI_VENDOR, 2) != 0xffff;
}

/* Functions above 0 exist only where function 0 says so. */
static bool may_be_there(pci_id_t id)
{
	pci_id_t first = id & ~7u;

	return !(id & 7) ||
	       (is_there(first) && pci_read(first, HEADER_TYPE, 1) & HEADER_MULTIFUNCTION);
}

pci_id_t pci_find(uint16_t vendor, uint16_t device, unsigned index)
{
	uint32_t wanted = (uint32_t)device << 16 | vendor;

	for (unsigned id = 0; id < PCI_NONE && vendor != 0xffff; id++) {
		if (!may_be_there((pci_id_t)id))
			continue;
		if (pci_read((pci_id_t)id, PCI_VENDOR, 4) == wanted && !index--)
			return (pci_id_t)id;
	}
	return PCI_NONE;
}

/* The offset of a capability, or 0. */
static unsigned find_capability(pci_id_t id, unsigned kind)
{
	unsigned at;

	if (!(pci_read(id, STATUS, 2) & STATUS_CAPABILITIES))
		return 0;
	at = pci_read(id, CAPABILITIES, 1) & ~3u;
	for (unsigned i = 0; at && i < CAPABILITY_COUNT_MAX; i++) {
		if (pci_read(id, at, 1) == kind)
			return at;
		at = pci_read(id, at + 1, 1) & ~3u;
	}
	return 0;
}

/* ---- Using. ---- */

static void change_command(pci_id_t id, uint32_t clear, uint32_t set)
{
	uint32_t command = pci_read(id, PCI_COMMAND, 2);

	pci_write(id, PCI_COMMAND, 2, (command & ~clear) | set);
}

/* The size of what is behind the register: the bits that keep no ones are its inside. */
static uint64_t probe_bar(pci_id_t id, unsigned offset, uint32_t low, uint32_t high)
{
	bool wide = low & BAR_64;
	uint64_t kept;

	pci_write(id, offset, 4, ~0u);
	kept = pci_read(id, offset, 4) & ~BAR_FLAGS;
	pci_write(id, offset, 4, low);
	if (!wide)
		return kept ? (uint32_t)(~kept + 1) : 0;
	pci_write(id, offset + 4, 4, ~0u);
	kept |= (uint64_t)pci_read(id, offset + 4, 4) << 32;
	pci_write(id, offset + 4, 4, high);
	return ~kept + 1;
}

va_t pci_map_bar(pci_id_t id, unsigned bar, uint64_t *bytes)
{
	unsigned offset = BAR_FIRST + bar * 4;
	uint32_t low = pci_read(id, offset, 4), high = 0;
	uint64_t base;

	if (bar >= BAR_COUNT || (low & BAR_IO))
		return 0;
	if ((low & BAR_64) && bar + 1 < BAR_COUNT)
		high = pci_read(id, offset + 4, 4);
	change_command(id, PCI_COMMAND_MEMORY, 0); /* nobody answers at what is written meanwhile */
	*bytes = probe_bar(id, offset, low, high);
	change_command(id, 0, PCI_COMMAND_MEMORY);
	base = ((uint64_t)high << 32 | low) & ~BAR_FLAGS;
	if (!base || !*bytes)
		return 0;
	return kspace_map_device(PA(base), ALIGN_UP(*bytes, PAGE_SIZE));
}

void pci_set_master(pci_id_t id, bool on)
{
	change_command(id, on ? 0 : PCI_COMMAND_MASTER, on ? PCI_COMMAND_MASTER : 0);
}

bool pci_set_msi(pci_id_t id, unsigned vector, unsigned apic)
{
	unsigned at = find_capability(id, CAPABILITY_MSI), data = at + MSI_ADDRESS + 4;
	uint32_t control;

	if (!at)
		return false;
	control = pci_read(id, at + MSI_CONTROL, 2);
	pci_write(id, at + MSI_ADDRESS, 4, msi_address(apic));
	if (control & MSI_CONTROL_64) {
		pci_write(id, data, 4, 0);
		data += 4;
	}
	pci_write(id, data, 2, msi_data(vector));
	control &= ~(uint32_t)MSI_CONTROL_COUNT;
	pci_write(id, at + MSI_CONTROL, 2, control | MSI_CONTROL_ENABLE);
	change_command(id, 0, PCI_COMMAND_NO_INTX);
	return true;
}
