/*
 * From the boot loader's 32-bit protected mode to kernel_main in 64-bit mode.
 *
 * The decisions (is this machine good enough, how many levels) and the boot tables are C, in
 * boot_prepare(); here is only what C cannot say. Firmware and boot loaders leave different control
 * registers behind, so every one of them is written whole, never changed bit by bit.
 *
 * Talks to: boot/prepare.c (struct boot_mode), kernel/main.c.
 */
#include <arch/layout.h>
#include <boot/boot_mode.h>

#define MSR_EFER 0xc0000080
#define SELECTOR_CODE 0x08
#define SELECTOR_DATA 0x10

	.section .boot.text, "ax", @progbits
	.code32
	.globl boot_entry
boot_entry:
	cli
	cld
	movl $(boot_stack_top - IMAGE_BASE), %esp
	pushl $0
	popfl

	/* Paging off, whatever the firmware had: CR4.LA57 may not change under it (SDM vol. 3,
	 * 4.1.2). */
	movl $BOOT_CR0_START, %ecx
	movl %ecx, %cr0

	/* boot_prepare(magic, info, &mode); 16-byte aligned stack at the call. */
	xorl %ebp, %ebp
	movl %eax, %esi
	movl %ebx, %edi
	subl $4, %esp
	pushl $boot_mode
	pushl %edi
	pushl %esi
	call boot_prepare
	addl $16, %esp

	.globl boot_switch /* where a debugger stops to see the boot tables before they are used */
boot_switch:
	/* Long mode (SDM vol. 3, 9.8.5): PAE and LA57, the top table, EFER, then paging. */
	movl boot_mode + BOOT_MODE_CR4_START, %eax
	movl %eax, %cr4
	movl boot_mode + BOOT_MODE_CR3, %eax
	movl %eax, %cr3
	movl $MSR_EFER, %ecx
	movl boot_mode + BOOT_MODE_EFER, %eax
	xorl %edx, %edx
	wrmsr
	movl $BOOT_CR0, %eax
	movl %eax, %cr0
	lgdt boot_gdt_pointer
	ljmp $SELECTOR_CODE, $boot_entry_long

	.code64
boot_entry_long:
	/* PGE only with paging on (SDM vol. 3, 2.5). */
	movl boot_mode + BOOT_MODE_CR4, %eax
	movq %rax, %cr4
	movl $SELECTOR_DATA, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %fs
	movl %eax, %gs
	movl %eax, %ss
	movq $boot_entry_high, %rax
	jmp *%rax

	.text
boot_entry_high:
	/* esi and edi survived the calls above (i386 ABI); upper halves are undefined until now. */
	movq $boot_stack_top, %rsp
	movl %edi, %eax
	movl %esi, %edi
	movl %eax, %esi
	xorl %ebp, %ebp
	call kernel_main
	ud2

	.section .boot.rodata, "a", @progbits
	.balign 8
boot_gdt:
	.quad 0
	.quad 0x00af9b000000ffff /* code: 64-bit, ring 0 */
	.quad 0x00cf93000000ffff /* data: ring 0 */
boot_gdt_end:
boot_gdt_pointer:
	.word boot_gdt_end - boot_gdt - 1
	.long boot_gdt

	/* The guard page is a hole only once the kernel's own tables leave it out. */
	.bss
	.balign 4096
	.globl boot_stack_guard, boot_stack, boot_stack_top
boot_stack_guard:
	.skip 4096
boot_stack:
	.skip BOOT_STACK_BYTES
boot_stack_top:

	.section .note.GNU-stack, "", @progbits
