/*
 * What the boot loader told us, in our own words. Filled in once by the multiboot2 parser
 * (arch/x86_64/multiboot.c), constant afterwards.
 */
#pragma once

#include <mm/memmap.h>

#define BOOT_MODULE_MAX 8
#define BOOT_CMDLINE_MAX 1024

struct boot_module {
	pa_t start, end;
	char name[64]; /* what GRUB's line says of it, cut if need be */
};

struct boot_info {
	char cmdline[BOOT_CMDLINE_MAX]; /* GRUB's, with fw_cfg's appended after a space */
	struct memmap memmap;
	struct boot_module module[BOOT_MODULE_MAX];
	unsigned module_count;
	pa_t rsdp; /* address of a copy of the ACPI root pointer, or PA_NONE */
	bool efi;
};
extern struct boot_info boot_info;

/*
 * Read the multiboot2 information structure (its specification, chapter 3.6): `limit` bytes at
 * `info`, which lie at physical address `pa`, may be touched. Addresses at or above `pa_limit` do
 * not exist.
 *
 * The memory map comes from tag 6, or without one from tag 4; where the EFI map (tag 17) is more
 * careful it wins. Marked in it: modules, this structure and ACPI tables (MEMMAP_RECLAIM), the
 * first page and the BIOS area (MEMMAP_RESERVED). The kernel image is the caller's to mark. A
 * module that is not in memory, or is one too many, is left out; maps add up, and of any other
 * repeated tag the first counts.
 *
 * Returns 0; -EINVAL if the structure is malformed (a tag too small, or past the end, or no end
 * tag); -ENOENT if no tag tells of memory; -ENOSPC if the map has too many ranges. On failure
 * `out` is not to be used. Every outcome sets *reason to a short text for the user.
 */
int multiboot_parse(const void *info, size_t limit, pa_t pa, uint64_t pa_limit,
		    struct boot_info *out, const char **reason);
