/*
 * The registers and in-memory structures of a VT-d unit, by the specification's numbers: chapter 9
 * (root, context, fault record), 6.5 (invalidation queue), 11 (registers). Private to vtd*.c.
 */
#pragma once

#include <stdint.h>

/* ---- Registers. ---- */

#define VTD_REG_VERSION 0x00
#define VTD_REG_CAP 0x08
#define VTD_REG_ECAP 0x10
#define VTD_REG_COMMAND 0x18
#define VTD_REG_STATUS 0x1c
#define VTD_REG_ROOT 0x20
#define VTD_REG_FAULT_STATUS 0x34
#define VTD_REG_FAULT_CONTROL 0x38
#define VTD_REG_FAULT_DATA 0x3c
#define VTD_REG_FAULT_ADDRESS 0x40
#define VTD_REG_FAULT_ADDRESS_HIGH 0x44
#define VTD_REG_QUEUE_HEAD 0x80
#define VTD_REG_QUEUE_TAIL 0x88
#define VTD_REG_QUEUE_ADDRESS 0x90

/* Command and status have the same bits. */
#define VTD_TRANSLATE (1u << 31)
#define VTD_SET_ROOT (1u << 30)
#define VTD_QUEUE (1u << 26)
#define VTD_COMMAND_KEPT 0x96ffffffu /* those that are not one-shot */

#define VTD_FAULT_OVERFLOW (1u << 0)
#define VTD_FAULT_PENDING (1u << 1)
#define VTD_FAULT_QUEUE (1u << 4)   /* a descriptor is wrong */
#define VTD_FAULT_MASKED (1u << 31) /* of the control register */

/* Fields of the capabilities: bits [low, low + width). */
static inline unsigned vtd_field(uint64_t value, unsigned low, unsigned width)
{
	return (unsigned)(value >> low) & ((1u << width) - 1);
}
#define VTD_CAP_DOMAINS(cap) (1u << (4 + 2 * vtd_field(cap, 0, 3)))
#define VTD_CAP_CACHES_ABSENT(cap) vtd_field(cap, 7, 1)
#define VTD_CAP_DEPTHS(cap) vtd_field(cap, 8, 5) /* bit i: i + 2 levels */
#define VTD_CAP_FAULT_OFFSET(cap) (vtd_field(cap, 24, 10) * 16)
#define VTD_CAP_LARGE(cap) vtd_field(cap, 34, 2) /* bit i: leaves at level i + 1 */
#define VTD_CAP_PAGE_FLUSH(cap) vtd_field(cap, 39, 1)
#define VTD_CAP_FAULT_COUNT(cap) (vtd_field(cap, 40, 8) + 1)
#define VTD_CAP_MASK_MAX(cap) vtd_field(cap, 48, 6)
#define VTD_ECAP_QUEUE(ecap) vtd_field(ecap, 1, 1)

/* ---- A fault record: 16 bytes of registers. ---- */

#define VTD_RECORD_BYTES 16
#define VTD_RECORD_PAGE 0xfffffffffffff000ull /* of the low half; the rest is of the high one */
#define VTD_RECORD_SOURCE(high) vtd_field(high, 0, 16)
#define VTD_RECORD_REASON(high) vtd_field(high, 32, 8)
#define VTD_RECORD_READ (1ull << 62)
#define VTD_RECORD_VALID (1ull << 63) /* written as one: cleared */

/* ---- Root and context tables: 256 entries of 16 bytes, by bus, then by device and function.
 * ---- */

struct vtd_entry {
	uint64_t low, high;
};
#define VTD_ENTRY_PRESENT 1ull
#define VTD_CONTEXT_DEPTH(levels) ((uint64_t)((levels)-2))
#define VTD_CONTEXT_DOMAIN(id) ((uint64_t)(id) << 8)

/* ---- Invalidation descriptors. ---- */

#define VTD_QUEUE_ENTRIES 256 /* one page of them */
#define VTD_INVALIDATE_CONTEXT 0x1ull
#define VTD_INVALIDATE_IOTLB 0x2ull
#define VTD_INVALIDATE_WAIT 0x5ull
#define VTD_GRANULE_GLOBAL (1ull << 4)
#define VTD_GRANULE_DOMAIN (2ull << 4)
#define VTD_GRANULE_FINEST (3ull << 4)        /* one device's context; one range of pages */
#define VTD_DRAIN ((1ull << 6) | (1ull << 7)) /* accesses under way are finished first */
#define VTD_INVALIDATE_DOMAIN(id) ((uint64_t)(id) << 16)
#define VTD_INVALIDATE_SOURCE(id) ((uint64_t)(id) << 32)
#define VTD_LEAVES_ONLY (1ull << 6) /* of the high half: directories have not changed */
#define VTD_WAIT_STORE (1ull << 5)
#define VTD_WAIT_VALUE(n) ((uint64_t)(n) << 32)
