/*
 * Playing sequences of operations on the implementation, the model, the hardware and the mirrors
 * at once.
 *
 * An operation is one number, whose meaning does not depend on what was before: so a part of a
 * sequence is a sequence, and a failing one can be made shorter (model_shrink.h) and written down.
 *
 *    26 .. 19  18 .. 15  14 . 11  10 . 7  6 . 5  4 . 0
 *   +---------+---------+--------+-------+------+------+
 *   | inject  |  arg    |  to    | from  |space | kind |   inject n: the n-th allocation fails
 *   +---------+---------+--------+-------+------+------+
 *
 * Places are sixteen pages at borders of every level. After each operation all that the spaces, the
 * CPU and the devices say is compared with the model, and the oracle is asked. Every space has a
 * software device with a mirror.
 *
 * One sequence at a time. Talks to: model, oracle, touch, soft_device, and the rooms under test.
 */
#pragma once

#include <tests/kernel/model.h>

#define PLAY_PLACES 16
#define PLAY_OPS_MAX 512
#define PLAY_INJECT_MAX 255

/*        name            what arg means */
#define PLAY_OPS(X)                                                        \
	X(MAP, map) /* flags and rights */                                 \
	X(UNMAP, unmap)                                                    \
	X(PROTECT, protect) /* rights */                                   \
	X(WRITE, write)     /* through the CPU, faults resolved */         \
	X(READ, read)                                                      \
	X(RAW_READ, raw_read) /* through the CPU, faults not resolved */   \
	X(RAW_WRITE, raw_write)                                            \
	X(FORK, fork) /* the child's place; 8: the other way */            \
	X(EXIT, exit)                                                      \
	X(CREATE, create) /* a space of another family */                  \
	X(SWAP_OUT, swap_out)                                              \
	X(RECLAIM, reclaim) /* how many pages */                           \
	X(SPLIT, split)                                                    \
	X(MERGE, merge)                                                    \
	X(DEVICE_WRITE, device_write)                                      \
	X(DEVICE_READ, device_read)                                        \
	X(MIRROR_FAULT, mirror_fault) /* of a range; arg 1: for writing */ \
	X(SNAPSHOT, snapshot)                                              \
	X(INVALIDATE, invalidate) /* a section that has no reason */       \
	X(AGE, age)               /* young and dirty bits, of the device */

#define PLAY_ENUM(name, function) PLAY_##name,
enum play_kind { PLAY_OPS(PLAY_ENUM) PLAY_KIND_COUNT };

struct play_op {
	enum play_kind kind;
	unsigned space, from, to, arg, inject;
};
uint32_t play_encode(struct play_op op);
struct play_op play_decode(uint32_t code);

/* What has been done since the last play_reset_stats. */
struct play_stats {
	uint64_t done[PLAY_KIND_COUNT], total, refused, injected;
};
extern struct play_stats play_stats;
const char *play_kind_name(enum play_kind kind);

/* How a sequence ended. */
struct play_result {
	bool failed;
	unsigned at;    /* the operation after which it was seen */
	char what[160]; /* in words */
};

/* From nothing: play the operations until one fails, and take everything down. */
struct play_result play_run(const uint32_t *code, unsigned count);

/* Did any allocation fail, in the sequence that was played last, because an operation said so? */
extern bool play_injected;

/* A defect of the implementation, for tests of the tests: after a fork a child's first write to a
 * page shows in the parent, too. */
extern bool play_defect;

/* Print an operation in words, as a note. */
void play_note(unsigned number, uint32_t code);
