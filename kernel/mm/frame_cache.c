/*
 * Each CPU's own stock of single frames, so that allocating and freeing one writes no line that
 * another CPU writes.
 *
 *   frame_alloc(0)  -> own cache  <- FRAME_BATCH at a time <-  the lists
 *   last frame_put  -> own cache   -> its colder half, when full ->  the lists
 *
 * A batch is one aligned block, so that the frames' records, two to a line, have their neighbours
 * in the same CPU's hands. When the lists have nothing left the caches of all CPUs are emptied
 * before an allocation fails.
 *
 * Invariants: a frame in a cache is free, of order FRAME_ORDER_HOT, and in no list; whoever counts
 * free frames adds the caches' to the lists'. Locking: a cache's lock, interrupts off, which
 * but for its own CPU only those take who empty all; inside it buddy.lock.
 */
#include <lib/cpu_set.h>
#include <lib/string.h>
#include <mm/frame_internal.h>

struct frame_cache frame_cache[CPU_MAX];
static struct cpu_set users; /* CPUs that have ever had a frame here */

static struct frame_cache *cache_lock(unsigned cpu, uint64_t *flags)
{
	struct frame_cache *c = &frame_cache[cpu];

	*flags = arch_irq_save();
	spin_word_lock(&c->lock);
	return c;
}

/* This CPU's. */
static struct frame_cache *cache_lock_own(uint64_t *flags)
{
	struct frame_cache *c;

	preempt_disable();
	if (!cpu_set_has(&users, cpu_index()))
		cpu_set_add_atomic(&users, cpu_index());
	c = cache_lock(cpu_index(), flags);
	preempt_enable();
	return c;
}

static void cache_unlock(struct frame_cache *c, uint64_t flags)
{
	spin_word_unlock(&c->lock);
	arch_irq_restore(flags);
}

static void cache_push(struct frame_cache *c, struct frame *f)
{
	WRITE_ONCE(f->order, FRAME_ORDER_HOT);
	WRITE_ONCE(f->kind, FRAME_FREE);
	c->pfn[c->count] = frame_pfn(f);
	WRITE_ONCE(c->count, c->count + 1);
}

/* Its `count` coldest frames go back to the lists, and can merge there. */
static void cache_drain(struct frame_cache *c, unsigned count)
{
	buddy_give_singles(c->pfn, count);
	memmove(c->pfn, c->pfn + count, (c->count - count) * sizeof(*c->pfn));
	WRITE_ONCE(c->count, c->count - count);
}

/* The first of them will be handed out first. */
static void cache_refill(struct frame_cache *c)
{
	unsigned order = FRAME_BATCH_ORDER;
	struct frame *f = buddy_take_batch(&order);

	for (unsigned i = f ? 1u << order : 0; i; i--)
		cache_push(c, f + i - 1);
}

struct frame *frame_cache_take(enum frame_kind kind, bool *fails)
{
	struct frame *f = NULL;
	uint64_t flags;
	struct frame_cache *c = cache_lock_own(&flags);

	c->alloc_calls++;
	*fails = buddy_must_fail();
	if (!*fails) {
		if (!c->count)
			cache_refill(c);
		if (c->count) {
			WRITE_ONCE(c->count, c->count - 1);
			f = &frame_array[c->pfn[c->count]];
			WRITE_ONCE(f->kind, kind);
			WRITE_ONCE(f->order, 0);
		}
	}
	cache_unlock(c, flags);
	return f;
}

void frame_cache_give(struct frame *f)
{
	uint64_t flags;
	struct frame_cache *c = cache_lock_own(&flags);

	if (c->count == FRAME_CACHE_MAX)
		cache_drain(c, FRAME_CACHE_MAX / 2);
	cache_push(c, f);
	cache_unlock(c, flags);
}

uint64_t frame_cache_drain_all(void)
{
	uint64_t flags, drained = 0;
	unsigned cpu;

	cpu_set_for_each(cpu, &users)
	{
		struct frame_cache *c = cache_lock(cpu, &flags);

		drained += c->count;
		cache_drain(c, c->count);
		cache_unlock(c, flags);
	}
	return drained;
}

uint64_t frame_cache_count(void)
{
	uint64_t count = 0;
	unsigned cpu;

	cpu_set_for_each(cpu, &users) count += READ_ONCE(frame_cache[cpu].count);
	return count;
}

uint64_t frame_cache_alloc_calls(void)
{
	uint64_t calls = 0;
	unsigned cpu;

	cpu_set_for_each(cpu, &users) calls += READ_ONCE(frame_cache[cpu].alloc_calls);
	return calls;
}

void frame_cache_reset(void)
{
	memset(frame_cache, 0, sizeof(frame_cache));
}
