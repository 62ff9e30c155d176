/*
 * The event ring at the prompt. Talks to: lib/trace.
 */
#include <lib/printk.h>
#include <lib/string.h>
#include <lib/trace.h>
#include <mm/space.h>
#include <shell/kinds.h>
#include <shell/shell.h>

#define DUMP_DEFAULT 40

#define ROW(name, a, b) { #name, a, b },
static const struct {
	const char *name, *a, *b;
} event[] = { TRACE_EVENTS(ROW) };

static void print_counts(void)
{
	printk("tracing is %s; %lu events\n", trace_is_on ? "on" : "off", trace_total());
	for (unsigned i = 0; i < TRACE_EVENT_COUNT; i++)
		if (trace_count(i))
			printk("  %-11s %8lu\n", event[i].name, trace_count(i));
}

static void print_event(const struct trace_entry *e, long ticks)
{
	static const char *const result[] = { "stale", "filled", "reused", "copied" };
	_Static_assert(ARRAY_SIZE(result) == FAULT_RESULT_COUNT, "a name for each result");

	printk("%+9ld cpu %u %-11s %s %#lx, %s ", ticks, e->cpu, event[e->event].name,
	       event[e->event].a, e->a, event[e->event].b);
	if (e->event == TRACE_FAULT && e->b < FAULT_RESULT_COUNT)
		printk("%s\n", result[e->b]);
	else
		printk("%#lx\n", e->b);
}

/* The last `count` events, the oldest first, with the ticks between them. */
static void print_events(uint64_t count)
{
	struct trace_cursor c = { .age = { 0 } };
	struct trace_entry e;
	uint64_t last = 0;

	while (count-- && trace_step_back(&c))
		;
	while (trace_step_on(&c, &e)) {
		print_event(&e, last ? (long)(e.tsc - last) : 0);
		last = e.tsc;
	}
}

SHELL_COMMAND(trace, "events", "trace [on|off|clear] | trace dump [<number>]",
	      "faults, allocations, shares, unshares, invalidations, flushes")
{
	bool was_on = trace_is_on;

	if (argc == 1) {
		print_counts();
	} else if (!strcmp(argv[1], "dump")) {
		trace_is_on = false;
		print_events(argc == 3 ? arg_number(argv[2]) : DUMP_DEFAULT);
		trace_is_on = was_on;
	} else if (!strcmp(argv[1], "clear")) {
		trace_clear();
	} else {
		trace_is_on = !strcmp(argv[1], "on");
	}
	return true;
}
