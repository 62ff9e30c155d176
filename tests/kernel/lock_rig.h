/*
 * What tests of locks between CPUs share: data that a lock guards, and a contest for one.
 */
#pragma once

#include <arch/clock.h>
#include <tests/kernel/test.h>
#include <tests/kernel/workers.h>

#define WAIT_NS (20 * CLOCK_S) /* for what others do at once, on a host that is busy */
#define TURNS 20000

/* What only one at a time may touch: the two are equal but inside. */
struct guarded {
	uint64_t first, second;
	unsigned turns, mixed;
	void (*turn)(struct guarded *g);
};

/* Long enough for others to come in between, if they can. */
static inline void guarded_linger(void)
{
	for (unsigned i = 0; i < 10; i++)
		arch_pause();
}

static inline void guarded_touch(struct guarded *g)
{
	uint64_t n = READ_ONCE(g->first);

	g->mixed += n != READ_ONCE(g->second);
	WRITE_ONCE(g->first, n + 1);
	guarded_linger();
	WRITE_ONCE(g->second, n + 1);
}

struct contest {
	uint32_t go, started, taken;
};
