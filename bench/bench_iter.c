/*
 * The next valid entry in tables that have one of 512: pt_iter against the protocol of 2015.
 *
 * That protocol has two calls (SEEDS B2, B4): `update(addr)` gives the entry of an address or NULL,
 * `next(addr)` the next address that may have one - so a bottom table is gone through one address
 * at a time, and each call first finds out where the iterator stands by walking up its array of
 * directories and comparing bounds. Written here from that description.
 */
#include <bench/scene.h>
#include <lib/printk.h>

#define ITER_TABLES 64ull

struct old_iter {
	const struct pt_root *root;
	unsigned level;         /* of the lowest directory held */
	pt_t ptd[PT_LEVEL_MAX]; /* by level; valid from `level` to the top */
	va_t first[PT_LEVEL_MAX], last[PT_LEVEL_MAX];
};

static void old_iter_init(struct old_iter *it, const struct pt_root *root)
{
	it->root = root;
	it->level = root->top.level;
	it->ptd[it->level] = root->top;
	it->first[it->level] = 0;
	it->last[it->level] = ~0ull;
}

/* Walk up to the lowest directory that covers the address. */
static void old_iter_rise(struct old_iter *it, va_t va)
{
	while (it->level < it->root->top.level &&
	       (va < it->first[it->level] || va > it->last[it->level]))
		it->level++;
}

/* The entry for va at level 0, or none; *p is where. */
static NOINLINE bool old_iter_update(struct old_iter *it, va_t va, ptp_t *p)
{
	ptv_t v;

	old_iter_rise(it, va);
	for (;;) {
		*p = pt_entry(it->ptd[it->level], pt_index(va, it->level));
		v = ptp_get(*p);
		if (!it->level)
			return !ptv_none(v);
		if (!ptv_is_table(v))
			return false;
		it->level--;
		it->ptd[it->level] = ptv_to_table(v);
		it->first[it->level] = va & ~pt_mask(it->level + 1);
		it->last[it->level] = va | pt_mask(it->level + 1);
	}
}

/* The next address that may have an entry. */
static NOINLINE va_t old_iter_next(struct old_iter *it, va_t va, va_t end)
{
	old_iter_rise(it, va);
	return pt_addr_end(va, end, it->level);
}

static uint64_t go_over_old(const struct pt_root *root, va_t start, va_t end)
{
	struct old_iter it;
	uint64_t found = 0;
	va_t va = start;

	old_iter_init(&it, root);
	while (va < end) {
		ptp_t p;

		if (old_iter_update(&it, va, &p))
			found++;
		va = old_iter_next(&it, va, end);
	}
	return found;
}

static uint64_t go_over(const struct pt_root *root, va_t start, va_t end)
{
	struct pt_at at;
	struct pt_iter it;
	uint64_t found = 0;

	pt_iter_init(&it, root, start, end);
	while (pt_iter_next(&it, &at))
		found++;
	pt_iter_fini(&it);
	return found;
}

static void measure(const char *impl, uint64_t (*go)(const struct pt_root *, va_t, va_t),
		    const struct pt_root *root)
{
	struct bench_best best = BENCH_BEST;
	uint64_t bytes = ITER_TABLES * pt_size(1);

	for (unsigned i = 0; i < BENCH_REPEATS; i++) {
		uint64_t found;

		bench_start(&best);
		found = go(root, SCENE_BASE, SCENE_BASE + bytes);
		bench_stop(&best);
		ASSERT_EQ(found, ITER_TABLES);
	}
	bench_report(&(struct bench_row){
		.name = "iter_sparse",
		.impl = impl,
		.page_bytes = PAGE_SIZE,
		.size_bytes = bytes,
		.items = ITER_TABLES,
		.instructions = best.least,
	});
}

BENCH(iter_sparse, "the next valid entry where one of 512 is")
{
	struct space *space = space_create();

	ASSERT(space);
	scene_add_area(space, SCENE_BASE, ITER_TABLES * pt_size(1), 0);
	space_switch(space);
	arch_user_access_begin();
	for (uint64_t i = 1; i <= ITER_TABLES; i++)
		scene_write(SCENE_BASE + i * pt_size(1) - PAGE_SIZE);
	arch_user_access_end();
	space_switch(NULL);
	measure("generic", go_over, &space->root);
	measure("classic", go_over_old, &space->root);
	space_destroy(space);
}
