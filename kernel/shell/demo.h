/*
 * The guided demonstration: what the kernel can do, drawn with the addresses of this very machine.
 *
 * Each part makes the spaces it needs, shows what happens to their tables, and gives everything
 * back. Nothing in it is canned: what is printed was read from tables and counters just then.
 *
 * Locking: the monitor's CPU. Talks to: mm (space, fault, copy, share, kspace), arch/trap for the
 * accesses.
 */
#pragma once

#include <mm/space.h>

/* All of it, in order. Returns false if a part had to be left out; it has said why. */
bool demo_run(void);

/* The parts. */
bool demo_kernel_tables(void);
bool demo_fork_shared(void);
bool demo_fork_eager(void);
bool demo_device(void);

/* A line of 80 columns with a part's title, formatted like printk. */
void demo_title(const char *fmt, ...) PRINTF_LIKE(1, 2);

/*
 * Draw the paths to va in the tables of one or two spaces, top table first, and the page. From the
 * first table that both paths go through they are drawn as one. `right` may be NULL.
 */
void demo_draw_paths(const struct space *left, const char *left_name, const struct space *right,
		     const char *right_name, va_t va);

/* The memory that the demonstrations work on, and the page in it that they draw: chosen so that
 * the indices at all levels differ. */
#define DEMO_START 0x123456600000ull
#define DEMO_BYTES (8ull << 20)
#define DEMO_VA 0x123456789000ull

/* A space with that memory as one anonymous area, every page written to. NULL: no memory. */
struct space *demo_create_space(void);
/* One access through the MMU, as a program would make it. False if it was refused. */
bool demo_write(struct space *s, va_t va, uint64_t value);
bool demo_read(struct space *s, va_t va, uint64_t *value);
/* Back to the kernel's tables, and free both; either may be NULL. */
void demo_destroy(struct space *a, struct space *b);

/* Tables of all spaces of a family, each counted once. */
uint64_t demo_table_count(const struct space *s);
