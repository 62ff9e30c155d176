/*
 * What tables say, as text for people: one walk, or a whole range.
 *
 * Takes no lock and changes nothing: also for reports of a kernel that is about to stop.
 */
#pragma once

#include <mm/pagetable.h>
#include <mm/show_attr.h>

/* Print the path to va, a line a level, and what it comes to. */
void show_walk(const struct pt_root *root, va_t va);

/* The same for the tables that this CPU walks; the half is chosen by the address. */
void show_current_walk(va_t va);

/* Print the ranges of [start, end), neighbours merged. Returns their number. */
unsigned show_dump(const struct pt_root *root, va_t start, va_t end);
