/*
 * Swap slots: the contract of swap.h, every state of two slots with every operation, count room,
 * contents, and memory that comes back.
 */
#include <lib/string.h>
#include <mm/swap.h>
#include <tests/kernel/test.h>

#define SLOTS 2
#define COUNT_MAX (SWAP_COUNT_SMALL + 3)

static void *frame_ptr(const struct frame *f)
{
	return pa_to_ptr(frame_to_pa(f));
}

/* ---- Setting up. ---- */

// Without swap there is no slot, and what cannot be set up is refused.
TEST(swap, refuses_what_it_cannot_do)
{
	swap_slot_t slot;

	EXPECT_EQ(swap_alloc(&slot), -ENOSPC);
	EXPECT_EQ(swap_init(0), -EINVAL);
	EXPECT_EQ(swap_init(1ull << SWAP_SLOT_BITS), -EINVAL);
	REQUIRE_EQ(swap_init(3), 0);
	EXPECT_EQ(swap_init(3), -EBUSY);
	swap_fini();
	EXPECT_EQ(swap_alloc(&slot), -ENOSPC);
	swap_fini();
}

// Whichever allocation of swap_init fails, nothing is kept, and the next attempt succeeds.
TEST(swap, init_fails_cleanly_at_every_allocation)
{
	const unsigned slot_count = 5;
	uint64_t free_before = frame_free_count();
	unsigned failed_count = 0;
	int err;

	for (;; failed_count++) {
		frame_fail_after(failed_count, 1);
		err = swap_init(slot_count);
		frame_fail_after(0, 0);
		if (!err)
			break;
		EXPECT_EQ(err, -ENOMEM);
		EXPECT_EQ(frame_free_count(), free_before);
		swap_slot_t slot;
		EXPECT_EQ(swap_alloc(&slot), -ENOSPC);
	}
	EXPECT_EQ(failed_count, slot_count + 1);
	EXPECT_EQ(frame_free_count(), free_before - slot_count - 1);
	swap_fini();
	EXPECT_EQ(frame_free_count(), free_before);
}

// Using a slot that is free or does not exist is a bug, and so is losing slots.
TEST(swap, misuse_is_a_bug)
{
	swap_slot_t slot;

	REQUIRE_EQ(swap_init(2), 0);
	REQUIRE_EQ(swap_alloc(&slot), 0);
	EXPECT_BUG(swap_get(slot + 1));
	EXPECT_BUG(swap_put(slot + 1));
	EXPECT_BUG(swap_reserve(2));
	EXPECT_BUG(swap_count(2));
	EXPECT_BUG(swap_fini());
	EXPECT_EQ(swap_count(slot), 1);
	swap_put(slot);
	EXPECT_BUG(swap_put(slot));
	swap_fini();
}

/* ---- Contents. ---- */

static void fill(struct frame *f, uint64_t mark)
{
	uint64_t *word = frame_ptr(f);

	for (unsigned i = 0; i < PAGE_SIZE / sizeof(*word); i++)
		word[i] = mark * 0x9e3779b97f4a7c15ull + i;
}

static bool is_filled(const struct frame *f, uint64_t mark)
{
	const uint64_t *word = frame_ptr(f);

	for (unsigned i = 0; i < PAGE_SIZE / sizeof(*word); i++) {
		if (word[i] != mark * 0x9e3779b97f4a7c15ull + i)
			return false;
	}
	return true;
}

// Every slot keeps its own page; when all are taken there are no more, until one is put.
TEST(swap, slots_keep_their_pages)
{
	enum { COUNT = 9 };
	struct frame *f = frame_alloc(0, FRAME_DATA);
	swap_slot_t slot[COUNT], other;
	bool seen[COUNT] = { false };

	REQUIRE(f != NULL);
	REQUIRE_EQ(swap_init(COUNT), 0);
	for (unsigned i = 0; i < COUNT; i++) {
		REQUIRE_EQ(swap_alloc(&slot[i]), 0);
		REQUIRE(slot[i] < COUNT && !seen[slot[i]]);
		seen[slot[i]] = true;
		fill(f, i);
		swap_write(slot[i], f);
		EXPECT_EQ(swap_used(), i + 1);
	}
	EXPECT_EQ(swap_alloc(&other), -ENOSPC);
	swap_put(slot[4]);
	EXPECT_EQ(swap_alloc(&other), 0);
	EXPECT_EQ(other, slot[4]);
	for (unsigned i = 0; i < COUNT; i++) {
		swap_read(slot[i], f);
		EXPECT(is_filled(f, i));
		swap_put(slot[i]);
	}
	EXPECT_EQ(swap_used(), 0);
	swap_fini();
	frame_free(f);
}

// A page that goes out needs no memory: with none left a slot is still to be had.
TEST(swap, going_out_needs_no_memory)
{
	swap_slot_t slot;

	REQUIRE_EQ(swap_init(1), 0);
	frame_fail_after(0, ~0ull);
	EXPECT_EQ(swap_alloc(&slot), 0);
	frame_fail_after(0, 0);
	swap_put(slot);
	swap_fini();
}

/* ---- Counts: every state of two slots, with every operation, against a model. ---- */

struct model {
	unsigned count[SLOTS];
	bool room;
};

enum op { OP_ALLOC, OP_GET, OP_PUT, OP_RESERVE, OP_RESERVE_FAILS, OP_COUNT };

static bool model_has_extra(const struct model *m)
{
	return m->count[0] > SWAP_COUNT_SMALL || m->count[1] > SWAP_COUNT_SMALL;
}

/* Can this state be? Room is there for what it counts, or because it was asked for just now. */
static bool model_is_possible(const struct model *m)
{
	bool starved = m->count[0] == SWAP_COUNT_SMALL || m->count[1] == SWAP_COUNT_SMALL;

	return model_has_extra(m) ? m->room : !m->room || starved;
}

/* What op does to slot i of the model; returns what the call must return. */
static int model_apply(struct model *m, enum op op, unsigned i)
{
	bool starved = m->count[i] >= SWAP_COUNT_SMALL && !m->room;

	switch (op) {
	case OP_ALLOC:
		if (m->count[i])
			return -ENOSPC;
		m->count[i] = 1;
		return 0;
	case OP_GET:
		if (starved)
			return -ENOSPC;
		m->count[i]++;
		return 0;
	case OP_PUT:
		m->count[i]--;
		m->room = model_has_extra(m);
		return 0;
	case OP_RESERVE:
		m->room |= starved;
		return 0;
	case OP_RESERVE_FAILS:
		return starved ? -ENOMEM : 0;
	case OP_COUNT:
		break;
	}
	return -EINVAL;
}

static int real_apply(enum op op, swap_slot_t slot)
{
	int err = 0;

	switch (op) {
	case OP_ALLOC:
		return swap_alloc(&slot);
	case OP_GET:
		return swap_get(slot);
	case OP_PUT:
		swap_put(slot);
		return 0;
	case OP_RESERVE:
		return swap_reserve(slot);
	case OP_RESERVE_FAILS:
		frame_fail_after(0, 1);
		err = swap_reserve(slot);
		frame_fail_after(0, 0);
		return err;
	case OP_COUNT:
		break;
	}
	return -EINVAL;
}

/* Count a slot up; both are allocated. */
static void real_raise(swap_slot_t slot, unsigned count)
{
	while (swap_count(slot) < count) {
		if (swap_get(slot))
			EXPECT_EQ(swap_reserve(slot), 0);
	}
}

/* Bring two fresh slots into the state. */
static void real_build(const struct model *m)
{
	swap_slot_t slot;

	for (unsigned i = 0; i < SLOTS; i++) {
		EXPECT_EQ(swap_alloc(&slot), 0);
		EXPECT_EQ(slot, i);
	}
	for (unsigned i = 0; i < SLOTS; i++)
		real_raise(i, m->count[i]);
	for (unsigned i = 0; i < SLOTS; i++) {
		if (!m->count[i])
			swap_put(i);
	}
	for (unsigned i = 0; m->room && i < SLOTS; i++) {
		if (m->count[i] == SWAP_COUNT_SMALL)
			EXPECT_EQ(swap_reserve(i), 0);
	}
}

static void real_check(const struct model *m, uint64_t free_at_start)
{
	EXPECT_EQ(swap_count(0), m->count[0]);
	EXPECT_EQ(swap_count(1), m->count[1]);
	EXPECT_EQ(swap_used(), !!m->count[0] + !!m->count[1]);
	EXPECT_EQ(frame_free_count(), free_at_start - m->room);
}

static void check_step(struct model m, enum op op, unsigned i)
{
	uint64_t free_at_start;

	if (swap_init(SLOTS)) {
		EXPECT(false);
		return;
	}
	free_at_start = frame_free_count();
	real_build(&m);
	real_check(&m, free_at_start);
	EXPECT_EQ(real_apply(op, i), model_apply(&m, op, i));
	real_check(&m, free_at_start);
	for (i = 0; i < SLOTS; i++) {
		for (; m.count[i]; m.count[i]--)
			swap_put(i);
	}
	EXPECT_EQ(frame_free_count(), free_at_start);
	swap_fini();
}

/* Does the operation make sense on the slot? Two free slots: which one comes is not promised. */
static bool op_is_legal(const struct model *m, enum op op, unsigned i)
{
	if (op == OP_ALLOC)
		return m->count[!i] != 0;
	return m->count[i] != 0;
}

static unsigned check_state(const struct model *m)
{
	unsigned step_count = 0;

	for (enum op op = 0; op < OP_COUNT; op++) {
		for (unsigned i = 0; i < SLOTS; i++) {
			if (!op_is_legal(m, op, i))
				continue;
			check_step(*m, op, i);
			step_count++;
		}
	}
	return step_count;
}

// In every state that two slots of a group can be in, every operation does what the model says.
TEST(swap, every_operation_in_every_state)
{
	unsigned state_count = 0, step_count = 0;
	struct model m;

	for (unsigned n = 0; n < 2 * (COUNT_MAX + 1) * (COUNT_MAX + 1); n++) {
		m.room = n & 1;
		m.count[0] = n / 2 % (COUNT_MAX + 1);
		m.count[1] = n / 2 / (COUNT_MAX + 1);
		if (!model_is_possible(&m))
			continue;
		state_count++;
		step_count += check_state(&m);
	}
	test_note("%u states, %u steps", state_count, step_count);
}

// Slots of one group share their room; those of the next group have their own.
TEST(swap, groups_have_rooms_of_their_own)
{
	const swap_slot_t first = 0, last = SWAP_GROUP_SLOTS - 1, next = SWAP_GROUP_SLOTS;
	uint64_t free_at_start;
	swap_slot_t slot;

	REQUIRE_EQ(swap_init(SWAP_GROUP_SLOTS + 1), 0);
	for (unsigned i = 0; i <= SWAP_GROUP_SLOTS; i++)
		REQUIRE(swap_alloc(&slot) == 0 && slot == i);
	free_at_start = frame_free_count();
	real_raise(first, 1000);
	EXPECT_EQ(frame_free_count(), free_at_start - 1);
	real_raise(last, 10);
	EXPECT_EQ(frame_free_count(), free_at_start - 1);
	real_raise(next, 5);
	EXPECT_EQ(frame_free_count(), free_at_start - 2);
	while (swap_count(first) > 1)
		swap_put(first);
	EXPECT_EQ(frame_free_count(), free_at_start - 2);
	EXPECT_EQ(swap_count(last), 10);
	EXPECT_EQ(swap_count(next), 5);
	while (swap_count(last) > SWAP_COUNT_SMALL)
		swap_put(last);
	EXPECT_EQ(frame_free_count(), free_at_start - 1);
	for (slot = 0; slot <= next; slot++) {
		while (swap_count(slot))
			swap_put(slot);
	}
	EXPECT_EQ(frame_free_count(), free_at_start);
	swap_fini();
}
