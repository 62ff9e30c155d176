/*
 * A device behind a second-level walker in software, for where there is no such unit: it reads
 * and writes memory through a mirror's table exactly as VT-d would.
 *
 * It is written from the specification alone and shares nothing with the library but the address
 * of the root: it has its own idea of the bits. It remembers translations (an IOTLB) and
 * directories (a paging-structure cache) until it is told to forget, so that a missing flush
 * shows as an access to the wrong page.
 */
#pragma once

#include <mm/mirror.h>

#define SOFT_IOTLB_COUNT 64
#define SOFT_DIRECTORY_COUNT 16

enum soft_reason {
	SOFT_OK,
	SOFT_NOT_PRESENT, /* at some level */
	SOFT_NO_READ,
	SOFT_NO_WRITE,
	SOFT_RESERVED, /* an entry has a bit set that must not be */
	SOFT_BEYOND,   /* address above the walker's width */
};

struct soft_fault {
	enum soft_reason reason;
	va_t va;
	bool write;
};

struct soft_device {
	struct mirror_device ops; /* for mirror_create */
	struct mirror *mirror;
	bool deaf; /* ignore flushes: what happens when one is forgotten */
	uint64_t flush_count, fault_count, walk_count;
	struct soft_fault fault; /* the last one */
	struct soft_iotlb {
		bool valid, read, write, dirty;
		uint64_t page, host; /* of a small page, whatever the leaf's size */
	} iotlb[SOFT_IOTLB_COUNT];
	struct soft_directory {
		bool valid, read, write;
		uint64_t region, table; /* va >> 21; address of the last-level table */
	} directory[SOFT_DIRECTORY_COUNT];
};

/* tracks: it sets accessed and dirty bits. */
void soft_device_init(struct soft_device *d, bool tracks);

/* One access within a page through m's table. False: refused; d->fault says why. */
bool soft_device_access(struct soft_device *d, va_t va, void *buf, size_t bytes, bool write);

/* An access of 8 bytes whose fault is serviced by mirror_fault and which is then tried again.
 * Returns 0, what mirror_fault said, or -EIO if that did not help. */
int soft_device_write(struct soft_device *d, va_t va, uint64_t value);
int soft_device_read(struct soft_device *d, va_t va, uint64_t *value);
/* Shorthand for EXPECT. */
bool soft_device_reads(struct soft_device *d, va_t va, uint64_t value);
