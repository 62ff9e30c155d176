/*
 * Output a screenful at a time, if there is a terminal that said how large it is (term.h).
 *
 *   space  a screen more     return  a line more     q  no more of this
 *
 * The first screen is shown as it is printed. What follows is kept until the command has ended, so
 * that nothing waits for a person while it holds a lock; if it is too much to keep, all is shown at
 * once. A panic shows what there is.
 *
 * Locking: the monitor's CPU; others may print meanwhile. Talks to: dev/serial, term.
 */
#pragma once

/* What is printed between these two is paged. pager_end waits for keys. */
void pager_begin(void);
void pager_end(void);
