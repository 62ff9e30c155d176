/*
 * Fork: copying the translations of one space into another.
 */
#pragma once

#include <mm/space.h>

/*
 * Copy the translations of `area`, an area of `src` that dst has a clone of, into dst.
 *
 * Private memory becomes read-only on both sides and is copied by the first write; shared memory
 * and device windows are copied as they are; soft entries are counted once more. The child's pages
 * are old; clean too, if the area is shared. Subscribers of src see one section if the area is
 * private.
 *
 * Returns 0 or -ENOMEM: then dst has nothing of the area, and src says what it said
 * (pages may have become read-only for the hardware; a write gives W back).
 */
int copy_page_range(struct space *dst, struct space *src, const struct area *area);

/* A new space with copies of all areas that a fork inherits. NULL: out of memory, nothing is left.
 */
struct space *space_fork(struct space *src);

/* For tests: break the walk off every so many bottom tables (0: only when others wait), and how
 * often that has happened since boot. */
extern unsigned copy_break_interval;
extern uint64_t copy_break_count;
