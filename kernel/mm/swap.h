/*
 * Swap: a memory-backed area of page slots, and how many soft entries point at each.
 *
 * A soft entry's data is a slot number. The count of a slot starts at 1. Counts up to
 * SWAP_COUNT_SMALL fit the map; what is above is counted in *count room*, a frame that
 * SWAP_GROUP_SLOTS neighbouring slots share. swap_reserve allocates it with no lock held, and it
 * goes back when no slot of the group counts in it any more.
 *
 * Invariant: whoever passes a slot has a soft entry that points at it, so its count cannot drop
 * to zero meanwhile and its page does not change.
 * Locking: the swap lock, a leaf; nothing is allocated, copied or freed under it. swap_init and
 * swap_fini run alone. Talks to: frame.
 */
#pragma once

#include <mm/frame.h>

typedef uint64_t swap_slot_t;
#define SWAP_COUNT_SMALL 3
#define SWAP_GROUP_SLOTS 1024
#define SWAP_SLOT_BITS 32

/*
 * Set up room for `slot_count` pages. All memory is taken here: like a disk, a slot costs nothing
 * when a page goes out, so going out gives a frame back even when there is none left.
 *
 * Returns 0, -EINVAL (no slots, or more than SWAP_SLOT_BITS can number), -EBUSY (set up already),
 * -ENOMEM (nothing is kept). swap_fini gives all of it back; every slot must be free.
 */
int swap_init(uint64_t slot_count);
void swap_fini(void);

/* Take a free slot: its count is 1, its page undefined. -ENOSPC: none is free, or no swap. */
int swap_alloc(swap_slot_t *slot);
/* Copy a frame into a slot, or a slot into a frame. */
void swap_write(swap_slot_t slot, const struct frame *f);
void swap_read(swap_slot_t slot, struct frame *f);

/* One soft entry more. -ENOSPC: no count room; call swap_reserve without locks and try again. */
int swap_get(swap_slot_t slot);
/*
 * Make sure that `slot` can be counted once more. Returns 0 or -ENOMEM (nothing changed).
 *
 * The room may be gone again when the caller comes to swap_get, if another's swap_put found
 * nothing counted in it: then reserve once more.
 */
int swap_reserve(swap_slot_t slot);
/* One soft entry less; the last frees the slot. */
void swap_put(swap_slot_t slot);

/* For accounting and tests: of one slot (0: free), and slots that are not free. */
uint64_t swap_count(swap_slot_t slot);
uint64_t swap_used(void);
