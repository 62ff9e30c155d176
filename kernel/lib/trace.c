/* The event ring; see trace.h. */
#include <arch/cpu.h>
#include <lib/trace.h>

bool trace_is_on;

/* CPUs whose numbers differ by TRACE_RINGS share one. */
static struct ring {
	uint64_t total; /* events since trace_clear; the last TRACE_RING of them are there */
	uint64_t counts[TRACE_EVENT_COUNT];
	struct trace_entry entry[TRACE_RING];
} ALIGNED(64) rings[TRACE_RINGS];

void trace_record(enum trace_event event, uint64_t a, uint64_t b)
{
	unsigned cpu = cpu_index();
	struct ring *r = &rings[cpu % TRACE_RINGS];
	uint64_t place = __atomic_fetch_add(&r->total, 1, __ATOMIC_RELAXED);

	__atomic_fetch_add(&r->counts[event], 1, __ATOMIC_RELAXED);
	r->entry[place % TRACE_RING] =
		(struct trace_entry){ arch_read_tsc(), a, b, (uint16_t)event, (uint16_t)cpu };
}

void trace_clear(void)
{
	for (unsigned i = 0; i < TRACE_RINGS; i++) {
		rings[i].total = 0;
		for (unsigned event = 0; event < TRACE_EVENT_COUNT; event++)
			rings[i].counts[event] = 0;
	}
}

uint64_t trace_count(enum trace_event event)
{
	uint64_t count = 0;

	for (unsigned i = 0; i < TRACE_RINGS; i++)
		count += READ_ONCE(rings[i].counts[event]);
	return count;
}

uint64_t trace_total(void)
{
	uint64_t total = 0;

	for (unsigned i = 0; i < TRACE_RINGS; i++)
		total += READ_ONCE(rings[i].total);
	return total;
}

/* The event of a ring that was `age` (1: the last) ago, or NULL. */
static const struct trace_entry *entry_at(const struct ring *r, uint64_t age)
{
	if (!age || age > r->total || age > TRACE_RING)
		return NULL;
	return &r->entry[(r->total - age) % TRACE_RING];
}

/* The ring whose event at age[ring] + step is the latest (or the earliest) of all, or NULL. */
static const struct trace_entry *pick(const struct trace_cursor *c, unsigned step, bool latest,
				      unsigned *ring)
{
	const struct trace_entry *best = NULL;

	for (unsigned i = 0; i < TRACE_RINGS; i++) {
		const struct trace_entry *e = entry_at(&rings[i], c->age[i] + step);

		if (!e || (best && (e->tsc > best->tsc) != latest))
			continue;
		best = e;
		*ring = i;
	}
	return best;
}

bool trace_step_back(struct trace_cursor *c)
{
	unsigned ring;

	if (!pick(c, 1, true, &ring))
		return false;
	c->age[ring]++;
	return true;
}

bool trace_step_on(struct trace_cursor *c, struct trace_entry *out)
{
	unsigned ring;
	const struct trace_entry *e = pick(c, 0, false, &ring);

	if (!e)
		return false;
	*out = *e;
	c->age[ring]--;
	return true;
}
