/*
 * A VT-d unit, as the files that drive it share it: vtd.c finds and starts units and owns their
 * queues, vtd_domain.c domains and contexts, vtd_fault.c what was refused. Private to them.
 */
#pragma once

#include <dev/dmar.h>
#include <dev/vtd.h>
#include <dev/vtd_regs.h>
#include <lib/spinlock.h>

#define VTD_UNITS_MAX DMAR_UNITS_MAX
#define VTD_DOMAINS_MAX 256 /* of a unit; id 0 is nobody's */
#define VTD_FAULTS_MAX 64

struct vtd_unit {
	/* constant */
	pa_t pa;
	volatile char *registers;
	uint64_t cap, ecap;
	unsigned level_count; /* of every table: the deepest that the unit walks */
	struct spinlock lock;
	/* under lock */
	struct vtd_entry *root, *queue;
	volatile uint32_t *waited; /* what the last wait descriptor has stored */
	uint32_t wait_value;
	unsigned tail;
	uint64_t domains[VTD_DOMAINS_MAX / 64]; /* ids in use */
	struct vtd_stats stats;
	struct spinlock fault_lock;
	/* under fault_lock, interrupts disabled */
	struct vtd_fault fault[VTD_FAULTS_MAX];
	unsigned fault_count;
	uint64_t fault_total, fault_interrupts, lost_faults;
};

static inline uint32_t vtd_read32(const struct vtd_unit *u, unsigned offset)
{
	return *(volatile uint32_t *)(u->registers + offset);
}

static inline void vtd_write32(struct vtd_unit *u, unsigned offset, uint32_t value)
{
	*(volatile uint32_t *)(u->registers + offset) = value;
}

static inline uint64_t vtd_read64(const struct vtd_unit *u, unsigned offset)
{
	return *(volatile uint64_t *)(u->registers + offset);
}

static inline void vtd_write64(struct vtd_unit *u, unsigned offset, uint64_t value)
{
	*(volatile uint64_t *)(u->registers + offset) = value;
}

extern struct vtd_unit vtd_unit[VTD_UNITS_MAX];
extern unsigned vtd_unit_count;

/* The unit that serves a device, or NULL. */
struct vtd_unit *vtd_find_unit(pci_id_t device);

/* Carry out two descriptors (the second may be all zeroes: none) and wait until they are done.
 * Under lock. */
void vtd_invalidate(struct vtd_unit *u, struct vtd_entry first, struct vtd_entry second);

/* Have the unit's faults recorded, and interrupt where it can be claimed. */
void vtd_start_faults(struct vtd_unit *u);
