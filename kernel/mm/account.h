/*
 * Booking pages to areas without a line that two CPUs' faults would share.
 *
 * Each CPU has one slot: the area it booked for last, and what is not in that area's own books
 * yet. Booking for another area empties the slot first. Whoever wants an area's true numbers, or
 * ends the area, holds the space's lock for writing, so that nobody books for it, and collects
 * first.
 *
 * Locking: a slot has a word lock of its own, a leaf that only its CPU and collectors take, with
 * preemption disabled.
 * Talks to: space.h (the areas).
 */
#pragma once

#include <lib/compiler.h>

enum mapped_kind;
enum fault_result;
struct area;

/* Book pages that came (or, if negative, went), or one fault of a kind. */
void area_account(struct area *area, enum mapped_kind kind, int64_t pages);
void area_account_fault(struct area *area, enum fault_result result);

/* Empty every CPU's slot that holds something for the area. */
void area_collect(struct area *area);
