/*
 * PCI: finding a device, its registers, and how it interrupts.
 *
 * Configuration space by ports, its first 256 bytes, which is all that is needed here. A device is
 * named by its requester id, as an IOMMU names it: bus, device, function in 8, 5 and 3 bits.
 * (PCI Local Bus specification 3.0, chapter 6.)
 *
 * Locking: an access is two port accesses, under a lock of its own; a device's registers are its
 * driver's. Talks to: arch (ports), mm/kspace (windows).
 */
#pragma once

#include <lib/compiler.h>
#include <mm/pt/pt_types.h>

typedef uint16_t pci_id_t;
#define PCI_NONE 0xffff /* function 7 of device 31 of bus 255: nobody */

/* Bus, device, function as people write them. */
#define PCI_ID_FORMAT "%02x:%02x.%x"
#define PCI_ID_ARGS(id) (id) >> 8, (id) >> 3 & 31, (id)&7

#define PCI_VENDOR 0x00
#define PCI_DEVICE 0x02
#define PCI_COMMAND 0x04
#define PCI_COMMAND_MEMORY (1u << 1)
#define PCI_COMMAND_MASTER (1u << 2)
#define PCI_COMMAND_NO_INTX (1u << 10)

/* Read or write `bytes` (1, 2 or 4) at an offset that is a multiple of them. */
uint32_t pci_read(pci_id_t id, unsigned offset, unsigned bytes);
void pci_write(pci_id_t id, unsigned offset, unsigned bytes, uint32_t value);

/* The index-th device (0: the first) of this vendor and device number, or PCI_NONE. */
pci_id_t pci_find(uint16_t vendor, uint16_t device, unsigned index);

/*
 * Map the memory behind a base address register, uncached, and let the device answer there.
 * Returns its address and size; 0 if the register is not one of memory, or there is no room.
 */
va_t pci_map_bar(pci_id_t id, unsigned bar, uint64_t *bytes);

/* Let the device reach memory by itself (or no longer). */
void pci_set_master(pci_id_t id, bool on);

/* Have the device interrupt one CPU with this vector by a message. False if it has no MSI. */
bool pci_set_msi(pci_id_t id, unsigned vector, unsigned apic);
