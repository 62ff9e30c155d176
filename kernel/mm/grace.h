/*
 * Lock-free walks: sections in which a table that was reached stays a table, and how long the
 * one who has taken it out of the tree waits before it becomes something else.
 *
 *   walker                                 who frees
 *     grace_enter()                          take the table out of the tree
 *     walk, read entries                     flush the TLBs
 *     grace_exit()                           grace_wait()
 *                                            give the table back
 *
 * A section is a number of its CPU's that is odd inside; waiting means that every CPU which was
 * inside has left that section. So a walker writes its own CPU's line only, there is nothing to
 * allocate, and the wait is as long as one walk. Deferred freeing (epochs) would save the wait,
 * but then a free could not be relied on to have happened, which tests and small machines need.
 *
 * Inside a section nobody may sleep or take a lock; sections nest. Locking: none.
 */
#pragma once

void grace_enter(void);
void grace_exit(void);

/* Until every section that was open at the call has ended. Not inside one. */
void grace_wait(void);
