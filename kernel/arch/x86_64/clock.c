/*
 * Measuring and using the time-stamp counter and the local APIC's timer, see arch/clock.h.
 */
#include <arch/apic.h>
#include <arch/clock.h>
#include <dev/pit.h>

#define MEASURE_STEPS (PIT_HZ / 100) /* 10 ms */
#define MEASURE_RUNS 3
#define POLLS_MAX 10000000u
#define SCALE_SHIFT 32

uint64_t clock_tsc_hz, clock_timer_hz;

static uint64_t tsc_at_boot;
static uint64_t ns_scale; /* nanoseconds of a step of the counter, shifted up by SCALE_SHIFT */

struct steps {
	uint64_t tsc, timer;
};

/*
 * Both counters' steps while the PIT counts. Returns false if that never ends.
 *
 * They begin before the PIT and end after it, so that whoever takes the machine away in between, a
 * busy host, makes a run only longer.
 */
static bool measure(struct steps *steps)
{
	uint64_t tsc = arch_read_tsc();

	apic_timer_start(~0u);
	pit_start(MEASURE_STEPS);
	for (unsigned polls = 0; !pit_is_done(); polls++) {
		if (polls == POLLS_MAX)
			return false;
		arch_pause();
	}
	steps->tsc = arch_read_tsc() - tsc;
	steps->timer = ~0u - apic_timer_left();
	apic_timer_start(0);
	return true;
}

/* A run can only last too long (somebody else had the machine): the shortest is the best. */
static bool measure_best(struct steps *best)
{
	*best = (struct steps){ ~0ull, ~0ull };
	for (unsigned run = 0; run < MEASURE_RUNS; run++) {
		struct steps steps;

		if (!measure(&steps))
			return false;
		if (steps.tsc < best->tsc)
			*best = steps;
	}
	return best->tsc && best->timer;
}

static uint64_t hz(uint64_t steps)
{
	return steps * PIT_HZ / MEASURE_STEPS;
}

bool clock_init(void)
{
	struct steps steps;

	if (!measure_best(&steps))
		return false;
	clock_tsc_hz = hz(steps.tsc);
	clock_timer_hz = hz(steps.timer);
	ns_scale = (CLOCK_S << SCALE_SHIFT) / clock_tsc_hz;
	tsc_at_boot = arch_read_tsc();
	return true;
}
_Static_assert(CLOCK_S < 1ull << (64 - SCALE_SHIFT), "the scale can be computed");

uint64_t clock_now(void)
{
	return (uint64_t)((unsigned __int128)(arch_read_tsc() - tsc_at_boot) * ns_scale >>
			  SCALE_SHIFT);
}

void clock_wait(uint64_t ns)
{
	uint64_t start = clock_now();

	while (ns_scale && clock_now() - start < ns)
		arch_pause();
}

void clock_set_alarm(uint64_t ns)
{
	uint64_t steps = (ns < CLOCK_S ? ns : CLOCK_S) * (clock_timer_hz >> 8) / (CLOCK_S >> 8);

	if (steps > ~0u)
		steps = ~0u;
	apic_timer_start(steps ? (uint32_t)steps : 1);
}
