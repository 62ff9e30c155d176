/* Included before everything that is compiled for the host: before and after each change of an
 * entry another thread may get its turn (host_turns.c). */
#pragma once

void host_turns_point(void);
#define PT_WORD_POINT() host_turns_point()
