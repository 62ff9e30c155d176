/*
 * Accesses whose every instruction is known, and the way back from code that trapped.
 *
 * Talks to: access.c, trap.c.
 */
#define ENTRY_RIP 0
#define ENTRY_RDI 8
#define ENTRY_RAX 16
#define ENTRY_RSP0 24
#define USER_SS 0x23
#define USER_CS 0x2b
#define TRAP_RETURN 0x81
#define RFLAGS_IF 0x200

	.text

/*
 * bool trap_catch_call(uint64_t *rsp, void (*fn)(void *), void *arg)
 *
 * fn(arg); false if it came back by itself, true if trap_catch_abandon(*rsp) cut it short. The
 * flags (interrupts, AC) are as before either way.
 */
	.globl trap_catch_call
trap_catch_call:
	push %rbp
	mov %rsp, %rbp
	push %rbx
	push %r12
	push %r13
	push %r14
	push %r15
	pushfq
	mov %rsp, (%rdi)
	mov %rdx, %rdi
	call *%rsi
	xor %eax, %eax
1:	popfq
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbx
	pop %rbp
	ret

/* void trap_catch_abandon(uint64_t rsp) */
	.globl trap_catch_abandon
trap_catch_abandon:
	mov %rdi, %rsp
	mov $1, %eax
	jmp 1b

/*
 * uint64_t access_read(va_t va), void access_write(va_t va, uint64_t value),
 * void access_jump(va_t va)
 *
 * The instruction that may trap is the one at the label access_..._rip; a jump comes back by trap.
 */
	.globl access_read, access_read_rip
access_read:
access_read_rip:
	mov (%rdi), %rax
	ret

	.globl access_write, access_write_rip
access_write:
access_write_rip:
	mov %rsi, (%rdi)
	ret

	.globl access_jump
access_jump:
	jmp *%rdi

/*
 * void access_enter_user(const struct user_entry *e)
 *
 * Go to e->rip in ring 3 with RDI and RAX set and no stack. The trap that ends it pushes its frame
 * right below this function's caller, like a call. Interrupts are in ring 3 as they were here; on
 * the way there they are off: nobody may come between.
 */
	.globl access_enter_user
access_enter_user:
	pushfq
	pop %r8
	and $RFLAGS_IF, %r8d
	or $2, %r8d /* the bit that is always one */
	cli
	mov ENTRY_RSP0(%rdi), %rcx
	mov %rsp, %rdx
	and $-16, %rdx
	mov %rdx, (%rcx)
	push $USER_SS
	push $0
	push %r8
	push $USER_CS
	push ENTRY_RIP(%rdi)
	mov ENTRY_RAX(%rdi), %rax
	mov ENTRY_RDI(%rdi), %rdi
	swapgs
	iretq

/*
 * The ring-3 side, alone on its page: wherever it is mapped, it touches nothing but *RDI.
 */
	.section .rodata.user_stub, "a", @progbits
	.balign 4096
	.globl user_stub, user_stub_read, user_stub_write, user_stub_jump
user_stub:
user_stub_read:
	mov (%rdi), %rax
	int $TRAP_RETURN
user_stub_write:
	mov %rax, (%rdi)
	int $TRAP_RETURN
user_stub_jump:
	jmp *%rdi
	.balign 4096

	.section .note.GNU-stack, "", @progbits
