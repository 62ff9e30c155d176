/*
 * One access made on the test bed and compared with the model in every respect, and the counters
 * that enumerate which ones to make.
 *
 * Locking: as access_bed.h. Talks to: access_bed, access_model, arch (access).
 */
#pragma once

#include <tests/kernel/access_bed.h>

/* Bits that forbid nothing: flipped at random wherever a group does not sweep them. */
#define SWEEP_NOISE (MODEL_A | MODEL_D | MODEL_IGNORED)

/* What a group of combinations came to. */
struct sweep_group {
	uint64_t done_count, fault_count, failure_count;
};

/* The entries of the path under test. An entry's address follows from its flags: a table, or the
 * page that holds the target, of the level's size; flags above bit 11 are added to it. */
struct sweep_combo {
	uint64_t entry[MODEL_LEVELS];
	uint64_t noise[MODEL_LEVELS]; /* bits to flip at random */
};

/* Open down to a leaf at this level, and noise everywhere. */
struct sweep_combo sweep_open(unsigned leaf);

/*
 * Write the combination's entries, flush, make the access at a random offset, and compare with the
 * model: outcome, error code, CR2, instruction, the datum at the translated address, and every
 * entry of the path afterwards. The group's first failure is printed.
 */
void sweep_touch(struct sweep_group *g, const struct sweep_combo *c, enum access_kind kind,
		 bool user, bool ac);

/* Every access to one combination: read, write, fetch; from ring 3, ring 0, and ring 0 with AC. */
void sweep_touch_all(struct sweep_group *g, const struct sweep_combo *c);

/* The same for any address and the entries as they are. Flushes nothing; returns success. */
bool sweep_touch_va(struct sweep_group *g, va_t va, enum access_kind kind, bool user, bool ac);

/* What the model says of an access by these tables and this CPU. */
struct model_outcome sweep_expect(va_t va, enum access_kind kind, bool user, bool ac);
/* Is this the error code that was expected, but for what the emulator is known to do otherwise? */
bool sweep_is_error_right(uint64_t seen, uint64_t expected);
/* For diagnostics: "user read" and so on. */
const char *sweep_access_name(enum access_kind kind, bool user);

/* All combinations that differ from `c` in any of these bits. */
struct sweep_axis {
	unsigned level;
	uint64_t bits;
};
#define SWEEP_AXES_MAX 24
struct sweep_axes {
	unsigned count;
	struct sweep_axis axis[SWEEP_AXES_MAX];
};
void sweep_axes_add(struct sweep_axes *axes, unsigned level, uint64_t bits);
void sweep_run(struct sweep_group *g, struct sweep_combo c, const struct sweep_axes *axes);
/* The same under every setting of CR0.WP, CR4.SMEP and CR4.SMAP that the CPU has. */
void sweep_run_modes(struct sweep_group *g, const struct sweep_combo *c,
		     const struct sweep_axes *axes);

/* The end of a group: its counts as a note, and the checks that nothing differed, and that some
 * accesses went through and some did not. */
void sweep_group_end(const struct sweep_group *g, const char *what);
