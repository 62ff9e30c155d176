/*
 * Random sequences of operations, played on spaces, CPU, devices and the model at once; and proof
 * that a defect would be found, and its sequence made short.
 *
 * Each sequence begins with nothing, so the one that fails can be played again by itself. The
 * operations of one sequence keep to a few neighbouring places, so that they meet.
 */
#include <lib/parse.h>
#include <lib/printk.h>
#include <lib/string.h>
#include <mm/frame.h>
#include <mm/share.h>
#include <options.h>
#include <shell/shell.h>
#include <tests/kernel/model_shrink.h>
#include <tests/kernel/oracle.h>
#include <tests/kernel/test.h>

#define OPERATIONS 100000
#define SEQUENCE 200
#define ACTIVE 3      /* spaces at a time: more are more often not there */
#define WINDOW 6      /* places of one sequence */
#define FULL_CHECK 50 /* sequences from one look at every frame to the next */

static uint32_t sequence[PLAY_OPS_MAX];

static const uint8_t weight[PLAY_KIND_COUNT] = {
	[PLAY_MAP] = 10,        [PLAY_UNMAP] = 4,        [PLAY_PROTECT] = 7,
	[PLAY_WRITE] = 18,      [PLAY_READ] = 10,        [PLAY_RAW_READ] = 3,
	[PLAY_RAW_WRITE] = 4,   [PLAY_FORK] = 8,         [PLAY_EXIT] = 4,
	[PLAY_CREATE] = 1,      [PLAY_SWAP_OUT] = 7,     [PLAY_RECLAIM] = 2,
	[PLAY_SPLIT] = 2,       [PLAY_MERGE] = 2,        [PLAY_DEVICE_WRITE] = 5,
	[PLAY_DEVICE_READ] = 4, [PLAY_MIRROR_FAULT] = 3, [PLAY_SNAPSHOT] = 2,
	[PLAY_INVALIDATE] = 2,  [PLAY_AGE] = 1,
};

static enum play_kind random_kind(void)
{
	unsigned total = 0, dice, kind;

	for (kind = 0; kind < PLAY_KIND_COUNT; kind++)
		total += weight[kind];
	dice = test_random() % total;
	for (kind = 0; dice >= weight[kind]; kind++)
		dice -= weight[kind];
	return kind;
}

static uint32_t random_op(unsigned window)
{
	unsigned from = (window + test_random() % WINDOW) % PLAY_PLACES;
	unsigned to = (window + test_random() % WINDOW) % PLAY_PLACES;

	return play_encode((struct play_op){
		.kind = random_kind(),
		.space = test_random() % ACTIVE,
		.from = from,
		.to = test_random() % 2 ? from : to,
		.arg = test_random() % 16,
		.inject = test_random() % 8 ? 0 : 1 + test_random() % 3,
	});
}

static unsigned random_sequence(void)
{
	unsigned window = test_random() % PLAY_PLACES;

	for (unsigned i = 0; i < SEQUENCE; i++)
		sequence[i] = random_op(window);
	return SEQUENCE;
}

static void note_stats(void)
{
	char text[400];
	size_t length = 0;

	for (unsigned kind = 0; kind < PLAY_KIND_COUNT; kind++) {
		length += ksnprintf(text + length, sizeof(text) - length, " %s %lu",
				    play_kind_name(kind), play_stats.done[kind]);
	}
	test_note("%lu operations, %u levels, fork=%s; %lu refused, %lu with a failed allocation",
		  play_stats.total, arch_mmu.top_level + 1, fork_shares_tables ? "shared" : "eager",
		  play_stats.refused, play_stats.injected);
	test_note("%s", text);
}

/* Play random sequences of so many operations in all. Stops at the first that fails, shrunk. */
static void play_random(unsigned operations)
{
	struct play_result r = { .failed = false };
	unsigned count = 0, plays;

	play_stats = (struct play_stats){ .refused = 0 };
	for (unsigned i = 0; play_stats.total < operations && !r.failed; i++) {
		count = random_sequence();
		r = play_run(sequence, count);
		if (i % FULL_CHECK == 0)
			EXPECT_EQ(oracle_check(), 0u);
	}
	EXPECT(!r.failed);
	if (!r.failed) {
		note_stats();
		return;
	}
	test_note("a sequence of %u fails: %s", count, r.what);
	count = play_shrink(sequence, count, &r, &plays);
	test_note("%u operations are enough (%u sequences tried):", count, plays);
	play_note_sequence(sequence, count, &r);
}

// 100,000 random operations, some of them without memory: spaces, CPU and devices do and show what
// the model says, and the oracle agrees after each.
TEST(model, random_operations_agree)
{
	play_random(OPERATIONS);
#ifdef PTOLEMY_HOST /* in the kernel there is a boot for each strategy */
	fork_shares_tables = !fork_shares_tables;
	play_random(OPERATIONS);
	fork_shares_tables = !fork_shares_tables;
#endif
}

/* Play until the planted defect shows. Returns the length of the sequence, 0 if it never did. */
static unsigned play_until_failure(struct play_result *r)
{
	for (unsigned i = 0; i < 200; i++) {
		unsigned count = random_sequence();

		*r = play_run(sequence, count);
		if (r->failed)
			return count;
	}
	return 0;
}

// A defect in copy-on-write is found, and of its sequence little more is left than: map, write,
// fork, write.
TEST(model, a_failing_sequence_is_shrunk)
{
	struct play_result r, again;
	unsigned count, plays;

	oracle_is_quiet = play_defect = true;
	count = play_until_failure(&r);
	EXPECT(count);
	count = play_shrink(sequence, count, &r, &plays);
	again = play_run(sequence, count);
	play_defect = false;
	test_note("%u operations are left, after %u sequences: %s", count, plays, r.what);
	EXPECT(again.failed && !strcmp(again.what, r.what));
	EXPECT_LE(count, 8u);
	EXPECT(!play_run(sequence, count).failed);
	oracle_is_quiet = false;
}

// The same, to be seen: this test fails, and says how to play the short sequence again.
TEST_HIDDEN(selftest, model_finds_defect)
{
	play_defect = true;
	play_random(OPERATIONS);
	play_defect = false;
}

/* ---- Playing again. ---- */

/* Numbers in base 16, separated by commas. The count, 0 if it is none. */
static unsigned parse_ops(const char *text, uint32_t *code)
{
	unsigned count = 0;

	for (; *text && count < PLAY_OPS_MAX; text += *text == ',') {
		uint32_t value = 0;

		for (; *text && *text != ','; text++) {
			const char *digits = "0123456789abcdef", *digit = strchr(digits, *text);

			if (!digit)
				return 0;
			value = value << 4 | (uint32_t)(digit - digits);
		}
		code[count++] = value;
	}
	return count;
}

/* True if all agree. */
static bool play_again(const char *text)
{
	unsigned count = parse_ops(text, sequence);
	struct play_result r;

	if (!count) {
		test_note("operations are numbers in base 16, separated by commas");
		return false;
	}
	r = play_run(sequence, count);
	for (unsigned i = 0; i < count; i++)
		play_note(i + 1, sequence[i]);
	if (r.failed)
		test_note("fails after operation %u: %s", r.at + 1, r.what);
	else
		test_note("agrees");
	return !r.failed;
}

// The operations of the option `ops=` agree with the model.
TEST_HIDDEN(model, replay)
{
	EXPECT(play_again(options.ops));
}

#ifndef PTOLEMY_HOST
SHELL_COMMAND(replay, "work", "replay <ops>",
	      "play operations against the model, as a test printed them")
{
	return play_again(argv[1]);
}
#endif
