/*
 * The way into traps and out of them.
 *
 * 256 stubs of 8 bytes, one a vector, begin to complete the CPU's frame to a struct trap_frame:
 *
 *      rsp -> r15 r14 r13 r12 r11 r10 r9 r8 rbp rdi rsi rdx rcx rbx rax
 *             vector error | rip cs rflags rsp ss     (right of the bar: by the CPU)
 *
 * Each pushes its vector as a signed byte, the shortest way; what the CPU has not pushed, an error
 * code, the code that they share puts behind it.
 *
 * GS base is the CPU's struct cpu in supervisor mode and ring 3's own in ring 3. Traps on a stack
 * of their own (NMI, double fault, machine check) may come between a change of ring and the swapgs
 * that belongs to it, so they look at the base itself: the kernel's is negative.
 *
 * RBP is handed to C as the frame's address + 1, which tells a back trace that a trap is there.
 */
#define KERNEL_CS_RPL_MASK 3
#define FRAME_CS 24       /* from the vector's slot on */
#define FRAME_IRET_CS 8   /* from the CPU's part on */
#define MSR_GS_BASE 0xc0000101

/* Vectors with an error code by the CPU: 8, 10-14, 17, 21, 29, 30 (SDM vol. 3, table 6-1). */
#define HAS_ERROR_CODE 0x60227d00
/* Vectors on stacks of their own: 2, 18; and 8, with an error code. */
#define HAS_OWN_STACK 0x00040004
#define DOUBLE_FAULT 8

	.text
	.balign 8
	.globl trap_stubs
trap_stubs:
	vector = 0
	.rept 256
	.balign 8
	.byte 0x6a, vector /* push $vector */
	.if vector >= 128
	jmp trap_enter_negative
	.elseif vector >= 32
	jmp trap_enter_without_error
	.elseif (HAS_OWN_STACK >> vector) & 1
	jmp trap_enter_own_stack_without_error
	.elseif vector == DOUBLE_FAULT
	jmp trap_enter_own_stack
	.elseif (HAS_ERROR_CODE >> vector) & 1
	jmp trap_enter
	.else
	jmp trap_enter_without_error
	.endif
	vector = vector + 1
	.endr

	/* Of the stub's vector, make a vector and an error code of 0. */
	.macro ADD_ERROR_CODE
	push (%rsp)
	movq $0, 8(%rsp)
	.endm

	.macro PUSH_REGISTERS
	.irp r, rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15
	push %\r
	.endr
	.endm

	.macro POP_REGISTERS
	.irp r, r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax
	pop %\r
	.endr
	add $16, %rsp /* vector and error code */
	.endm

	.macro CALL_DISPATCH
	cld
	mov %rsp, %rdi
	lea 1(%rsp), %rbp
	call trap_dispatch
	.endm

trap_enter_negative:
	addq $256, (%rsp)
trap_enter_without_error:
	ADD_ERROR_CODE
trap_enter:
	testb $KERNEL_CS_RPL_MASK, FRAME_CS(%rsp)
	jz 1f
	swapgs
1:	PUSH_REGISTERS
	CALL_DISPATCH
	POP_REGISTERS
	testb $KERNEL_CS_RPL_MASK, FRAME_IRET_CS(%rsp)
	jz 1f
	swapgs
1:	iretq

trap_enter_own_stack_without_error:
	ADD_ERROR_CODE
trap_enter_own_stack:
	PUSH_REGISTERS
	mov $MSR_GS_BASE, %ecx
	rdmsr
	xor %ebx, %ebx
	test %edx, %edx
	js 1f
	swapgs
	mov $1, %ebx
1:	CALL_DISPATCH
	test %ebx, %ebx
	jz 1f
	swapgs
1:	POP_REGISTERS
	iretq

	.section .note.GNU-stack, "", @progbits
