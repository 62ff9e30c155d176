/* PCI configuration, on the machine's own devices. */
#include <arch/trap.h>
#include <dev/pci.h>
#include <mm/kspace.h>
#include <tests/kernel/test.h>

#define HOST_BRIDGE 0x0000 /* 00:00.0, on every machine */

// Accesses of 1, 2 and 4 bytes read the same register.
TEST(pci, accesses_agree)
{
	uint32_t both = pci_read(HOST_BRIDGE, PCI_VENDOR, 4);

	EXPECT_NE(both, ~0u);
	EXPECT_EQ(pci_read(HOST_BRIDGE, PCI_VENDOR, 2), both & 0xffff);
	EXPECT_EQ(pci_read(HOST_BRIDGE, PCI_DEVICE, 2), both >> 16);
	EXPECT_EQ(pci_read(HOST_BRIDGE, PCI_DEVICE + 1, 1), both >> 24);
}

// A device is found by its numbers, each of several by its index; one that is not there is not
// found.
TEST(pci, finding)
{
	uint16_t vendor = (uint16_t)pci_read(HOST_BRIDGE, PCI_VENDOR, 2);
	uint16_t device = (uint16_t)pci_read(HOST_BRIDGE, PCI_DEVICE, 2);

	EXPECT_EQ(pci_find(vendor, device, 0), HOST_BRIDGE);
	EXPECT_EQ(pci_find(vendor, device, 1), PCI_NONE);
	EXPECT_EQ(pci_find(0x1234, 0xfffe, 0), PCI_NONE);
	EXPECT_EQ(pci_find(0xffff, 0xffff, 0), PCI_NONE);
}

// A register that is no memory register, or none at all, maps nothing.
TEST(pci, bars)
{
	uint64_t bytes;

	EXPECT_EQ(pci_map_bar(HOST_BRIDGE, 0, &bytes), 0u);
	EXPECT_EQ(pci_map_bar(HOST_BRIDGE, 6, &bytes), 0u);
}
