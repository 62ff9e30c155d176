/*
 * Free frames are forbidden ground for AddressSanitizer, too: a stray access stops at the
 * instruction that makes it. Replaces the CPU's header of the same name.
 */
#pragma once

#include <stddef.h>

#ifdef HOST_ASAN
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(ptr, bytes) ((void)(ptr), (void)(bytes))
#define ASAN_UNPOISON_MEMORY_REGION(ptr, bytes) ((void)(ptr), (void)(bytes))
#endif

static inline void frame_shadow_free(void *ptr, size_t bytes)
{
	ASAN_POISON_MEMORY_REGION(ptr, bytes);
}

static inline void frame_shadow_alloc(void *ptr, size_t bytes)
{
	ASAN_UNPOISON_MEMORY_REGION(ptr, bytes);
}
