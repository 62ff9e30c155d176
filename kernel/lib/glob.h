/*
 * Shell-like patterns: `*` is any text, `?` any one character, all else itself.
 *
 * No state, no locking; compiles on the host. Talks to nobody.
 */
#ifndef LIB_GLOB_H
#define LIB_GLOB_H

#include <lib/compiler.h>

/* Does all of `text` match the pattern of `length` characters? */
bool glob_match(const char *pattern, size_t length, const char *text);

#endif
