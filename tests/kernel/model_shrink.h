/*
 * Making a failing sequence short, by leaving out whatever it fails without (delta debugging).
 */
#pragma once

#include <tests/kernel/model_play.h>

/*
 * Shrink the sequence in place: it still fails, if perhaps otherwise, and no operation of it can be
 * left out. Returns its length; *result is how it fails, *plays how often sequences were played.
 */
unsigned play_shrink(uint32_t *code, unsigned count, struct play_result *result, unsigned *plays);

/* Print a sequence in words, and the commands that play it again, as notes. */
void play_note_sequence(const uint32_t *code, unsigned count, const struct play_result *result);
