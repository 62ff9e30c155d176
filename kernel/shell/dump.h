/*
 * Whole trees as text: in the form people know from Linux, and as JSON for programs.
 *
 * Locking: takes the space's lock for reading. Talks to: mm/space, lib/printk.
 */
#pragma once

#include <mm/pt/pt_types.h>

struct mirror;
struct pt_root;
struct space;

/*
 * As /sys/kernel/debug/page_tables/kernel has it on x86, holes left out: neighbouring leaves
 * with the same rights on a line, with the names Linux has for our levels.
 *
 *   0xffff800000600000-0xffff80001fe00000         504M     RW             PSE GLB NX pmd
 */
void dump_linux(const struct space *s);

/*
 * One object: {"format", "levels", "root", "tables": [{"pa", "level", "edges", "live", "entries":
 * [{"index", "count", "raw", "kind", "pa", "attr"}]}]}, a table a line, parents first. An entry
 * with a count stands for so many leaves side by side whose memory is, too; pa and attr only where
 * there are any. Numbers that may not fit a double are strings in hexadecimal.
 */
void dump_json(const struct space *s);

/* The same of a mirror's table; under its lock, or while nothing changes it. */
void dump_vtd_json(const struct pt_root *root);

/* The path of an address in it, as show_walk draws that of a space. */
void dump_vtd_walk(struct mirror *m, va_t va);
