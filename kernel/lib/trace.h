/*
 * The event ring: what the memory system did, in order, for people to read.
 *
 * trace() costs a load and a branch that is predicted when tracing is off. On, an event goes into
 * the ring of its CPU; the oldest ones are overwritten, the counts go on. Readers put the rings
 * together by the time stamps, which CPUs have in common.
 *
 * Locking: none; an event takes its place with one atomic addition. A reader sees whole events of
 * the past if tracing is off or nobody else runs. Talks to: arch (the time stamp counter).
 */
#pragma once

#include <lib/compiler.h>

/*        event       a              b */
#define TRACE_EVENTS(X)                                                   \
	X(FAULT, "va", "result") /* enum fault_result */                  \
	X(ALLOC, "pa", "order")                                           \
	X(FREE, "pa", "order")                                            \
	X(SHARE, "start", "tables")   /* they got an edge by a fork */    \
	X(UNSHARE, "table", "copy")   /* a write made its own of it */    \
	X(REUSE, "table", "level")    /* nobody else was left: W again */ \
	X(INVALIDATE, "start", "end") /* subscribers of a space */        \
	X(FLUSH, "start", "last")

#define TRACE_ENUM(name, a, b) TRACE_##name,
enum trace_event { TRACE_EVENTS(TRACE_ENUM) TRACE_EVENT_COUNT };

#define TRACE_RINGS 16 /* CPU n writes to ring n % TRACE_RINGS */
#define TRACE_RING 512 /* events in each */

struct trace_entry {
	uint64_t tsc, a, b;
	uint16_t event, cpu;
};

/* Set to switch it on or off. */
extern bool trace_is_on;

void trace_record(enum trace_event event, uint64_t a, uint64_t b);

ALWAYS_INLINE void trace(enum trace_event event, uint64_t a, uint64_t b)
{
	if (UNLIKELY(READ_ONCE(trace_is_on)))
		trace_record(event, a, b);
}

/* Forget all events and counts. */
void trace_clear(void);

/* Events of a kind, and in all, since trace_clear. */
uint64_t trace_count(enum trace_event event);
uint64_t trace_total(void);

/* A place between two events, by how many of each ring come after it. Zeroed: behind the last. */
struct trace_cursor {
	uint64_t age[TRACE_RINGS];
};

/* Go back over one event; false if there are no earlier ones any more. */
bool trace_step_back(struct trace_cursor *c);
/* Go over the next event, and tell it; false at the end. */
bool trace_step_on(struct trace_cursor *c, struct trace_entry *out);
