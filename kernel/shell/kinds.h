/*
 * Kinds of arguments, as <kind> in usage lines: what fits, and what there is to choose from.
 *
 * Locking: the monitor's CPU. Talks to: lib/parse, the tables of spaces, commands and tests.
 */
#pragma once

#include <lib/compiler.h>
#include <mm/pt/pt_types.h>

/* Is the text one of this kind? Anything is, of a kind that is only a name. */
bool kind_fits(const char *kind, const char *text);

/* Tell `found` of all there is of this kind, if they can be counted. */
void kind_each(const char *kind, void (*found)(void *arg, const char *word), void *arg);

/* The values of arguments that fit their kind. */
uint64_t arg_number(const char *text);  /* <va>, <pa>, <number> */
uint64_t arg_bytes(const char *text);   /* <bytes>: 4096, 0x1000, 4K, 2M, 1G, 1T */
pt_attr_t arg_rights(const char *text); /* r, rw, rx, rwx */
