/*
 * The kernel's own address space: built by the library, entered once, the same in every space.
 *
 * kernel_space's root translates the kernel half. Its top table's entries are copied into every
 * other space's top table, and the tables below them are never freed (root.keep_level), so a new
 * entry reaches all spaces by kspace_sync and an old one never changes.
 *
 * Locking: a lock of its own for the dynamic range; callers may sleep. Talks to: space, frame,
 * arch/mmu, boot_info.
 */
#pragma once

#include <mm/space.h>

extern struct space kernel_space;

/*
 * Build the kernel's tables from the memory map, switch to them, take the boot tables and the boot
 * code back, and give the memory that the boot tables did not reach to the allocator.
 *
 * The frame allocator must hold the usable memory below BOOT_MAP_BYTES. Panics if that is not
 * enough.
 */
struct memmap;
void kspace_init_root(void); /* the first step alone: an empty root and the zero page */
void kspace_init(const struct memmap *map);

/* Enter the kernel's entries in a new space's top table; take them out before it goes. */
void kspace_attach(struct space *s);
void kspace_detach(struct space *s);

/*
 * Bring every space's top table up to date for [start, last]. An entry that is there but different
 * is a bug (it was caught). Needed after anything that may have added a table to the kernel's top
 * table.
 */
void kspace_sync(va_t start, va_t last);

/* A device window: uncached, not executable. 0 if there is no room; unmapped by kspace_free. */
va_t kspace_map_device(pa_t pa, uint64_t bytes);

/* A window on memory that is not the allocator's and that the direct map may not reach: cached,
 * not executable. 0 and kspace_free as above. The addresses must exist (arch_mmu.pa_bits); what is
 * there is anybody's guess. */
va_t kspace_map_memory(pa_t pa, uint64_t bytes, bool writable);

/* Zeroed memory of whole pages in the dynamic range, with an unmapped page below and above it, as
 * stacks want it. 0: no memory. */
va_t kspace_alloc(uint64_t bytes);
void kspace_free(va_t va);

/* Bytes of tables under the kernel's root, the top table included. */
uint64_t kspace_table_bytes(void);

/* Is any leaf of the tables this CPU walks writable and executable, or are kernel pages open to
 * the user? Walks from CR3; prints each offender. Returns their number. */
unsigned kspace_check_rights(void);
