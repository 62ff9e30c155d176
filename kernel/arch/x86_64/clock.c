/*
 * Measuring and using the time-stamp counter and the local APIC's timer, see arch/clock.h.
 */
#include <arch/apic.h>
#include <arch/clock.h>
#include <dev/pit.h>

#define MEASURE_STEPS (PIT_HZ / 100) /* 10 ms */
#define MEASURE_RUNS 100
#define READINGS_MAX 100000u
#define ATTEMPTS 8
#define SCALE_SHIFT 32

uint64_t clock_tsc_hz, clock_timer_hz;

static uint64_t tsc_at_boot;
static uint64_t ns_scale; /* nanoseconds of a step of the counter, shifted up by SCALE_SHIFT */

/* Both counters and the PIT at one time; the two that count down, as what is left. */
struct reading {
	uint64_t tsc;
	uint32_t timer, pit;
};

/* Of some attempts the quickest: a busy host may take the machine away in the middle of one. */
static struct reading read_counters(void)
{
	struct reading best = { 0 };
	uint64_t shortest = ~0ull;

	for (unsigned i = 0; i < ATTEMPTS; i++) {
		struct reading r = { .tsc = arch_read_tsc() };
		uint64_t took;

		r.pit = pit_steps_left();
		r.timer = apic_timer_left();
		took = arch_read_tsc() - r.tsc;
		if (took < shortest) {
			shortest = took;
			best = r;
		}
	}
	return best;
}

enum measured { MEASURED, TOO_LATE, NEVER };

/* What passes while the PIT counts. TOO_LATE: it had come to its end before anybody looked. */
static enum measured measure(struct reading *passed)
{
	struct reading first, now;
	unsigned count = 0;

	apic_timer_start(~0u);
	pit_start(PIT_STEPS_MAX);
	first = read_counters();
	do {
		if (count++ == READINGS_MAX)
			return NEVER;
		now = read_counters();
	} while (first.pit - now.pit < MEASURE_STEPS);
	passed->tsc = now.tsc - first.tsc;
	passed->timer = first.timer - now.timer;
	passed->pit = first.pit - now.pit;
	return pit_is_done() ? TOO_LATE : MEASURED;
}

static uint64_t hz(uint64_t steps, uint32_t pit_steps)
{
	return steps * PIT_HZ / pit_steps;
}

bool clock_init(void)
{
	struct reading passed = { 0 };
	enum measured result = TOO_LATE;

	for (unsigned run = 0; run < MEASURE_RUNS && result == TOO_LATE; run++)
		result = measure(&passed);
	apic_timer_start(0);
	if (result != MEASURED || !passed.tsc || !passed.timer)
		return false;
	clock_tsc_hz = hz(passed.tsc, passed.pit);
	clock_timer_hz = hz(passed.timer, passed.pit);
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
