/*
 * The multiboot2 header that GRUB looks for in the first 32 KiB of the file, and nothing else: no
 * optional tag is asked for (multiboot2 specification, 3.1). The linker script puts it first.
 */
#define MULTIBOOT2_HEADER_MAGIC 0xe85250d6
#define MULTIBOOT2_ARCH_I386 0

	.section .boot.header, "a", @progbits
	.balign 8
header:
	.long MULTIBOOT2_HEADER_MAGIC
	.long MULTIBOOT2_ARCH_I386
	.long header_end - header
	.long -(MULTIBOOT2_HEADER_MAGIC + MULTIBOOT2_ARCH_I386 + (header_end - header))

	/* End tag. */
	.balign 8
	.word 0
	.word 0
	.long 8
header_end:

	.section .note.GNU-stack, "", @progbits
