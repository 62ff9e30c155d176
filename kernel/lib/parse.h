/*
 * Reading numbers and words that people typed.
 *
 * No state, no locking; compiles on the host. Talks to nobody.
 */
#pragma once

#include <lib/compiler.h>

/*
 * All of `text` as a number: decimal, or hexadecimal after 0x.
 *
 * Returns false, and leaves *value alone, if it is empty, not a number or above 2^64 - 1.
 */
bool parse_number(const char *text, uint64_t *value);

/*
 * Cut the next word off *text, unquoted in place, and terminate it: words are separated by
 * blanks, double quotes keep blanks in a word, a backslash keeps the character behind it.
 *
 * Returns the word, or NULL when there is none. *unclosed is set, never cleared, by a quotation
 * without an end; the word then reaches to the end of the text.
 */
char *parse_word(char **text, bool *unclosed);
