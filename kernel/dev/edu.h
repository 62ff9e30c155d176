/*
 * QEMU's `edu` device, as a DMA engine: it moves up to 2 KiB between memory and a buffer of its
 * own.
 *
 * The addresses that it is given go through the IOMMU: attached to a space's domain, it reads and
 * writes the space's memory by virtual address. What is not mapped there the IOMMU refuses and
 * records; edu itself notices nothing. A transfer takes 100 ms of the machine's time.
 * (QEMU, docs/specs/edu.txt.)
 *
 * Locking: one thread at a time uses the device. Talks to: pci, vtd, arch/irq, proc/thread.
 */
#pragma once

#include <dev/vtd.h>

#define EDU_BUFFER_BYTES 2048 /* that we use: a transfer of all 4096 aborts QEMU 7.2 */

enum edu_direction { EDU_FROM_MEMORY, EDU_TO_MEMORY };

/* Find the device and make it ready, once. False: there is none, or no unit is in front of it. */
bool edu_init(void);
/* Its requester id, or PCI_NONE. */
pci_id_t edu_id(void);

/* Let it work in a domain, or (NULL) in none. 0 or what vtd_attach says. */
int edu_use(struct vtd_domain *d);

/*
 * Move `bytes` between va and `offset` in the buffer, and wait until the device is done with it.
 *
 * Returns 0, also when parts were refused: vtd_take_fault tells. -EIO: the device does not answer.
 * -EINVAL: it would reach past the buffer. May sleep.
 */
int edu_transfer(va_t va, unsigned offset, unsigned bytes, enum edu_direction direction);

/*
 * The same, servicing what is refused and repeating the transfer until nothing is. Needs a domain.
 *
 * Returns 0, mirror_fault's error for an access that the space does not allow, or -EIO.
 */
int edu_move(va_t va, unsigned offset, unsigned bytes, enum edu_direction direction);

/* How often, for tests. */
struct edu_stats {
	uint64_t transfers, interrupts, repeats;
};
extern struct edu_stats edu_stats;
