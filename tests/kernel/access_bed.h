/*
 * The test bed of the permission sweep: a scratch root whose entries are raw values, and control
 * registers that may be set otherwise for a while.
 *
 *   top entry of the user half    path to the page of the ring-3 routine, never changed
 *   another                       the path under test: one table a level, entries at will
 *   kernel half                   the same entries as in the root that was loaded before
 *
 * The path leads to two neighbouring frames, one with data and one with code, by leaves of any
 * level. While a bed is open its root is loaded; at most one is.
 *
 * The sweep's files write entries and tables by themselves, as they judge the format;
 * tools/check.py lets them.
 * Locking: none, one CPU. Talks to: arch (access, mmu, cpu), frame, access_model.
 */
#pragma once

#include <arch/trap.h>
#include <mm/frame.h>
#include <tests/kernel/access_model.h>

/* Everything allowed. */
#define BED_OPEN (MODEL_P | MODEL_W | MODEL_U)

enum bed_target { BED_DATA, BED_CODE, BED_TARGETS };

struct bed {
	struct model_cpu cpu, saved; /* how the CPU is set, and was */
	bool is_tcg;                 /* QEMU's emulator, with its known deviations */
	pa_t root, saved_root;
	struct frame *frames; /* all of the bed's, chained through owner[0] */
	uint64_t random;
	struct {
		va_t va;
		pa_t pa;
		uint64_t *slot[MODEL_LEVELS]; /* the entries on the way there, by level */
	} target[BED_TARGETS];
	uint64_t table[MODEL_LEVELS]; /* by level: the table that holds the path's entry */
};
extern struct bed bed;

/* Build and load the scratch root. `plain`: with kernel tables of its own, without NX. */
void bed_open(bool plain);
/* Back to the root and the control registers of before; frees everything. */
void bed_close(void);

/* Set CR0.WP, CR4.SMEP, SMAP and PKE, and EFER.NXE as bed.cpu says, and drop all translations.
 * A feature that the CPU lacks must not be asked for. */
void bed_load_cpu(void);

/* A block of 2^order frames for the bed, zeroed; freed with it. */
pa_t bed_alloc(unsigned order);
/* The slot at this level on va's path, making open tables on the way to it. */
uint64_t *bed_slot(va_t va, unsigned level);
/* The 8 bytes at a physical address, anywhere in RAM. */
uint64_t bed_read(uint64_t pa);
/* Random bits, from the test's seed. */
uint64_t bed_random(void);
/* Fill a page with code, other code every 8 bytes, and what the code at `pa` returns. */
void bed_fill_code(pa_t page);
uint32_t bed_code_value(uint64_t pa);
