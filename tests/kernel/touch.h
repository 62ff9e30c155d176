/*
 * Touching memory through a space as a program would: on the CPU, through its MMU, with page faults
 * going to mm/fault; on the host, by an MMU in software that asks mm/fault in the same way.
 *
 * The space that was touched last stays loaded, so stale TLB entries are seen; touch_done() goes
 * back to the kernel's tables, as destroying a space needs.
 */
#pragma once

#include <mm/space.h>

/* Read or write 8 bytes. False: refused with a page fault. */
bool touch_read(struct space *s, va_t va, uint64_t *value);
bool touch_write(struct space *s, va_t va, uint64_t value);

/* The same without mm/fault's help: what the tables (and the TLB) say as they are. */
bool touch_read_raw(struct space *s, va_t va, uint64_t *value);
bool touch_write_raw(struct space *s, va_t va, uint64_t value);

void touch_done(void);

/* Shorthand for EXPECT: read, and it is this value. */
bool touch_reads(struct space *s, va_t va, uint64_t value);
