/*
 * Sets of CPUs, by number. The plain operations are for a set of one's own; the atomic ones for
 * sets that several CPUs change at once.
 *
 * No state, no locking. Talks to nobody.
 */
#pragma once

#include <arch/cpu.h>
#include <lib/compiler.h>

#define CPU_SET_WORDS ((CPU_MAX + 63) / 64)

struct cpu_set {
	uint64_t word[CPU_SET_WORDS];
};

static inline void cpu_set_clear(struct cpu_set *s)
{
	for (unsigned i = 0; i < CPU_SET_WORDS; i++)
		s->word[i] = 0;
}

/*
 * Of a set that others change meanwhile: each CPU as it is at some moment during the call. Who is
 * seen to have left has done all it did before.
 */
static inline void cpu_set_copy(struct cpu_set *to, const struct cpu_set *from)
{
	for (unsigned i = 0; i < CPU_SET_WORDS; i++)
		to->word[i] = __atomic_load_n(&from->word[i], __ATOMIC_ACQUIRE);
}

static inline void cpu_set_add(struct cpu_set *s, unsigned cpu)
{
	s->word[cpu / 64] |= 1ull << cpu % 64;
}

static inline void cpu_set_remove(struct cpu_set *s, unsigned cpu)
{
	s->word[cpu / 64] &= ~(1ull << cpu % 64);
}

static inline bool cpu_set_has(const struct cpu_set *s, unsigned cpu)
{
	return READ_ONCE(s->word[cpu / 64]) >> cpu % 64 & 1;
}

/* Full barriers, both. */
static inline void cpu_set_add_atomic(struct cpu_set *s, unsigned cpu)
{
	__atomic_fetch_or(&s->word[cpu / 64], 1ull << cpu % 64, __ATOMIC_SEQ_CST);
}

static inline void cpu_set_remove_atomic(struct cpu_set *s, unsigned cpu)
{
	__atomic_fetch_and(&s->word[cpu / 64], ~(1ull << cpu % 64), __ATOMIC_SEQ_CST);
}

static inline unsigned cpu_set_count(const struct cpu_set *s)
{
	unsigned count = 0;

	for (unsigned i = 0; i < CPU_SET_WORDS; i++)
		for (uint64_t rest = READ_ONCE(s->word[i]); rest; rest &= rest - 1)
			count++;
	return count;
}

/* The first CPU of the set at or above `cpu`; CPU_MAX if there is none. */
static inline unsigned cpu_set_next(const struct cpu_set *s, unsigned cpu)
{
	while (cpu < CPU_MAX) {
		uint64_t rest = READ_ONCE(s->word[cpu / 64]) >> cpu % 64;

		if (rest)
			return cpu + (unsigned)__builtin_ctzll(rest);
		cpu = (cpu / 64 + 1) * 64;
	}
	return CPU_MAX;
}

#define cpu_set_for_each(cpu, set) \
	for (cpu = cpu_set_next(set, 0); cpu < CPU_MAX; cpu = cpu_set_next(set, cpu + 1))
