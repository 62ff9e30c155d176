/*
 * Reclaim: pages of a space that nobody used lately go out to swap; a fault brings them back.
 *
 * Only private anonymous pages of user spaces go. A page that a fork shares copy-on-write goes out
 * of the one space it was asked for in: the other space keeps the frame.
 *
 * Locking: as space.h. Talks to: space, swap, flush, notifier.
 */
#pragma once

#include <mm/space.h>

/*
 * Make the page at va go out. A huge leaf is split first.
 *
 * Returns 0, -EFAULT (no page is there), -EBUSY (a page that cannot go: of an object, a device
 * window, the zero page, the kernel's; or one that somebody else holds and could write to), -ENOSPC
 * (no free slot), -ENOMEM (for the split). On failure every translation is as it was.
 */
int space_swap_out(struct space *space, va_t va);

/*
 * Make up to page_count pages go out: those that were used neither by the CPU nor by a secondary
 * MMU since the clock's hand came by last, going on from where it stopped.
 *
 * Returns how many went; fewer if there are no more, or no free slots.
 */
unsigned space_reclaim(struct space *space, unsigned page_count);
