/*
 * How the trap dispatcher (trap.c) finds those who expect a trap (access.c). Private to arch.
 */
#pragma once

#include "percpu.h"

/* The innermost catch that code running at stack pointer `sp` is inside of, or NULL. */
struct trap_catch *trap_catch_innermost(uint64_t sp);
/* One more catch around what the caller, whose stack pointer is `sp`, does until the pop. */
struct trap_catch *trap_catch_push(uint64_t sp, bool raw, bool barrier);
void trap_catch_pop(struct trap_catch *c);
/* Abandon what trapped and go on at the catch. */
void trap_catch_hit(struct trap_catch *c, const struct trap_frame *f, va_t va) NORETURN;
