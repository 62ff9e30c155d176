/*
 * PVH: QEMU starts an ELF kernel at the address in this note, in 32-bit protected mode without
 * paging, flat segments, interrupts off. From there to 64 bits, on tables made by hand for the
 * first GiB.
 */
	.section .note.Xen, "a", @note
	.long 4, 4, 18 /* sizes of name and value; XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz "Xen"
	.long entry

	.bss
	.balign 4096
boot_top:
	.skip 4096
boot_middle:
	.skip 4096
boot_bottom:
	.skip 4096
	.skip 65536
stack_end:

	.section .rodata
	.balign 8
gdt:
	.quad 0
	.quad 0x00af9a000000ffff /* 0x08: 64-bit code */
	.quad 0x00cf92000000ffff /* 0x10: data */
gdt_pointer:
	.word . - gdt - 1
	.long gdt

	.text
	.code32
	.globl entry
entry:
	mov $stack_end, %esp
	movl $boot_middle + 3, boot_top
	movl $boot_bottom + 3, boot_middle
	xor %ecx, %ecx
1:	mov %ecx, %eax /* entry i: i * 2 MiB, present, writable, large */
	shl $21, %eax
	or $0x83, %eax
	mov %eax, boot_bottom(, %ecx, 8)
	inc %ecx
	cmp $512, %ecx
	jb 1b
	mov $boot_top, %eax
	mov %eax, %cr3
	mov $0x20, %eax /* PAE */
	mov %eax, %cr4
	mov $0xc0000080, %ecx /* EFER: LME and NXE */
	mov $0x900, %eax
	xor %edx, %edx
	wrmsr
	mov $0x80010033, %eax /* PG, WP, NE, ET, MP, PE */
	mov %eax, %cr0
	lgdt gdt_pointer
	ljmp $0x08, $2f
	.code64
2:	mov $0x10, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss
	call kernel_main
3:	hlt
	jmp 3b

/* #PF: save what a C function may change, ask it, and try again. */
	.globl page_fault_entry
page_fault_entry:
	push %rax
	push %rcx
	push %rdx
	push %rsi
	push %rdi
	push %r8
	push %r9
	push %r10
	push %r11
	mov 72(%rsp), %rdi /* the error code */
	mov %cr2, %rsi
	cld
	sub $8, %rsp
	call page_fault
	add $8, %rsp
	pop %r11
	pop %r10
	pop %r9
	pop %r8
	pop %rdi
	pop %rsi
	pop %rdx
	pop %rcx
	pop %rax
	add $8, %rsp
	iretq

	.section .note.GNU-stack, "", @progbits
