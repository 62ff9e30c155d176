/*
 * Leaving the emulator with a verdict (QEMU's isa-debug-exit at port 0xf4, which exits with
 * 2 * code + 1).
 *
 * Talks to: arch (port I/O).
 */
#pragma once

#include <lib/compiler.h>

#define DEBUG_EXIT_PORT 0xf4

enum debug_exit_code {
	DEBUG_EXIT_PASSED = 0x10,
	DEBUG_EXIT_FAILED = 0x11,
	DEBUG_EXIT_PANIC = 0x12,
};

/* Leave. On a machine without the device: say so, and halt for good. */
void debug_exit(enum debug_exit_code code) NORETURN;
