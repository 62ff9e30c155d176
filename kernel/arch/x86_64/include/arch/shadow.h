/*
 * The seam for tools that watch memory: told which frames are free. No tool watches the kernel on
 * the CPU; tests/host replaces this header by one for AddressSanitizer.
 */
#ifndef ARCH_SHADOW_H
#define ARCH_SHADOW_H

#include <stddef.h>

static inline void frame_shadow_free(void *ptr, size_t bytes)
{
	(void)ptr;
	(void)bytes;
}

static inline void frame_shadow_alloc(void *ptr, size_t bytes)
{
	(void)ptr;
	(void)bytes;
}

#endif
