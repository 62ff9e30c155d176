/*
 * Shell-like patterns: `*` is any text, `?` any one character, all else itself.
 *
 * No state, no locking; compiles on the host. Talks to nobody.
 */
#pragma once

#include <lib/compiler.h>

/* Does all of `text` match the pattern of `length` characters? */
bool glob_match(const char *pattern, size_t length, const char *text);
