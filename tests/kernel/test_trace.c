/* The event ring: lib/trace.h. Tracing is off while these run, so that only they record. */
#include <lib/trace.h>
#include <tests/kernel/test.h>

static void record(unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		trace_record(i % 2 ? TRACE_FAULT : TRACE_ALLOC, i, ~i);
}

// What is recorded is counted by kind, and forgotten when it is cleared.
TEST(trace, events_are_counted)
{
	trace_clear();
	record(7);
	EXPECT_EQ(trace_count(TRACE_ALLOC), 4u);
	EXPECT_EQ(trace_count(TRACE_FAULT), 3u);
	EXPECT_EQ(trace_count(TRACE_FLUSH), 0u);
	EXPECT_EQ(trace_total(), 7u);
	trace_clear();
	EXPECT_EQ(trace_count(TRACE_ALLOC), 0u);
	EXPECT_EQ(trace_total(), 0u);
}

// A cursor goes back as far as asked, and tells what follows in the order of time.
TEST(trace, events_come_in_order)
{
	struct trace_cursor c = { .age = { 0 } };
	struct trace_entry e = { .tsc = 0 };
	uint64_t before = 0;

	trace_clear();
	record(9);
	EXPECT(!trace_step_on(&c, &e));
	for (unsigned i = 0; i < 5; i++)
		EXPECT(trace_step_back(&c));
	for (uint64_t i = 4; i < 9; i++) {
		REQUIRE(trace_step_on(&c, &e));
		EXPECT_EQ(e.a, i);
		EXPECT_EQ(e.event, i % 2 ? TRACE_FAULT : TRACE_ALLOC);
		EXPECT_LE(before, e.tsc);
		before = e.tsc;
	}
	EXPECT(!trace_step_on(&c, &e));
	trace_clear();
}

// A full ring keeps the last events, and the counts go on.
TEST(trace, the_oldest_are_overwritten)
{
	struct trace_cursor c = { .age = { 0 } };
	struct trace_entry e = { .tsc = 0 };
	unsigned count = 0;

	trace_clear();
	record(TRACE_RING + 100);
	while (trace_step_back(&c))
		count++;
	EXPECT_EQ(count, (unsigned)TRACE_RING);
	EXPECT(trace_step_on(&c, &e));
	EXPECT_EQ(e.a, 100u);
	EXPECT_EQ(trace_total(), TRACE_RING + 100u);
	trace_clear();
}

// With tracing off, trace() records nothing.
TEST(trace, off_is_off)
{
	bool before = trace_is_on;

	trace_clear();
	trace_is_on = false;
	trace(TRACE_FLUSH, 1, 2);
	EXPECT_EQ(trace_total(), 0u);
	trace_is_on = true;
	trace(TRACE_FLUSH, 1, 2);
	EXPECT_EQ(trace_count(TRACE_FLUSH), 1u);
	trace_is_on = before;
	trace_clear();
}
