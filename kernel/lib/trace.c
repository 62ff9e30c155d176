/* The event ring; see trace.h. */
#include <arch/cpu.h>
#include <lib/trace.h>

bool trace_is_on;

static struct trace_entry ring[TRACE_RING];
static uint64_t total, counts[TRACE_EVENT_COUNT];

void trace_record(enum trace_event event, uint64_t a, uint64_t b)
{
	uint64_t place = __atomic_fetch_add(&total, 1, __ATOMIC_RELAXED);

	__atomic_fetch_add(&counts[event], 1, __ATOMIC_RELAXED);
	ring[place % TRACE_RING] = (struct trace_entry){ arch_read_tsc(), a, b, (uint16_t)event,
							 (uint16_t)cpu_index() };
}

void trace_clear(void)
{
	for (unsigned i = 0; i < TRACE_EVENT_COUNT; i++)
		counts[i] = 0;
	total = 0;
}

uint64_t trace_count(enum trace_event event)
{
	return counts[event];
}

uint64_t trace_total(void)
{
	return total;
}

bool trace_get(uint64_t age, struct trace_entry *out)
{
	if (age >= total || age >= TRACE_RING)
		return false;
	*out = ring[(total - 1 - age) % TRACE_RING];
	return true;
}
