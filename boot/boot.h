/*
 * The 32-bit part that runs before paging: what its files offer each other.
 *
 * Compiled with -m32 and linked where it is loaded. It looks the machine over, refuses what cannot
 * work with a plain message and an exit code of its own, chooses the paging depth and builds the
 * boot tables. It runs once, on one CPU, with interrupts off; its memory is reclaimed afterwards.
 *
 * Talks to: the boot loader's information, COM1, fw_cfg, debug-exit. Nothing of the kernel.
 */
#pragma once

#include <boot/boot_mode.h>
#include <lib/compiler.h>

/*
 * Why a machine is refused. Written to QEMU's debug-exit port, so that QEMU exits with
 * 2 * code + 1; the codes 0x10 to 0x12 are the kernel's own.
 */
enum boot_refusal {
	BOOT_REFUSED_LOADER = 0x20,    /* 65: not started by multiboot2 */
	BOOT_REFUSED_LONG_MODE = 0x21, /* 67: a 32-bit CPU */
	BOOT_REFUSED_NX = 0x22,        /* 69: no execute-disable */
	BOOT_REFUSED_LA57 = 0x23,      /* 71: la57=on, and the CPU has 4 levels only */
	BOOT_REFUSED_MEMORY = 0x24,    /* 73: too little memory */
};

/* A piece of the command line, not terminated. */
struct boot_text {
	const char *start;
	uint32_t bytes;
};

enum boot_la57 { BOOT_LA57_AUTO, BOOT_LA57_ON, BOOT_LA57_OFF };

/* console.c */
void boot_console_init(void);
void boot_print(const char *text);
void boot_print_number(uint32_t number);
/* Leave QEMU with the refusal's code, or stop the CPU. The message has been printed. */
void boot_leave(enum boot_refusal why) NORETURN;

/* fw_cfg.c: the text of opt/org.ptolemy/cmdline, empty if there is none. */
struct boot_text boot_fw_cfg_cmdline(void);

/* multiboot.c */
#define BOOT_MULTIBOOT2_MAGIC 0x36d76289
/* The boot loader's command line, empty if there is none. */
struct boot_text boot_multiboot_cmdline(uint32_t info);
/* Usable bytes below 4 GiB. Returns false if the boot loader gave no memory map. */
bool boot_multiboot_memory(uint32_t info, uint64_t *bytes);

/* cmdline.c: the last valid la57= word of `text`, else `otherwise`. */
enum boot_la57 boot_cmdline_la57(struct boot_text text, enum boot_la57 otherwise);

/* tables.c: build the boot tables. Returns the address of the top one. */
uint32_t boot_tables_build(bool five_levels);

/* prepare.c, called by entry.S: comes back only if this machine will do. */
void boot_prepare(uint32_t magic, uint32_t info, struct boot_mode *mode);

static inline bool boot_text_equal(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

static inline void boot_out8(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline uint8_t boot_in8(uint16_t port)
{
	uint8_t value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}
