/*
 * Pools: many small objects of one size, in frames that go back when their last object does.
 *
 * A pool page starts with its header; objects follow. Invariant: pages with room are in the pool's
 * list, full ones are not. Locking: the pool's lock. Talks to: frame.
 */
#pragma once

#include <lib/list.h>
#include <lib/spinlock.h>

struct pool {
	const char *name;
	size_t object_bytes;
	struct spinlock lock;
	/* under lock */
	struct list pages; /* with at least one free object */
	uint64_t used_count;
};

#define POOL_INIT(pool, type)                                                      \
	{                                                                          \
		.name = #type, .object_bytes = (sizeof(type) + 15) & ~15ull,       \
		.lock = SPINLOCK_INIT(LOCK_POOL), .pages = LIST_INIT((pool).pages) \
	}

/* A zeroed object, or NULL when there is no frame for it. */
void *pool_alloc(struct pool *pool);
/* NULL is allowed. */
void pool_free(struct pool *pool, void *object);
