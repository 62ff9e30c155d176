/*
 * What one CPU is told of flushes, in its place: who is lazy, who has caught up, and who was left
 * behind (mm/tlb.h). How CPUs race for it, tests/kernel/test_lazy.c tries.
 */
#include <arch/cpu.h>
#include <mm/flush.h>
#include <mm/kspace.h>
#include <mm/tlb.h>
#include <tests/host/host_tlb.h>
#include <tests/kernel/page_room.h>
#include <tests/kernel/test.h>

static struct tlb_stats before;
static uint64_t flushes_before;

static void note(void)
{
	before = tlb_stats(cpu_index());
	flushes_before = host_flushes.all;
}

/* Since note() it has loaded so many roots, and come back so often, warm or left behind. */
static bool has(uint64_t loads, uint64_t warm, uint64_t catch_ups, uint64_t detachings)
{
	struct tlb_stats now = tlb_stats(cpu_index());

	return EXPECT_EQ(now.loads - before.loads, loads) &&
	       EXPECT_EQ(now.warm - before.warm, warm) &&
	       EXPECT_EQ(now.catch_ups - before.catch_ups, catch_ups) &&
	       EXPECT_EQ(now.detachings - before.detachings, detachings) &&
	       EXPECT_EQ(host_flushes.all - flushes_before, loads + catch_ups);
}

/* Begin a flush. Is this CPU to be called for it? */
static bool begin(struct space *s, bool tables, uint64_t *number)
{
	struct cpu_set set;

	*number = tlb_begin_flush(s, tables, &set);
	return cpu_set_has(&set, cpu_index());
}

// A CPU that leaves a space keeps its root, and comes back to it for nothing, unless there was a
// flush meanwhile; then it forgets everything, once.
TEST(tlb, leaving_and_coming_back)
{
	struct space *s = space_create(), *other = space_create();
	uint64_t number;

	REQUIRE(s && other);
	note();
	space_switch(s);
	EXPECT(has(1, 0, 0, 0));
	EXPECT_EQ(arch_root_current().value, s->root.top.pa.value);
	space_switch(NULL);
	EXPECT(!space_current());
	EXPECT_EQ(arch_root_current().value, s->root.top.pa.value);
	space_switch(s);
	EXPECT(has(1, 1, 0, 0));
	space_switch(NULL);
	EXPECT(!begin(s, false, &number)); /* data: it need not know */
	space_switch(s);
	EXPECT(has(1, 1, 1, 0));
	space_switch(NULL);
	space_switch(s);
	EXPECT(has(1, 2, 1, 0));
	space_switch(other);
	EXPECT(has(2, 2, 1, 0));
	EXPECT_EQ(cpu_set_count(&s->cpus), 0u);
	EXPECT(cpu_set_has(&other->cpus, cpu_index()));
	space_switch(NULL);
	space_destroy(other);
	EXPECT_EQ(arch_root_current().value, kernel_space.root.top.pa.value);
	space_destroy(s);
}

// Who runs in the space does what a flush says, once; who was left behind drops everything.
TEST(tlb, looking_at_a_flush)
{
	struct space *s = space_create();
	uint64_t first, second, third;
	bool all = false;

	REQUIRE(s);
	space_switch(s);
	EXPECT(begin(s, false, &first));
	EXPECT(tlb_look(s, first, &all));
	EXPECT(!all);
	note();
	EXPECT(!tlb_look(s, first, &all)); /* it has done so */
	EXPECT_EQ(tlb_stats(cpu_index()).spared - before.spared, 1u);
	EXPECT(begin(s, false, &second));
	EXPECT(begin(s, false, &third));
	EXPECT_EQ(third, second + 1);
	EXPECT(tlb_look(s, third, &all));
	EXPECT(all); /* the second is on its way, and need not come */
	all = false;
	EXPECT(!tlb_look(s, second, &all));
	EXPECT(!all);
	EXPECT_EQ(tlb_stats(cpu_index()).spared - before.spared, 2u);
	space_switch(NULL);
	space_destroy(s);
}

// Everything at once also does for a flush that began later.
TEST(tlb, everything_is_up_to_the_newest)
{
	struct space *s = space_create();
	uint64_t first, second;
	bool all = true;

	REQUIRE(s);
	space_switch(s);
	EXPECT(begin(s, false, &first));
	EXPECT(begin(s, false, &second));
	EXPECT(tlb_look(s, first, &all));
	EXPECT(!tlb_look(s, second, &all));
	space_switch(NULL);
	space_destroy(s);
}

// A lazy CPU is called when tables go: it leaves the root, and has nothing else to do.
TEST(tlb, lazy_when_tables_go)
{
	struct space *s = space_create();
	uint64_t number;
	bool all = false;

	REQUIRE(s);
	space_switch(s);
	space_switch(NULL);
	EXPECT(begin(s, true, &number));
	note();
	EXPECT(!tlb_look(s, number, &all));
	EXPECT(has(1, 0, 0, 1));
	EXPECT_EQ(arch_root_current().value, kernel_space.root.top.pa.value);
	EXPECT_EQ(cpu_set_count(&s->cpus), 0u);
	EXPECT(!begin(s, true, &number));
	EXPECT(!tlb_look(s, number, &all)); /* called a moment too late */
	EXPECT(has(1, 0, 0, 1));
	space_destroy(s);
}

// A flush of tables reaches a lazy CPU once, and one of data not at all.
TEST(tlb, flushes_of_a_lazy_cpu)
{
	struct space *s = room_create(2, 0);
	FLUSH_BATCH(batch);

	REQUIRE(s);
	space_switch(s);
	space_switch(NULL);
	note();
	flush_begin(&batch, s);
	flush_add_range(&batch, ROOM_PAGE(0), ROOM_PAGE(1) - 1, 0);
	flush_now(&batch);
	EXPECT(has(0, 0, 0, 0));
	flush_add_table(&batch, frame_alloc(0, FRAME_KERNEL));
	flush_end(&batch);
	EXPECT(has(1, 0, 0, 1));
	space_destroy(s);
}
