/*
 * Swap on the hardware's own MMU: pages come back by real page faults of ring 3, stale TLB entries
 * show a missing flush, the accessed bits are the CPU's, and families of forked spaces are run
 * against a model.
 */
#include <arch/trap.h>
#include <mm/copy.h>
#include <mm/fault.h>
#include <mm/reclaim.h>
#include <mm/share.h>
#include <mm/swap.h>
#include <tests/kernel/oracle.h>
#include <tests/kernel/page_room.h>
#include <tests/kernel/test.h>

#define PAGES 8
#define SLOTS 256

/* Let ring 3 run in the space. */
static bool add_stub(struct space *space)
{
	struct area_spec spec = {
		.start = USER_STUB_VA,
		.end = USER_STUB_VA + PAGE_SIZE,
		.kind = AREA_DEVICE,
		.rights = PT_R | PT_X,
		.pa = arch_user_stub_pa(),
	};

	return space_add_area(space, &spec) == 0;
}

static struct trap_info user_access(va_t va, enum access_kind kind, uint64_t *value, bool raw)
{
	struct access a = { .va = va, .kind = kind, .user = true, .raw = raw, .value = *value };
	struct trap_info info = arch_access(&a);

	*value = a.value;
	return info;
}

static bool user_write(va_t va, uint64_t value)
{
	return user_access(va, ACCESS_WRITE, &value, false).vector == TRAP_NONE;
}

static bool user_reads(va_t va, uint64_t expected)
{
	uint64_t value = ~expected;

	return user_access(va, ACCESS_READ, &value, false).vector == TRAP_NONE && value == expected;
}

/* A loaded space whose pages ring 3 has filled with their numbers, and swap. */
static struct space *running_room(unsigned page_count)
{
	struct space *space = room_create(page_count, 0);

	if (!EXPECT(space && add_stub(space)))
		return NULL;
	EXPECT_EQ(swap_init(SLOTS), 0);
	space_switch(space);
	for (unsigned i = 0; i < page_count; i++)
		EXPECT(user_write(ROOM_PAGE(i) + 8 * i, 100 + i));
	return space;
}

static void running_close(struct space *space)
{
	space_switch(NULL);
	space_destroy(space);
	EXPECT_EQ(swap_used(), 0);
	swap_fini();
}

// What ring 3 wrote goes out, and a page fault of ring 3 brings it back, on reads and on writes.
TEST(swap_cpu, a_hardware_fault_brings_a_page_back)
{
	struct space *space = running_room(PAGES);
	uint64_t filled;

	REQUIRE(space != NULL);
	for (unsigned i = 0; i < PAGES; i++)
		EXPECT_EQ(space_swap_out(space, ROOM_PAGE(i)), 0);
	EXPECT(room_counts(space, 0, PAGES));
	filled = space_fault_count(space, FAULT_FILLED);
	for (unsigned i = 0; i < PAGES; i++) {
		if (i & 1)
			EXPECT(user_write(ROOM_PAGE(i) + 2048, i));
		EXPECT(user_reads(ROOM_PAGE(i) + 8 * i, 100 + i));
		EXPECT(user_reads(ROOM_PAGE(i) + 2048, i & 1 ? i : 0));
	}
	EXPECT_EQ(space_fault_count(space, FAULT_FILLED), filled + PAGES);
	EXPECT(room_counts(space, PAGES, 0));
	running_close(space);
}

// No translation of a page that went out is left in the TLB, be it writable or shared with a child.
TEST(swap_cpu, nothing_stale_reaches_the_old_frame)
{
	struct space *space = running_room(PAGES), *child;

	REQUIRE(space != NULL);
	child = space_fork(space);
	REQUIRE(child != NULL);
	for (unsigned i = 0; i < PAGES; i++) {
		bool write = i & 1;
		uint64_t value = 0;
		struct trap_info info;

		/* The TLB knows the page, writable or read-only. */
		EXPECT(write ? user_write(ROOM_PAGE(i), 1)
			     : user_reads(ROOM_PAGE(i) + 8 * i, 100 + i));
		EXPECT_EQ(space_swap_out(space, ROOM_PAGE(i)), 0);
		info = user_access(ROOM_PAGE(i), write ? ACCESS_WRITE : ACCESS_READ, &value, true);
		EXPECT_EQ(info.vector, TRAP_PF);
		EXPECT_EQ(info.error, write ? PF_U | PF_W : PF_U);
		EXPECT_EQ(info.va, ROOM_PAGE(i));
	}
	space_destroy(child);
	running_close(space);
}

// In a child, a page that went out before the fork comes back with the contents of before the fork.
TEST(swap_cpu, a_child_gets_its_own_copy_back)
{
	struct space *parent = running_room(PAGES), *child;

	REQUIRE(parent != NULL);
	EXPECT_EQ(space_reclaim(parent, PAGES / 2), PAGES / 2);
	child = space_fork(parent);
	REQUIRE(child != NULL);
	EXPECT(room_counts(child, PAGES / 2, PAGES / 2));
	for (unsigned i = 0; i < PAGES; i++)
		EXPECT(user_write(ROOM_PAGE(i) + 8 * i, 200 + i));
	space_switch(child);
	for (unsigned i = 0; i < PAGES; i++)
		EXPECT(user_reads(ROOM_PAGE(i) + 8 * i, 100 + i));
	for (unsigned i = 0; i < PAGES; i++)
		EXPECT(user_write(ROOM_PAGE(i) + 8 * i, 300 + i));
	EXPECT(room_counts(child, PAGES, 0));
	space_switch(parent);
	for (unsigned i = 0; i < PAGES; i++)
		EXPECT(user_reads(ROOM_PAGE(i) + 8 * i, 200 + i));
	space_destroy(child);
	running_close(parent);
}

// A page goes out of the parent while the child shares it: the child keeps it, both stay apart.
TEST(swap_cpu, a_shared_page_stays_with_the_other)
{
	struct space *parent = running_room(1), *child;

	REQUIRE(parent != NULL);
	child = space_fork(parent);
	REQUIRE(child != NULL);
	EXPECT_EQ(space_swap_out(parent, ROOM_START), 0);
	space_switch(child);
	EXPECT(user_reads(ROOM_START, 100));
	EXPECT(user_write(ROOM_START, 5));
	space_switch(parent);
	EXPECT(user_reads(ROOM_START, 100));
	EXPECT(user_write(ROOM_START, 6));
	space_switch(child);
	EXPECT(user_reads(ROOM_START, 5));
	space_switch(parent);
	EXPECT(user_reads(ROOM_START, 6));
	space_destroy(child);
	running_close(parent);
}

// The CPU's own accessed bits steer the clock: what was used since the hand came by last stays.
TEST(swap_cpu, the_clock_sees_what_the_cpu_used)
{
	struct space *space = running_room(PAGES);

	REQUIRE(space != NULL);
	for (unsigned i = 0; i < PAGES; i++)
		EXPECT(room_is_young(space, ROOM_PAGE(i)));
	EXPECT_EQ(space_reclaim(space, 1),
		  1); /* all were young: all are old now, the first is out */
	EXPECT_EQ(room_kind(space, ROOM_PAGE(0)), PT_SOFT);
	for (unsigned i = 1; i < PAGES; i++)
		EXPECT(!room_is_young(space, ROOM_PAGE(i)));
	EXPECT(user_reads(ROOM_PAGE(1), 0));
	EXPECT(user_write(ROOM_PAGE(3), 1));
	EXPECT_EQ(space_reclaim(space, PAGES - 3), PAGES - 3);
	for (unsigned i = 0; i < PAGES; i++)
		EXPECT_EQ(room_kind(space, ROOM_PAGE(i)), i == 1 || i == 3 ? PT_LEAF : PT_SOFT);
	running_close(space);
}

/* ---- Families against a model. ---- */

#define SPACES 5
#define STEPS 4000

struct world {
	struct space *space[SPACES];
	uint64_t word[SPACES][PAGES]; /* what ring 3 must read there */
	unsigned fork_count, out_count;
};

static void world_fork(struct world *w, unsigned from)
{
	for (unsigned to = 0; to < SPACES; to++) {
		if (w->space[to])
			continue;
		w->space[to] = space_fork(w->space[from]);
		EXPECT(w->space[to] != NULL);
		for (unsigned i = 0; i < PAGES; i++)
			w->word[to][i] = w->word[from][i];
		w->fork_count++;
		return;
	}
}

static void world_exit(struct world *w, unsigned n)
{
	unsigned alive = 0;

	for (unsigned i = 0; i < SPACES; i++)
		alive += w->space[i] != NULL;
	if (alive < 2)
		return;
	space_switch(NULL);
	space_destroy(w->space[n]);
	w->space[n] = NULL;
}

static void world_use(struct world *w, unsigned n, unsigned page)
{
	uint64_t value = test_random();

	space_switch(w->space[n]);
	if (value & 1) {
		EXPECT(user_write(ROOM_PAGE(page), value));
		w->word[n][page] = value;
	}
	EXPECT(user_reads(ROOM_PAGE(page), w->word[n][page]));
}

static void world_step(struct world *w)
{
	unsigned n = test_random() % SPACES, page = test_random() % PAGES;

	if (!w->space[n])
		return;
	switch (test_random() % 16) {
	case 0:
		world_fork(w, n);
		break;
	case 1:
		world_exit(w, n);
		break;
	case 2 ... 4:
		w->out_count += !space_swap_out(w->space[n], ROOM_PAGE(page));
		break;
	case 5:
		w->out_count += space_reclaim(w->space[n], page / 2);
		break;
	default:
		world_use(w, n, page);
		break;
	}
}

/* Are the soft entries of all spaces what the slots count, and does the oracle agree? */
static bool world_is_exact(const struct world *w)
{
	uint64_t soft = 0, counted = 0;

	for (unsigned n = 0; n < SPACES; n++) {
		if (w->space[n])
			soft += (uint64_t)space_mapped(w->space[n], MAPPED_SWAP);
	}
	for (swap_slot_t slot = 0; slot < SLOTS; slot++)
		counted += swap_count(slot);
	/* Soft entries in a table that spaces share are counted once. */
	return !oracle_check() && (fork_shares_tables ? counted <= soft : counted == soft);
}

// Families that fork, exit, write, read and swap at random always read what they wrote.
TEST(swap_cpu, random_families_read_what_they_wrote)
{
	struct world w = { .space[0] = running_room(PAGES) };

	REQUIRE(w.space[0] != NULL);
	for (unsigned i = 0; i < PAGES; i++) {
		EXPECT(user_write(ROOM_PAGE(i), i));
		w.word[0][i] = i;
	}
	for (unsigned step = 0; step < STEPS; step++) {
		world_step(&w);
		if (step % 64 == 0)
			REQUIRE(world_is_exact(&w));
	}
	EXPECT(w.fork_count > 50 && w.out_count > 200);
	test_note("%u forks, %u pages went out", w.fork_count, w.out_count);
	space_switch(NULL);
	for (unsigned n = 0; n < SPACES; n++) {
		if (w.space[n])
			space_destroy(w.space[n]);
	}
	EXPECT_EQ(swap_used(), 0);
	swap_fini();
}
