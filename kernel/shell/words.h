/*
 * Usage lines as grammar: what they say is what arguments are checked against and completed by.
 *
 *   "space new <name> | space fork <scratch> <name> [eager|shared]"
 *
 *   form | form        ways to use the command, each begun by its name
 *   word               itself
 *   one|two            either
 *   <kind>             something of that kind: kinds.h
 *   [...]              may be left out
 *
 * Invariant: a command is not run unless its arguments fit one of its forms, so it need not look
 * at argc nor at the form of numbers. No state, no locking. Talks to: kinds.
 */
#pragma once

#include <lib/compiler.h>

/* Do the arguments fit? If not, says in one line which one does not, and how it should be. */
bool words_check(const char *usage, int argc, char *const *argv);

/*
 * Tell `found` of every word that could come next after the first `argc` words and begins with
 * `prefix`; some may come twice.
 */
void words_each_next(const char *usage, int argc, char *const *argv, const char *prefix,
		     void (*found)(void *arg, const char *word), void *arg);
