/*
 * A firmware that leaves everything on: it enters 5-level long mode with an identity map of its
 * own, drops to compatibility mode, and goes on to boot_entry with what the boot loader gave it. An
 * image that begins here (build/firmware.iso) must boot like any other, to either depth.
 *
 * Needs a CPU with LA57; asks nobody.
 */
#define CR0_PE_PG 0x80000001
#define CR4_PAE_PGE_LA57 0x10a0
#define MSR_EFER 0xc0000080
#define EFER_LME_NXE 0x900
#define TABLE_BITS 0x3
#define LEAF_BITS 0x83

	.section .boot.text, "ax", @progbits
	.code32
	.globl firmware_entry
firmware_entry:
	cli
	movl %eax, %esi
	movl $(level_3 + TABLE_BITS), level_4
	movl $(level_2 + TABLE_BITS), level_3
	movl $(level_1 + TABLE_BITS), level_2
	xorl %ecx, %ecx
	movl $LEAF_BITS, %eax
1:	movl %eax, level_1(, %ecx, 8)
	addl $0x200000, %eax
	incl %ecx
	cmpl $512, %ecx
	jne 1b

	movl $CR4_PAE_PGE_LA57, %eax
	movl %eax, %cr4
	movl $level_4, %eax
	movl %eax, %cr3
	movl $MSR_EFER, %ecx
	movl $EFER_LME_NXE, %eax
	xorl %edx, %edx
	wrmsr
	movl $CR0_PE_PG, %eax
	movl %eax, %cr0
	lgdt gdt_pointer
	ljmp $0x08, $compatible
compatible:
	movl $0x10, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	movl %esi, %eax
	jmp boot_entry

	.section .boot.rodata, "a", @progbits
	.balign 8
gdt:
	.quad 0
	.quad 0x00cf9b000000ffff /* code: 32-bit, so compatibility mode */
	.quad 0x00cf93000000ffff
gdt_end:
gdt_pointer:
	.word gdt_end - gdt - 1
	.long gdt

	.section .boot.bss.tables, "aw", @nobits
	.balign 4096
level_4:
	.skip 4096
level_3:
	.skip 4096
level_2:
	.skip 4096
level_1:
	.skip 4096

	.section .note.GNU-stack, "", @progbits
