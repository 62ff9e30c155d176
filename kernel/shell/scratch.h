/*
 * Scratch spaces: address spaces that a person makes at the prompt, by name.
 *
 * Locking: the monitor's CPU. Talks to: mm/space.
 */
#pragma once

#include <mm/space.h>

#define SCRATCH_MAX 16
#define SCRATCH_NAME_BYTES 12

/* The space of that name, or NULL. */
struct space *scratch_find(const char *name);

/* The name of a space; NULL if it has none. */
const char *scratch_name(const struct space *s);

void scratch_each(void (*found)(void *arg, const char *name), void *arg);

/* Give a space a name that none has yet. Returns false if there are SCRATCH_MAX already. */
bool scratch_add(const char *name, struct space *s);

/* The space is about to go: forget its name. */
void scratch_remove(const struct space *s);

/* The space of an argument of kind <space>: a scratch space or the kernel's. */
struct space *space_named(const char *name);

/*
 * What a space translates for va, its own half or the kernel's, as the CPU would walk it with the
 * space loaded.
 */
struct pt_root space_root_for(const struct space *s, va_t va);
