/*
 * Every operation with each of its allocations failing, in situations that make it allocate: what
 * fails must leave everything as it was, and must succeed when it is tried again.
 *
 * A case is a sequence for model_play.h: a situation, the operation with the n-th allocation
 * failing, and the operation once more. n rises until the operation has no n-th allocation. Count
 * room for soft entries is an allocation like any other; the situation `swapped` needs it.
 */
#include <lib/printk.h>
#include <lib/string.h>
#include <mm/share.h>
#include <tests/kernel/model_shrink.h>
#include <tests/kernel/oracle.h>
#include <tests/kernel/test.h>

#define SITUATION_OPS 10

struct situation {
	const char *name;
	struct play_op op[SITUATION_OPS];
	unsigned count;
};

/* Places: 0, 1 next to each other; 2, 3 a border of level 1; 3 ... 5 one huge page; 6 behind it. */
#define ALL 0, 8
#define SITUATION(...) \
	{ __VA_ARGS__ }, sizeof((struct play_op[]){ __VA_ARGS__ }) / sizeof(struct play_op)

static const struct situation situations[] = {
	{ "empty", SITUATION({ PLAY_CREATE, 0, 0, 0, 1, 0 }) },
	{ "written", SITUATION({ PLAY_MAP, 0, ALL, 0, 0 }, { PLAY_WRITE, 0, 0, 0, 0, 0 },
			       { PLAY_WRITE, 0, 3, 3, 0, 0 }, { PLAY_READ, 0, 4, 4, 0, 0 }) },
	{ "forked", SITUATION({ PLAY_MAP, 0, ALL, 0, 0 }, { PLAY_WRITE, 0, 0, 0, 0, 0 },
			      { PLAY_WRITE, 0, 3, 3, 0, 0 }, { PLAY_FORK, 0, 0, 0, 1, 0 }) },
	{ "forked the other way",
	  SITUATION({ PLAY_MAP, 0, ALL, 0, 0 }, { PLAY_WRITE, 0, 0, 0, 0, 0 },
		    { PLAY_WRITE, 0, 3, 3, 0, 0 }, { PLAY_FORK, 0, 0, 0, 9, 0 }) },
	{ "huge", SITUATION({ PLAY_MAP, 0, 3, 6, 7, 0 }, { PLAY_WRITE, 0, 4, 4, 0, 0 },
			    { PLAY_MAP, 0, 0, 2, 0, 0 }, { PLAY_WRITE, 0, 0, 0, 0, 0 }) },
	{ "huge and forked",
	  SITUATION({ PLAY_MAP, 0, 3, 6, 7, 0 }, { PLAY_WRITE, 0, 4, 4, 0, 0 },
		    { PLAY_MIRROR_FAULT, 0, 3, 3, 1, 0 }, { PLAY_FORK, 0, 0, 0, 1, 0 }) },
	{ "swapped", SITUATION({ PLAY_MAP, 0, ALL, 0, 0 }, { PLAY_WRITE, 0, 0, 0, 0, 0 },
			       { PLAY_WRITE, 0, 3, 3, 0, 0 }, { PLAY_SWAP_OUT, 0, 0, 0, 0, 0 },
			       { PLAY_SWAP_OUT, 0, 3, 3, 0, 0 }, { PLAY_FORK, 0, 0, 0, 1, 0 },
			       { PLAY_READ, 0, 4, 4, 0, 0 }, { PLAY_READ, 1, 1, 1, 0, 0 },
			       { PLAY_FORK, 0, 0, 0, 2, 0 }, { PLAY_READ, 2, 1, 1, 0, 0 }) },
	{ "mirrored",
	  SITUATION({ PLAY_MAP, 0, ALL, 0, 0 }, { PLAY_WRITE, 0, 0, 0, 0, 0 },
		    { PLAY_DEVICE_WRITE, 0, 3, 3, 0, 0 }, { PLAY_MIRROR_FAULT, 0, 0, 1, 1, 0 },
		    { PLAY_FORK, 0, 0, 0, 1, 0 }, { PLAY_DEVICE_READ, 1, 0, 0, 0, 0 }) },
	{ "shared memory", SITUATION({ PLAY_MAP, 0, 0, 6, 4, 0 }, { PLAY_WRITE, 0, 0, 0, 0, 0 },
				     { PLAY_FORK, 0, 0, 0, 1, 0 }, { PLAY_WRITE, 1, 3, 3, 0, 0 }) },
};

static struct {
	uint64_t cases, points[PLAY_KIND_COUNT], most;
	bool failed;
} inject;

/* The operation with its n-th allocation failing, for all n there are. */
static void inject_each(const struct situation *s, struct play_op op)
{
	uint32_t code[SITUATION_OPS + 2];

	for (unsigned i = 0; i < s->count; i++)
		code[i] = play_encode(s->op[i]);
	code[s->count + 1] = play_encode(op);
	for (op.inject = 1; op.inject <= PLAY_INJECT_MAX && !inject.failed; op.inject++) {
		struct play_result r;

		code[s->count] = play_encode(op);
		r = play_run(code, s->count + 2);
		inject.cases++;
		inject.failed = r.failed;
		if (r.failed)
			play_note_sequence(code, s->count + 2, &r);
		if (!play_injected)
			break;
		inject.points[op.kind]++;
		if (op.inject > inject.most)
			inject.most = op.inject;
	}
}

/* The arguments of an operation that make a difference, ended by the first one again. */
static const unsigned *arguments(enum play_kind kind)
{
	static const unsigned map[] = { 0, 4, 7, 0 }, protect[] = { 2, 1, 2 };
	static const unsigned fork[] = { 3, 11, 3 }, mirror_fault[] = { 0, 1, 0 }, any[] = { 3, 3 };

	if (kind == PLAY_MAP)
		return map;
	if (kind == PLAY_PROTECT)
		return protect;
	if (kind == PLAY_MIRROR_FAULT)
		return mirror_fault;
	return kind == PLAY_FORK ? fork : any;
}

/* The same in all the places and with all the arguments that make a difference. */
static void inject_kind(const struct situation *s, enum play_kind kind)
{
	static const struct {
		unsigned from, to;
	} range[] = { { 0, 0 }, { 1, 1 }, { 3, 3 }, { 4, 5 }, { 2, 4 }, { 0, 8 }, { 10, 10 } };
	const unsigned *arg = arguments(kind);

	for (unsigned space = 0; space < 2; space++)
		for (unsigned i = 0; i < ARRAY_SIZE(range); i++)
			for (unsigned j = 0; j == 0 || arg[j] != arg[0]; j++)
				inject_each(s, (struct play_op){ kind, space, range[i].from,
								 range[i].to, arg[j], 0 });
}

// Whichever allocation of whichever operation fails, in whatever situation, nothing has changed for
// spaces, CPU and devices, and the next attempt succeeds.
TEST(inject, every_allocation_of_every_operation)
{
	static const enum play_kind allocates[] = {
		PLAY_MAP,          PLAY_UNMAP,        PLAY_PROTECT,     PLAY_WRITE,
		PLAY_READ,         PLAY_FORK,         PLAY_CREATE,      PLAY_SWAP_OUT,
		PLAY_SPLIT,        PLAY_DEVICE_WRITE, PLAY_DEVICE_READ, PLAY_SNAPSHOT,
		PLAY_MIRROR_FAULT, PLAY_INVALIDATE
	};
	uint64_t sum = 0;

	memset(&inject, 0, sizeof(inject));
	for (unsigned i = 0; i < ARRAY_SIZE(situations); i++)
		for (unsigned kind = 0; kind < PLAY_KIND_COUNT; kind++)
			inject_kind(&situations[i], kind);
	EXPECT(!inject.failed);
	for (unsigned kind = 0; kind < PLAY_KIND_COUNT; kind++) {
		sum += inject.points[kind];
		test_note("%-12s %5lu allocations failed", play_kind_name(kind),
			  inject.points[kind]);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(allocates); i++)
		EXPECT(inject.points[allocates[i]] > 0);
	test_note("%lu allocations failed in %lu cases, %u situations, fork=%s; up to %lu in one "
		  "operation",
		  sum, inject.cases, (unsigned)ARRAY_SIZE(situations),
		  fork_shares_tables ? "shared" : "eager", inject.most);
	EXPECT_EQ(oracle_check(), 0u);
}
