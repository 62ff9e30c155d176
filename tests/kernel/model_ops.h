/*
 * The operations of a sequence, and the players: spaces with a device each. Part of model_play.c,
 * which see.
 */
#pragma once

#include <mm/share.h>
#include <tests/kernel/model_play.h>
#include <tests/kernel/soft_device.h>

#define PLAY_SLOTS 32 /* of swap */

struct player {
	struct space *space; /* NULL: nobody */
	struct soft_device dev;
};

/* The sequence that is being played. */
extern struct play {
	struct model model;
	struct player player[MODEL_SPACES];
	struct play_result result;
	unsigned step;
	bool wrecked;      /* a bug has left locks, lists and frames as they were */
	bool swap_is_ours; /* to take down */
} play;

/* The page number of a place. */
uint64_t play_page(unsigned place);

void player_enter(unsigned i, struct space *space);
void player_leave(unsigned i);

/* The sequence has failed, for this reason; only the first counts. */
void play_fail(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* Do it to the implementation and, if that did it, to the model. */
void play_do(const struct play_op *op);
