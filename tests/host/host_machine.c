/*
 * The fake machine's memory. The arena is address space only: the host gives a page when it is
 * first touched, so banks may lie gigabytes apart.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <arch/shadow.h>
#include <lib/printk.h>
#include <mm/frame.h>
#include <mm/kspace.h>
#include <mm/memmap.h>
#include <tests/host/host.h>

unsigned long host_direct_base;

#define KIB 1024ull
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

/* A hole where the PC has one, and room for one block of the highest order. */
static const struct host_bank default_bank[] = {
	{ 0, 640 * KIB },
	{ 1 * MIB, 2047 * MIB },
	{ 2 * GIB + 512 * MIB, 64 * MIB },
};

static struct memmap machine;

void host_arena_map(void)
{
	void *arena = mmap(NULL, HOST_ARENA_BYTES + GIB, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (arena == MAP_FAILED) {
		perror("arena");
		exit(EXIT_FAILURE);
	}
	/* Aligned like the kernel's direct map, so that a huge page is one at either address. */
	host_direct_base = ALIGN_UP((unsigned long)arena, GIB);
}

static void machine_forget(void)
{
	for (unsigned i = 0; i < machine.count; i++)
		frame_shadow_alloc(pa_to_ptr(PA(machine.range[i].start)),
				   machine.range[i].end - machine.range[i].start);
	machine.count = 0;
}

int host_boot(const struct host_bank *bank, unsigned bank_count)
{
	int error;

	machine_forget();
	for (unsigned i = 0; i < bank_count; i++)
		memmap_add(&machine, bank[i].start, bank[i].bytes, MEMMAP_USABLE, HOST_ARENA_BYTES);
	memmap_add(&machine, 0, PAGE_SIZE, MEMMAP_RESERVED, HOST_ARENA_BYTES);
	error = frame_init(&machine);
	if (error)
		return error;
	/* As the kernel does it: what the boot tables reach first, the rest later. */
	frame_add_usable(&machine, 0, BOOT_MAP_BYTES);
	frame_add_usable(&machine, BOOT_MAP_BYTES, HOST_ARENA_BYTES);
	return 0;
}

void host_boot_default(void)
{
	int error = host_boot(default_bank, ARRAY_SIZE(default_bank));

	if (error)
		panic("host: frame_init: error %d", -error);
	kspace_init_root();
}
