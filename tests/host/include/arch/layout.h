/*
 * The fake machine's address layout: all of its physical memory is one mapping of the host's, so
 * the direct map begins wherever that landed. Replaces the CPU's header of the same name.
 */
#pragma once

extern unsigned long host_direct_base;

/* How much of the physical address space the arena can stand for. Little of it is ever touched. */
#define HOST_ARENA_BYTES 0x140000000ul

#define DIRECT_BASE host_direct_base
#define DIRECT_END (host_direct_base + HOST_ARENA_BYTES)

/* Kernel addresses exist here as numbers in tables only; they are the CPU's. */
#define DYNAMIC_BASE 0xffffc00000000000
#define DYNAMIC_END 0xffffe00000000000
#define IMAGE_BASE 0xffffffff80000000
#define IMAGE_PA 0x100000

/* Small, so that the fake machine has memory on both sides of it. */
#define BOOT_MAP_BYTES 0x10000000
