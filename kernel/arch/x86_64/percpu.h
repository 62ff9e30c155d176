/*
 * What each CPU has of its own. GS base points at it in supervisor mode, whatever the CPU was doing
 * when it got there (trap_entry.S sees to that).
 *
 * Locking: a CPU writes only its own. Private to arch.
 */
#pragma once

#include <arch/cpu.h>
#include <arch/thread.h>

#define IST_DOUBLE_FAULT 1
#define IST_NMI 2
#define IST_MACHINE_CHECK 3
#define IST_COUNT 3
#define IST_STACK_BYTES 8192

#define KERNEL_CS 0x08
#define KERNEL_SS 0x10
#define USER_SS 0x23 /* below USER_CS, as SYSRET wants it */
#define USER_CS 0x2b
#define TSS_SELECTOR 0x30
#define GDT_ENTRIES 8

/* Task state segment (SDM vol. 3, 8.7). */
struct PACKED tss {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t ist[7];
	uint64_t reserved2;
	uint16_t reserved3;
	uint16_t io_map;
};
_Static_assert(sizeof(struct tss) == 104, "by the manual");

struct cpu {
	struct cpu_local local;                /* what everybody may know; GS base points at it */
	struct trap_catches *catches;          /* of what runs */
	struct trap_catches own_stack_catches; /* of NMI, double fault and machine check */
	uint64_t gdt[GDT_ENTRIES];
	struct tss tss;
};
_Static_assert(offsetof(struct cpu, local) == 0, "this_cpu counts on it");

ALWAYS_INLINE struct cpu *this_cpu(void)
{
	return (struct cpu *)cpu_local();
}

/* One stack of the image with an unmapped page below it. */
struct ALIGNED(4096) ist_stack {
	uint8_t guard[4096];
	uint8_t bytes[IST_STACK_BYTES];
};

/* Load the calling CPU's descriptors from `cpu`; its stacks for NMI and the like end at ist_top. */
void cpu_load_descriptors(struct cpu *cpu, const uint64_t ist_top[IST_COUNT]);
