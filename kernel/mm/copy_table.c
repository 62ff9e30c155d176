/*
 * The inner loop of an eager fork; see copy_table.h.
 *
 * Each page costs an atomic AND in the parent (so that neither A nor D is lost), an atomic addition
 * to its edges and a store in the child; one mask tells ordinary leaves from all else. Groups of
 * entries without a live one are passed over by the summary, which is inherited.
 */
#include <mm/copy_table.h>
#include <mm/frame.h>

#define UNROLL 8

/* What an entry that is not copied was. */
struct missing {
	unsigned count;
	bool left; /* some of them not because they are none */
};

/* What the child sees of a leaf of which the parent has v. */
PT_INLINE ptv_t copied_leaf(ptv_t v, const bool cow)
{
	return ptv_leaf_change(v, PT_YOUNG | (cow ? PT_W : PT_DIRTY), 0);
}

/* Entry n behind `from` is not a leaf, present, with a counted frame: see what it is. */
static NOINLINE void copy_odd_entry(ptp_t from, ptp_t to, int n, bool cow, struct missing *missing)
{
	ptv_t v = ptp_get(ptp_step(from, n));

	if (!ptv_is_leaf(v)) {
		missing->count++;
		missing->left |= !ptv_none(v);
		return;
	}
	if (cow)
		v = ptp_write_protect(ptp_step(from, n));
	if (!(ptv_attr(v) & PT_DEVMAP))
		frame_get(pa_to_frame(ptv_pa(v)));
	ptp_set(ptp_step(to, n), copied_leaf(v, cow));
}

/* An addition to the edges of entry n's frame made them negative. */
static NOINLINE void check_edges(ptp_t from, int n)
{
	frame_check_edges(pa_to_frame(ptv_pa(ptp_get(ptp_step(from, n)))));
}

/* What all entries of a run need, in registers. */
struct run {
	struct frame *frames;
	uint64_t ordinary;
	bool cow;
};

PT_INLINE void copy_entry(const struct run r, ptp_t from, ptp_t to, int n, struct missing *missing)
{
	ptv_t v = ptp_get(ptp_step(from, n));

	if (UNLIKELY(!ptv_is_ordinary(v, r.ordinary))) {
		copy_odd_entry(from, to, n, r.cow, missing);
		return;
	}
	if (r.cow)
		v = ptp_write_protect(ptp_step(from, n));
	if (UNLIKELY(frame_get_single(r.frames, ptv_pa(v))))
		check_edges(from, n);
	ptp_set(ptp_step(to, n), copied_leaf(v, r.cow));
}

/* Entries [i, end), none of which `to` has yet. */
PT_INLINE void copy_entries(pt_t from_table, pt_t to_table, unsigned i, unsigned end,
			    const bool cow, struct missing *missing)
{
	const struct run r = { frame_array, ptv_ordinary(PT_DEVMAP, 0), cow };
	ptp_t from = pt_entry((pt_t){ from_table.pa, 0 }, i);
	ptp_t to = pt_entry((pt_t){ to_table.pa, 0 }, i);

	for (; i + UNROLL <= end; i += UNROLL) {
#pragma GCC unroll 8
		for (int n = 0; n < UNROLL; n++)
			copy_entry(r, from, to, n, missing);
		from = ptp_step(from, UNROLL);
		to = ptp_step(to, UNROLL);
	}
	for (; i < end; i++, from = ptp_next(from), to = ptp_next(to))
		copy_entry(r, from, to, 0, missing);
}

/* The summary's bits of the groups that [first, last] touches. */
static uint64_t groups_of(unsigned first, unsigned last)
{
	return (2ull << (last >> PT_GROUP_SHIFT)) - (1ull << (first >> PT_GROUP_SHIFT));
}

/* Cut the lowest run of ones off *groups: the entries [*i, *end) it stands for. */
static void next_run(uint64_t *groups, unsigned *i, unsigned *end)
{
	unsigned start = (unsigned)__builtin_ctzll(*groups);
	uint64_t behind = ~(*groups >> start);
	unsigned length = behind ? (unsigned)__builtin_ctzll(behind) : 64;

	*i = start << PT_GROUP_SHIFT;
	*end = (start + length) << PT_GROUP_SHIFT;
	*groups &= start + length < 64 ? ~0ull << (start + length) : 0;
}

bool copy_table_leaves(pt_t from, pt_t to, unsigned first, unsigned last, bool cow)
{
	uint64_t groups = groups_of(first, last) & READ_ONCE(pt_meta(from)->summary);
	struct missing missing = { 0 };
	struct pt_meta *meta = pt_meta(to);
	unsigned count = 0, i, end;

	for (uint64_t todo = groups; todo;) {
		next_run(&todo, &i, &end);
		i = i < first ? first : i;
		end = end > last + 1 ? last + 1 : end;
		if (cow)
			copy_entries(from, to, i, end, true, &missing);
		else
			copy_entries(from, to, i, end, false, &missing);
		count += end - i;
	}
	if (count > missing.count) {
		meta->live = (uint16_t)(meta->live + count - missing.count);
		meta->summary |= groups;
	}
	return missing.left;
}
