/*
 * A space with one area of pages, and ways to use them as a CPU would: what tests of faults,
 * fork and swap start from.
 */
#pragma once

#include <mm/space.h>

#define ROOM_START 0x40000000ull
#define ROOM_PAGE(i) (ROOM_START + (uint64_t)(i)*PAGE_SIZE)

/* A space with one private anonymous area of so many pages from ROOM_START on, R and W, or NULL. */
struct space *room_create(uint64_t page_count, unsigned flags);
/* Swap with so many slots, and a space whose pages hold their numbers. NULL: a check failed. */
struct space *room_create_filled(uint64_t page_count, uint64_t slot_count);
/* Ask the oracle, destroy the space, see that no slot is left in use, and take swap down. */
void room_close_filled(struct space *space);
struct area *room_area(const struct space *space);

/*
 * One access by software: fault if the entry does not allow it, then make the entry young (and
 * dirty) as the CPU does, then read or write a word through the direct map. False: the fault was
 * refused.
 */
bool room_read(struct space *space, va_t va, uint64_t *value);
bool room_write(struct space *space, va_t va, uint64_t value);

/* Write `value` to the first and the last word of a page; are both there still? */
bool room_fill(struct space *space, va_t va, uint64_t value);
bool room_holds(struct space *space, va_t va, uint64_t value);

/* Does the oracle agree, and are so many pages of the room's area resident, and out? */
bool room_counts(const struct space *space, int64_t anon, int64_t swap);

enum pt_kind room_kind(const struct space *space, va_t va);
bool room_is_young(const struct space *space, va_t va);
