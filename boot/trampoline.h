/*
 * The page that other CPUs start on: what is where in it. Shared by trampoline.S and
 * kernel/arch/x86_64/smp_start.c, which fills in the arguments.
 */
#pragma once

#define TRAMPOLINE_BYTES 4096
#define TRAMPOLINE_ARGS 0x800 /* the code ends before it */

#define ARGS_GDT 0
#define ARGS_GDT_POINTER 32
#define ARGS_ENTRY_32 40
#define ARGS_ENTRY_64 48
#define ARGS_CR3 56
#define ARGS_CR4_START 60
#define ARGS_CR4 64
#define ARGS_EFER 68
#define ARGS_KERNEL_ENTRY 72
#define ARGS_STACKS 80
#define ARGS_GUEST 88

/* What a guest is, by its APIC id: whoever was not invited stops at once. */
#define GUEST_NONE 0
#define GUEST_INVITED 1
#define GUEST_CAME 2

#define TRAMPOLINE_CODE_32 0x08
#define TRAMPOLINE_CODE_64 0x10
#define TRAMPOLINE_DATA 0x18

#ifndef __ASSEMBLER__
#include <stddef.h>
#include <stdint.h>

struct trampoline_pointer {
	uint32_t offset;
	uint16_t selector, unused;
};

struct __attribute__((packed)) trampoline_args {
	uint64_t gdt[4];
	uint16_t gdt_limit;
	uint32_t gdt_base;
	uint16_t unused;
	struct trampoline_pointer entry_32, entry_64;
	uint32_t cr3;
	uint32_t cr4_start; /* before paging: what may not change under it */
	uint32_t cr4;       /* for good */
	uint32_t efer;
	uint64_t kernel_entry; /* called with the APIC id */
	uint64_t stacks;       /* array of stack tops, by APIC id */
	uint8_t guest[256];
};

_Static_assert(offsetof(struct trampoline_args, gdt) == ARGS_GDT, "known to trampoline.S");
_Static_assert(offsetof(struct trampoline_args, gdt_limit) == ARGS_GDT_POINTER, "the same");
_Static_assert(offsetof(struct trampoline_args, entry_32) == ARGS_ENTRY_32, "the same");
_Static_assert(offsetof(struct trampoline_args, entry_64) == ARGS_ENTRY_64, "the same");
_Static_assert(offsetof(struct trampoline_args, cr3) == ARGS_CR3, "the same");
_Static_assert(offsetof(struct trampoline_args, cr4_start) == ARGS_CR4_START, "the same");
_Static_assert(offsetof(struct trampoline_args, cr4) == ARGS_CR4, "the same");
_Static_assert(offsetof(struct trampoline_args, efer) == ARGS_EFER, "the same");
_Static_assert(offsetof(struct trampoline_args, kernel_entry) == ARGS_KERNEL_ENTRY, "the same");
_Static_assert(offsetof(struct trampoline_args, stacks) == ARGS_STACKS, "the same");
_Static_assert(offsetof(struct trampoline_args, guest) == ARGS_GUEST, "the same");
_Static_assert(TRAMPOLINE_ARGS + sizeof(struct trampoline_args) <= TRAMPOLINE_BYTES, "it fits");

/* The code to copy to the page's beginning, and the offsets of its parts in it. */
extern const uint8_t trampoline_start[], trampoline_code_32[], trampoline_code_64[],
	trampoline_end[];
#endif
