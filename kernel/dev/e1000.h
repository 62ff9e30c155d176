/*
 * QEMU's e1000 network card, as a DMA engine that copies memory to memory at once: what it sends
 * comes back to it, as its PHY is looped back.
 *
 * All its addresses go through the IOMMU, those of its two rings as well: a page of the space that
 * it works for holds them, as a program that drives a card by itself would have it. What is refused
 * the card does not notice (it sends zeroes, or drops what came), so after each round the unit is
 * asked; what was missing is faulted in, and the round is repeated. (Intel, PCI/PCI-X Family of
 * Gigabit Ethernet Controllers Software Developer's Manual, chapters 3 and 13.)
 *
 * Locking: one thread at a time uses the device. Talks to: pci, vtd, mm/space.
 */
#pragma once

#include <dev/vtd.h>

#define E1000_COPY_MIN 64 /* a shorter frame would be padded */
#define E1000_COPY_MAX 4096

/* Find the device and make it ready, once. False: there is none, or no unit is in front of it. */
bool e1000_init(void);
/* Its requester id, or PCI_NONE. */
pci_id_t e1000_id(void);

/*
 * Let it work in a domain, with its rings in the page at `rings`, where the domain's space must
 * have none; or (NULL) in none, which takes the page away again. 0, or what adding the area or
 * attaching says.
 */
int e1000_use(struct vtd_domain *d, va_t rings);

/*
 * Copy `bytes` from one address to another; what is refused on the way is serviced.
 *
 * Returns 0; -EINVAL (too short or too long); mirror_fault's error for an access that the space
 * does not allow, after which anything may be at `to`; -EIO (the device does not answer).
 */
int e1000_copy(va_t to, va_t from, unsigned bytes);

/* How often, for tests. */
struct e1000_stats {
	uint64_t copies, repeats;
};
extern struct e1000_stats e1000_stats;
