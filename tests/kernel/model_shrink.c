/* Shrinking; see model_shrink.h. */
#include <arch/mmu.h>
#include <lib/printk.h>
#include <lib/string.h>
#include <mm/share.h>
#include <tests/kernel/model_shrink.h>
#include <tests/kernel/oracle.h>
#include <tests/kernel/test.h>

#define PLAYS_MAX 4000
#define PAIRS_MAX 16 /* operations; longer sequences have too many pairs */

struct shrink {
	uint32_t *code, trial[PLAY_OPS_MAX];
	unsigned count, plays;
	struct play_result *result;
};

/* Does the trial fail? Then it is the sequence from now on. */
static bool shrink_try(struct shrink *s, unsigned count)
{
	struct play_result r;

	if (s->plays >= PLAYS_MAX)
		return false;
	s->plays++;
	r = play_run(s->trial, count);
	if (!r.failed)
		return false;
	s->count = r.at < count ? r.at + 1 : count; /* nothing behind the failure matters */
	memcpy(s->code, s->trial, s->count * sizeof(*s->code));
	*s->result = r;
	return true;
}

/* Leave out `size` operations wherever they are not needed. Returns whether any were not. */
static bool shrink_by(struct shrink *s, unsigned size)
{
	bool any = false;

	for (unsigned at = 0; at + size <= s->count;) {
		memcpy(s->trial, s->code, at * sizeof(*s->code));
		memcpy(s->trial + at, s->code + at + size,
		       (s->count - at - size) * sizeof(*s->code));
		if (shrink_try(s, s->count - size))
			any = true;
		else
			at += size;
	}
	return any;
}

/* Leave out two that belong together, such as a fork and the exit of the child. */
static bool shrink_pairs(struct shrink *s)
{
	for (unsigned i = 0; i < s->count && s->count <= PAIRS_MAX; i++) {
		for (unsigned j = i + 1; j < s->count; j++) {
			unsigned count = 0;

			for (unsigned at = 0; at < s->count; at++)
				if (at != i && at != j)
					s->trial[count++] = s->code[at];
			if (shrink_try(s, count))
				return true;
		}
	}
	return false;
}

/* Replace one operation, if the sequence fails with the other one, too. */
static void shrink_replace(struct shrink *s, unsigned at, struct play_op op)
{
	uint32_t code = play_encode(op);

	if (at >= s->count || s->code[at] == code)
		return;
	memcpy(s->trial, s->code, s->count * sizeof(*s->code));
	s->trial[at] = code;
	shrink_try(s, s->count);
}

/* Make each operation as plain as it can be. */
static void shrink_plain(struct shrink *s)
{
	for (unsigned at = 0; at < s->count; at++) {
		struct play_op op = play_decode(s->code[at]);

		op.inject = 0;
		shrink_replace(s, at, op);
		op = play_decode(s->code[at]);
		op.arg = 0;
		shrink_replace(s, at, op);
		op = play_decode(s->code[at]);
		op.to = op.from;
		shrink_replace(s, at, op);
	}
}

unsigned play_shrink(uint32_t *code, unsigned count, struct play_result *result, unsigned *plays)
{
	static struct shrink s;
	bool quiet = oracle_is_quiet;

	s = (struct shrink){ .code = code, .count = count, .result = result };
	oracle_is_quiet = true;
	if (result->at < count)
		s.count = result->at + 1;
	for (unsigned size = s.count / 2; size > 1; size /= 2)
		shrink_by(&s, size);
	shrink_plain(&s);
	while (shrink_by(&s, 1) || shrink_pairs(&s))
		;
	oracle_is_quiet = quiet;
	*plays = s.plays;
	return s.count;
}

void play_note_sequence(const uint32_t *code, unsigned count, const struct play_result *result)
{
	static char ops[8 * PLAY_OPS_MAX];
	size_t length = 0;

	for (unsigned i = 0; i < count; i++) {
		play_note(i + 1, code[i]);
		length += ksnprintf(ops + length, sizeof(ops) - length, "%s%x", i ? "," : "",
				    code[i]);
	}
	test_note("then: %s", result->what);
	test_note("again: make run LA57=%s CMDLINE='test=model.replay fork=%s ops=%s exit'",
		  arch_mmu.top_level > 3 ? "on" : "off", fork_shares_tables ? "shared" : "eager",
		  ops);
	test_note("or, at the prompt: replay %s", ops);
}
