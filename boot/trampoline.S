/*
 * Where every CPU but the first starts: real mode, at the beginning of a page below 1 MiB.
 *
 * It does what entry.S does for the boot CPU, with what that one has found out: the same control
 * registers, the kernel's own tables at once. Many CPUs run it at the same time; each has its APIC
 * id in EBX from beginning to end, and writes nothing but the byte that says that it came.
 *
 * The code is copied, so it knows no address but offsets from its beginning, which it keeps in EDI.
 * Talks to: kernel/arch/x86_64/smp_start.c, through the arguments in the page.
 */
#include <boot/boot_mode.h>
#include <boot/trampoline.h>

#define MSR_EFER 0xc0000080
#define ARGS TRAMPOLINE_ARGS

	.section .rodata.trampoline, "a", @progbits
	.globl trampoline_start, trampoline_code_32, trampoline_code_64, trampoline_end
	.balign 16
	.code16
trampoline_start:
	cli
	cld
	movw %cs, %ax
	movw %ax, %ds

	movl $1, %eax
	cpuid
	shrl $24, %ebx

	/* Whoever was not invited, or came too late, stays here for good. */
	movb $GUEST_INVITED, %al
	movb $GUEST_CAME, %cl
	lock cmpxchgb %cl, (ARGS + ARGS_GUEST)(%bx)
	jne stay

	xorl %edi, %edi
	movw %cs, %di
	shll $4, %edi
	lgdtl ARGS + ARGS_GDT_POINTER
	movl $BOOT_CR0_START, %eax
	movl %eax, %cr0
	ljmpl *(ARGS + ARGS_ENTRY_32)
stay:
	hlt
	jmp stay

	.code32
trampoline_code_32:
	movw $TRAMPOLINE_DATA, %ax
	movw %ax, %ds
	movw %ax, %ss

	/* Long mode, as in entry.S (SDM vol. 3, 9.8.5). */
	movl (ARGS + ARGS_CR4_START)(%edi), %eax
	movl %eax, %cr4
	movl (ARGS + ARGS_CR3)(%edi), %eax
	movl %eax, %cr3
	movl $MSR_EFER, %ecx
	movl (ARGS + ARGS_EFER)(%edi), %eax
	xorl %edx, %edx
	wrmsr
	movl $BOOT_CR0, %eax
	movl %eax, %cr0
	ljmpl *(ARGS + ARGS_ENTRY_64)(%edi)

	.code64
trampoline_code_64:
	movl (ARGS + ARGS_CR4)(%rdi), %eax
	movq %rax, %cr4
	movl $TRAMPOLINE_DATA, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	xorl %eax, %eax
	movl %eax, %fs
	movl %eax, %gs
	movl %ebx, %ebx
	movq (ARGS + ARGS_STACKS)(%rdi), %rax
	movq (%rax, %rbx, 8), %rsp
	movq (ARGS + ARGS_KERNEL_ENTRY)(%rdi), %rax
	movl %ebx, %edi
	xorl %ebp, %ebp
	pushq $0 /* the end of back traces; and the stack as after a call */
	jmp *%rax
trampoline_end:
	.org trampoline_start + TRAMPOLINE_ARGS /* an error if the code runs into its arguments */

	.section .note.GNU-stack, "", @progbits
