/*
 * Where the kernel image lies: symbols of linker.ld, all page aligned, all addresses in the image
 * range, so that pa = address - IMAGE_BASE holds for each of them.
 *
 *   image_boot     the part that ran before paging and the boot tables: all of it may be reclaimed
 *   image_text     R X
 *   image_rodata   R
 *   image_data     RW, .bss included; holds the boot stack and the guard page under it
 */
#ifndef ARCH_IMAGE_H
#define ARCH_IMAGE_H

extern char image_start[], image_end[];
extern char image_boot_start[], image_boot_end[];
extern char image_text_start[], image_text_end[];
extern char image_rodata_start[], image_rodata_end[];
extern char image_data_start[], image_data_end[];

/* Within image_boot: in use until the kernel's own tables are loaded. */
extern char boot_tables_start[], boot_tables_end[];

/* Within image_data: the page that must not be mapped, and the stack that grows down to it. */
extern char boot_stack_guard[], boot_stack[], boot_stack_top[];

#endif
