/*
 * Watched addresses: after each command, what has changed on their paths is reported.
 *
 * Locking: the monitor's CPU. Talks to: the registry of scratch spaces.
 */
#pragma once

#include <mm/space.h>

/* Say what has changed since the last report. */
void watch_report(void);

/* The space is about to go. */
void watch_forget(const struct space *s);
