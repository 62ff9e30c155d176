/*
 * What the boot loader told us, in our own words. Filled in once by the multiboot2 parser
 * (arch/x86_64/multiboot.c), constant afterwards.
 */
#ifndef BOOT_INFO_H
#define BOOT_INFO_H

#include <mm/memmap.h>

#define BOOT_MODULE_MAX 8
#define BOOT_CMDLINE_MAX 1024

struct boot_module {
	pa_t start, end;
	char name[64];
};

struct boot_info {
	char cmdline[BOOT_CMDLINE_MAX]; /* GRUB's, with fw_cfg's appended after a space */
	struct memmap memmap;           /* the image, modules and boot information are marked */
	struct boot_module module[BOOT_MODULE_MAX];
	unsigned module_count;
	pa_t rsdp; /* address of a copy of the ACPI root pointer, or PA_NONE */
	bool efi;
};
extern struct boot_info boot_info;

/*
 * Read the multiboot2 information structure at `info` (`limit` bytes may be touched).
 *
 * Returns 0; -EINVAL if the structure is malformed (a tag too small, or past the end); -ENOENT if
 * there is no memory map tag. Every outcome sets *reason to a short text for the user.
 */
int multiboot_parse(const void *info, size_t limit, uint64_t pa_limit, struct boot_info *out,
		    const char **reason);

#endif
