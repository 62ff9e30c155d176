/*
 * VT-d: IOMMUs, and the domains in which devices see a space's memory under its own addresses.
 *
 * From vtd_init on, devices behind a unit reach nothing at all until they are attached to a domain.
 * A domain is a mirror (mm/mirror.h) in VT-d's second-level format that the unit walks. What the
 * mirror lacks is a recorded fault; a driver takes the faults of its device, has them serviced, and
 * repeats the transfer.
 *
 * Locking: a unit's lock for its queue and tables (taken below a mirror's), one for fault records,
 * which an interrupt handler takes. Attaching and detaching a device is its driver's, one at a
 * time. Talks to: acpi, dmar, msi, arch/irq, mm/mirror.
 */
#pragma once

#include <dev/pci.h>
#include <mm/mirror.h>

struct vtd_unit;

struct vtd_domain {
	struct mirror_device ops; /* for the mirror */
	struct mirror *mirror;
	struct vtd_unit *unit;
	uint16_t id;
	unsigned flush_skip; /* for tests: leave out that many flushes */
};

/* Find the units, and switch them on. Returns how many there are; says what it found. */
unsigned vtd_init(void);

/*
 * A domain for `device` that shows it the space, empty as yet. NULL: no memory, no unit, no id
 * left, or the space is going away.
 */
struct vtd_domain *vtd_domain_create(struct space *space, pci_id_t device);
/* No device may be attached. */
void vtd_domain_destroy(struct vtd_domain *d);

/* Make room for the device in its unit's tables, once, before it is attached. 0, -ENOENT (no unit),
 * -ENOMEM. */
int vtd_reserve(pci_id_t device);
/* Have the device use the domain's table. -EBUSY: it uses one already. */
int vtd_attach(struct vtd_domain *d, pci_id_t device);
/* It reaches nothing any more; accesses under way are finished. */
void vtd_detach(struct vtd_domain *d, pci_id_t device);

/* A refused access of a device. */
struct vtd_fault {
	va_t page;
	pci_id_t device;
	bool write;
	uint8_t reason; /* the specification's, table "Fault Reason Encodings" */
};
#define VTD_REASON_WRITE 5 /* the path does not grant it */
#define VTD_REASON_READ 6

/*
 * Take the oldest recorded fault of a device. False: there is none. A unit may merge the faults
 * that come before one is taken, so after servicing one the transfer is repeated.
 */
bool vtd_take_fault(pci_id_t device, struct vtd_fault *fault);

/*
 * Service all recorded faults of a device that is attached to d by faulting the pages in. Where a
 * section is open nothing is brought: the repeated transfer faults again.
 *
 * Returns how many there were, or the error of the first that was refused (mirror_fault's, or -EIO
 * for a reason that no fault in a space explains).
 */
int vtd_service_faults(struct vtd_domain *d, pci_id_t device);

/*
 * Before a device writes to [start, end): where the mirror has a page read-only, make it writable.
 *
 * What is not there at all is left to fault. A CPU walks again before it refuses; QEMU's unit does
 * not: a write through a translation that it remembers as read-only is lost, and recorded nowhere.
 * Returns 0 or mirror_fault's error; -EAGAIN counts as 0, as what the section takes will fault.
 */
int vtd_prepare_write(struct vtd_domain *d, va_t start, va_t end);

/* What a unit is and has done; for reports and tests. */
struct vtd_stats {
	pa_t registers;
	unsigned address_bits, level_count, domain_count;
	uint64_t page_flushes, domain_flushes, context_flushes;
	uint64_t faults, fault_interrupts, lost_faults;
};
/* False: there is no such unit. */
bool vtd_get_stats(unsigned unit, struct vtd_stats *out);
