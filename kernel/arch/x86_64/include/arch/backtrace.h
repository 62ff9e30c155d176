/*
 * Back traces: the chain of frame pointers, printed with function names, through traps.
 *
 * Locking: none; reads memory so that a broken chain ends the trace and nothing else.
 * Talks to: lib/ksym, lib/printk, arch/trap.
 */
#ifndef ARCH_BACKTRACE_H
#define ARCH_BACKTRACE_H

#include <lib/compiler.h>

/* Print the callers of the function whose frame pointer is `rbp`. */
void backtrace_print(uint64_t rbp);
/* Print the callers of this function. */
void backtrace_print_here(void);
/* Print one line: the code address and the function it is in. */
void backtrace_print_address(uint64_t rip);

#endif
