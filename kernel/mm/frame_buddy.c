/*
 * The free lists: a binary buddy allocator over the frame array.
 *
 * A free block of 2^order frames is aligned to its size and linked, by pfn, into the list of its
 * order; its buddy is the block whose pfn differs in bit `order` only. Two free buddies are merged
 * at once. Single frames come and go through each CPU's cache (frame_cache.c), so that allocating
 * and freeing them in turn neither splits nor merges.
 *
 * Invariants: frame_check.c has them all. Locking: buddy.lock, interrupts off; a leaf.
 */
#include <arch/shadow.h>
#include <lib/printk.h>
#include <mm/frame_internal.h>

struct buddy buddy;

static void list_push(struct frame *f, unsigned order)
{
	uint32_t pfn = frame_pfn(f), next = buddy.first[order];

	WRITE_ONCE(f->order, order);
	WRITE_ONCE(f->kind, FRAME_FREE);
	f->free.next = next;
	f->free.prev = 0;
	if (next)
		frame_array[next].free.prev = pfn;
	buddy.first[order] = pfn;
	buddy.nonempty |= 1u << order;
}

static void list_remove(struct frame *f, unsigned order)
{
	uint32_t next = f->free.next, prev = f->free.prev;

	if (next)
		frame_array[next].free.prev = prev;
	if (prev)
		frame_array[prev].free.next = next;
	else
		buddy.first[order] = next;
	if (!buddy.first[order])
		buddy.nonempty &= ~(1u << order);
}

/* Is the block at `pfn` free, on the list of this order? */
static bool list_has(pfn_t pfn, unsigned order)
{
	const struct frame *f = &frame_array[pfn];

	return pfn < frame_limit && READ_ONCE(f->kind) == FRAME_FREE &&
	       READ_ONCE(f->order) == order;
}

/* Put a block on the lists, merged with its buddy, and the two with theirs, as far as it goes. */
static void list_merge(struct frame *f, unsigned order)
{
	pfn_t pfn = frame_pfn(f);

	while (order < FRAME_ORDER_MAX && list_has(pfn ^ block_frames(order), order)) {
		list_remove(&frame_array[pfn ^ block_frames(order)], order);
		WRITE_ONCE(frame_array[pfn | block_frames(order)].kind, FRAME_TAIL);
		pfn &= ~block_frames(order);
		order++;
	}
	list_push(&frame_array[pfn], order);
}

/* Take the head of the smallest free block that is large enough; the rest goes back in halves. */
static struct frame *list_take(unsigned order)
{
	uint32_t large_enough = buddy.nonempty >> order << order;
	struct frame *f;
	unsigned have;

	if (!large_enough)
		return NULL;
	have = (unsigned)__builtin_ctz(large_enough);
	f = &frame_array[buddy.first[have]];
	list_remove(f, have);
	while (have > order) {
		have--;
		list_push(f + block_frames(have), have);
	}
	return f;
}

/* Tell whether frame_fail_after wants this call to fail. The lock is held. */
static bool must_fail(void)
{
	if (LIKELY(!buddy.fail_count))
		return false;
	if (buddy.fail_skip) {
		buddy.fail_skip--;
		return false;
	}
	buddy.fail_count--;
	return true;
}

bool buddy_must_fail(void)
{
	uint64_t flags;
	bool fails;

	if (LIKELY(!READ_ONCE(buddy.fail_count)))
		return false;
	flags = spin_lock_irq(&buddy.lock);
	fails = must_fail();
	spin_unlock_irq(&buddy.lock, flags);
	return fails;
}

struct frame *buddy_take_batch(unsigned *order)
{
	uint64_t flags = spin_lock_irq(&buddy.lock);
	uint32_t pairs = buddy.nonempty & ~1u; /* two records fill a line: rather not one alone */
	unsigned smallest =
		(unsigned)__builtin_ctz(pairs ? pairs : buddy.nonempty | 1u << FRAME_ORDER_MAX);
	struct frame *f;

	if (smallest < *order)
		*order = smallest;
	f = list_take(*order);
	if (f)
		buddy.free_count -= block_frames(*order);
	spin_unlock_irq(&buddy.lock, flags);
	return f;
}

void buddy_give_singles(const uint32_t *pfn, unsigned count)
{
	uint64_t flags = spin_lock_irq(&buddy.lock);

	buddy.free_count += count;
	while (count--)
		list_merge(&frame_array[*pfn++], 0);
	spin_unlock_irq(&buddy.lock, flags);
}

/* A block from the lists, made of `kind`. */
static struct frame *take_block(unsigned order, enum frame_kind kind)
{
	struct frame *f = list_take(order);

	if (f) {
		WRITE_ONCE(f->kind, kind);
		WRITE_ONCE(f->order, order);
		buddy.free_count -= block_frames(order);
	}
	return f;
}

/* The caches may have what is missing, or what would merge to it. */
static struct frame *take_after_drain(unsigned order, enum frame_kind kind)
{
	struct frame *f;
	uint64_t flags;

	frame_cache_drain_all();
	flags = spin_lock_irq(&buddy.lock);
	f = take_block(order, kind);
	spin_unlock_irq(&buddy.lock, flags);
	return f;
}

static struct frame *take_large(unsigned order, enum frame_kind kind, bool *fails)
{
	uint64_t flags = spin_lock_irq(&buddy.lock);
	struct frame *f;

	buddy.alloc_calls++;
	*fails = must_fail();
	f = *fails ? NULL : take_block(order, kind);
	spin_unlock_irq(&buddy.lock, flags);
	return f;
}

struct frame *buddy_take(unsigned order, enum frame_kind kind)
{
	bool fails = false;
	struct frame *f = order ? take_large(order, kind, &fails) : frame_cache_take(kind, &fails);

	return f || fails ? f : take_after_drain(order, kind);
}

void buddy_give(struct frame *f, unsigned order)
{
	uint64_t flags;

	if (order == 0) {
		frame_cache_give(f);
		return;
	}
	flags = spin_lock_irq(&buddy.lock);
	buddy.free_count += block_frames(order);
	list_merge(f, order);
	spin_unlock_irq(&buddy.lock, flags);
}

/* The largest block that begins at pfn, is aligned, and ends by `end`. */
static unsigned largest_order(pfn_t pfn, pfn_t end)
{
	unsigned order = (unsigned)__builtin_ctzll(pfn | block_frames(FRAME_ORDER_MAX));

	while (pfn + block_frames(order) > end)
		order--;
	return order;
}

static void range_to_tails(pfn_t pfn, pfn_t end)
{
	for (; pfn < end; pfn++) {
		ASSERT(frame_array[pfn].kind == FRAME_RESERVED);
		frame_array[pfn].kind = FRAME_TAIL;
	}
}

void frame_add_range(pa_t start, pa_t end)
{
	pfn_t pfn = start.value >> PAGE_SHIFT, limit = end.value >> PAGE_SHIFT;
	uint64_t flags;

	ASSERT_EQ((start.value | end.value) % PAGE_SIZE, 0u);
	if (pfn == 0)
		pfn = 1; /* its number ends the lists */
	if (limit > frame_limit)
		limit = frame_limit;
	range_to_tails(pfn, limit);
	flags = spin_lock_irq(&buddy.lock);
	while (pfn < limit) {
		unsigned order = largest_order(pfn, limit);
		struct frame *f = &frame_array[pfn];

		frame_shadow_free(pa_to_ptr(frame_to_pa(f)), block_frames(order) << PAGE_SHIFT);
		list_merge(f, order);
		buddy.free_count += block_frames(order);
		buddy.total_count += block_frames(order);
		pfn += block_frames(order);
	}
	spin_unlock_irq(&buddy.lock, flags);
}

uint64_t frame_free_count(void)
{
	return READ_ONCE(buddy.free_count) + frame_cache_count();
}

uint64_t frame_total_count(void)
{
	return READ_ONCE(buddy.total_count);
}

uint64_t frame_alloc_calls(void)
{
	return READ_ONCE(buddy.alloc_calls) + frame_cache_alloc_calls();
}

void frame_fail_after(uint64_t skip, uint64_t count)
{
	uint64_t flags = spin_lock_irq(&buddy.lock);

	buddy.fail_skip = skip;
	buddy.fail_count = count;
	spin_unlock_irq(&buddy.lock, flags);
}
