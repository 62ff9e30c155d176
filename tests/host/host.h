/*
 * The fake machine: banks of memory inside one arena, booted the way main.c boots the real one.
 *
 * State is global, as it is in the kernel; one thread. Talks to: mm, and the C library.
 */
#pragma once

#include <lib/compiler.h>

struct host_bank {
	uint64_t start, bytes;
};

/* Map the arena. Once, before anything else. */
void host_arena_map(void);

/* The calling thread is CPU `index` (below HOST_CPUS) from here on; the first thread is 0. */
void host_cpu_begin(unsigned index);

/* Do threads let each other run at odd moments? */
extern bool host_yields;

/*
 * Forget all frames and boot with these banks for RAM, usable and empty.
 *
 * Returns what frame_init returned; on failure there is no allocator.
 */
int host_boot(const struct host_bank *bank, unsigned bank_count);

/* The machine the ordinary tests run on, with a kernel space. Leaves on failure. */
void host_boot_default(void);
