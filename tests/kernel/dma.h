/*
 * A device that reads and writes a space's memory by virtual address, of either make: the software
 * one (soft_device.h), or edu behind the IOMMU. What is refused is serviced by faulting it in.
 */
#pragma once

#include <tests/kernel/mirror_rig.h>

enum dma_make { DMA_SOFT, DMA_EDU };

struct dma {
	enum dma_make make;
	struct mirror *m;
	struct soft_device soft;
	struct vtd_domain *domain;
};

/* Is there such a device here? */
bool dma_is_there(enum dma_make make);

/* A device of this make that follows the space. Several may be open. False: it cannot be made. */
bool dma_open(struct dma *d, enum dma_make make, struct space *space);
void dma_close(struct dma *d);

/* 8 bytes at an address that is a multiple of 8. 0, or why the space does not allow it. */
int dma_read(struct dma *d, va_t va, uint64_t *value);
int dma_write(struct dma *d, va_t va, uint64_t value);
/* Shorthand for EXPECT: read, and it is this value. */
bool dma_reads(struct dma *d, va_t va, uint64_t value);

/* Move `bytes` (at most 2048) from one address to another. */
int dma_copy(struct dma *d, va_t to, va_t from, unsigned bytes);

/* Accesses that were refused so far, serviced or not. */
uint64_t dma_fault_count(const struct dma *d);
