/*
 * The legacy interrupt controllers: out of the way, but for one use of their timer.
 */
#pragma once

#include <lib/compiler.h>

/* Mask all their lines, after moving them off the CPU's own vectors (to 0x20 ... 0x2f). */
void pic_disable(void);

/* Let the line of the PIT's channel 0 through, and no other. Nobody acknowledges it but... */
void pic_enable_timer(void);
/* ...this: was it that line that has signalled? Then it can signal again. */
bool pic_take_timer(void);
