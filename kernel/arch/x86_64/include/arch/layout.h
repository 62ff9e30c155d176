/*
 * The map of the kernel half, the same with 4 and with 5 levels: every address here is
 * canonical at 48 bits and therefore at 57.
 *
 *   0xffff800000000000  direct map: all RAM, pa + DIRECT_BASE                (64 TiB)
 *   0xffffc00000000000  dynamic range: stacks, device windows, test ranges   (32 TiB)
 *   0xffffffff80000000  the kernel image, linked here, loaded at IMAGE_PA    (top 2 GiB)
 *
 * Shared with the assembler and the linker script: plain numbers only.
 */
#pragma once

#define DIRECT_BASE 0xffff800000000000
#define DIRECT_END 0xffffc00000000000
#define DYNAMIC_BASE 0xffffc00000000000
#define DYNAMIC_END 0xffffe00000000000
#define IMAGE_BASE 0xffffffff80000000
#define IMAGE_PA 0x100000

/* Before the kernel's own tables exist the boot tables map this much: at 0, at DIRECT_BASE and
 * (the first GiB of it) at IMAGE_BASE, writable and executable. */
#define BOOT_MAP_BYTES 0x100000000
