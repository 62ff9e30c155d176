/*
 * Function names in the running kernel, for back traces.
 *
 * The table is made by tools/ksyms.py from the linked kernel and linked into it in a second pass
 * (Makefile). Sorted by offset; only functions of the kernel's text are in it. Constant; no
 * locking.
 */
#pragma once

#include <lib/compiler.h>

struct ksym {
	uint32_t offset; /* from IMAGE_BASE */
	uint32_t name;   /* offset into ksym_names */
};

extern const struct ksym ksym_table[];
extern const uint32_t ksym_count;
extern const char ksym_names[];

/*
 * The function that `address` lies in.
 *
 * Returns its name and sets *offset to the distance from its start; NULL if the address is not in
 * the kernel's text.
 */
const char *ksym_find(uint64_t address, uint64_t *offset);
