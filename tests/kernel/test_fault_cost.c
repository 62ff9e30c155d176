/*
 * What an uncontended fault takes of locks, by class.
 */
#include <lib/context.h>
#include <lib/lock_check.h>
#include <mm/copy.h>
#include <mm/fault.h>
#include <mm/frame.h>
#include <mm/share.h>
#include <tests/kernel/fork_as.h>
#include <tests/kernel/page_room.h>
#include <tests/kernel/test.h>
#include <tests/kernel/touch.h>

/* Locks of this class that the caller has taken so far. */
static uint64_t taken(enum lock_class class)
{
	return cpu_local()->context->taken_count[class];
}

static uint64_t table_locks_of_fault(struct space *s, va_t va, pt_attr_t access,
				     enum fault_result kind)
{
	uint64_t before = taken(LOCK_TABLE), faults = space_fault_count(s, kind);

	EXPECT_EQ(space_fault(s, va, access), 0);
	before = taken(LOCK_TABLE) - before;
	EXPECT_EQ(space_fault_count(s, kind), faults + 1);
	return before;
}

// A fault takes one table's lock, whatever it does, tables that it makes included; and the
// allocator's common lock only when its CPU's own frames have run out.
TEST(fault_cost, one_table_lock)
{
	struct space *s = room_create(64, 0);
	uint64_t frames = taken(LOCK_FRAMES);

	REQUIRE(s);
	EXPECT_EQ(table_locks_of_fault(s, ROOM_START, PT_W, FAULT_FILLED), 1ull);
	EXPECT_EQ(table_locks_of_fault(s, ROOM_START + PAGE_SIZE, PT_R, FAULT_FILLED), 1ull);
	EXPECT_EQ(table_locks_of_fault(s, ROOM_START + PAGE_SIZE, PT_W, FAULT_COPIED), 1ull);
	EXPECT_EQ(table_locks_of_fault(s, ROOM_START, PT_W, FAULT_STALE), 1ull);
	for (unsigned i = 2; i < 64; i++)
		EXPECT_EQ(table_locks_of_fault(s, ROOM_START + i * PAGE_SIZE, PT_W, FAULT_FILLED),
			  1ull);
	frames = taken(LOCK_FRAMES) - frames;
	test_note("%lu locks of the allocator for 64 pages and their tables", frames);
	EXPECT_LE(frames, 64ull / 2); /* they come in pairs at least */
	space_destroy(s);
}

// After an eager fork the first write to a page takes one, too, copied or reused.
TEST(fault_cost, one_table_lock_after_fork)
{
	struct space *parent = room_create(4, 0), *child;

	REQUIRE(parent);
	EXPECT(touch_write(parent, ROOM_START, 1));
	child = fork_eagerly(parent);
	REQUIRE(child);
	EXPECT_EQ(table_locks_of_fault(child, ROOM_START, PT_W, FAULT_COPIED), 1ull);
	EXPECT_EQ(table_locks_of_fault(parent, ROOM_START, PT_W, FAULT_REUSED), 1ull);
	touch_done();
	space_destroy(child);
	space_destroy(parent);
}
