/*
 * What boot_prepare() decides and entry.S loads into the CPU. Shared with the assembler.
 */
#pragma once

#define CR0_PE (1 << 0)
#define CR0_EM (1 << 2)
#define CR0_ET (1 << 4)
#define CR0_NE (1 << 5)
#define CR0_WP (1 << 16)
#define CR0_PG (1 << 31)

/* EM: nothing here uses the FPU or SSE, so let such an instruction trap. WP: read-only means
 * read-only for the kernel, too. */
#define BOOT_CR0_START (CR0_PE | CR0_EM | CR0_ET | CR0_NE | CR0_WP)
#define BOOT_CR0 (BOOT_CR0_START | CR0_PG)

#define BOOT_MODE_CR3 0
#define BOOT_MODE_CR4_START 4
#define BOOT_MODE_CR4 8
#define BOOT_MODE_EFER 12

#define BOOT_STACK_BYTES 32768

#ifndef __ASSEMBLER__
#include <stddef.h>
#include <stdint.h>

struct boot_mode {
	uint32_t cr3;
	uint32_t cr4_start; /* before paging: what may not change under it */
	uint32_t cr4;       /* for good */
	uint32_t efer;
};

_Static_assert(offsetof(struct boot_mode, cr3) == BOOT_MODE_CR3, "known to entry.S");
_Static_assert(offsetof(struct boot_mode, cr4_start) == BOOT_MODE_CR4_START, "known to entry.S");
_Static_assert(offsetof(struct boot_mode, cr4) == BOOT_MODE_CR4, "known to entry.S");
_Static_assert(offsetof(struct boot_mode, efer) == BOOT_MODE_EFER, "known to entry.S");
#endif
