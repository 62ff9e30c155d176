/*
 * From one thread's stack to another's, and the first instruction of a thread.
 *
 * Talks to: thread.c, which knows the order of the registers on the stack.
 */
	.text

/* void thread_switch_stack(uint64_t *from_rsp, uint64_t to_rsp) */
	.globl thread_switch_stack
thread_switch_stack:
	push %rbp
	push %rbx
	push %r12
	push %r13
	push %r14
	push %r15
	mov %rsp, (%rdi)
	mov %rsi, %rsp
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbx
	pop %rbp
	ret

/* Entered by the `ret` above: the entry in RBX, its argument in R12; RBP ends back traces. */
	.globl thread_begin
thread_begin:
	mov %r12, %rdi
	call *%rbx
	ud2

	.section .note.GNU-stack, "", @progbits
