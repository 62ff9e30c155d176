/*
 * The report of a trap that nobody expected. Private to arch.
 */
#pragma once

#include <arch/trap.h>

/* Print all there is to know, then bail out. */
void trap_report_and_die(const struct trap_frame *f) NORETURN;
