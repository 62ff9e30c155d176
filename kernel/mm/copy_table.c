/*
 * The inner loop of fork; see copy_table.h.
 *
 * Each entry costs an atomic AND in the source (so that neither A nor D is lost), an atomic
 * addition to the edges of what it points to, and a store; one mask tells the ordinary ones from
 * all else. Groups without a live entry are passed over by the summary, which is inherited.
 *
 * What is rare goes out of line, and finds out for itself what it needs: the loop has no
 * instruction and no register for it.
 */
#include <mm/copy_table.h>
#include <mm/frame.h>

#define UNROLL 8

/* What all entries of a run need, in registers; `mode` is a constant. */
struct run {
	struct frame *frames;
	uint64_t ordinary;
	enum copy_mode mode;
};

/* Entries that were not copied. */
struct missing {
	unsigned count;
	bool left; /* some of them not because they are none */
};

/* What the copy is of an entry that is v by now. */
PT_INLINE ptv_t copied(ptv_t v, enum copy_mode mode)
{
	static const pt_attr_t lost[] = {
		[COPY_COW] = PT_YOUNG | PT_W,
		[COPY_SHARED] = PT_YOUNG | PT_DIRTY,
		[COPY_ALIKE] = PT_W,
	};

	return ptv_leaf_change(v, lost[mode], 0);
}

/* Entry n behind `from` is not ordinary: see what it is. */
static NOINLINE void copy_odd_entry(ptp_t from, ptp_t to, int n, enum copy_mode mode,
				    struct missing *missing)
{
	ptv_t v = ptp_get(ptp_step(from, n));

	if (from.level > 0 || !ptv_is_leaf(v)) {
		missing->count++;
		missing->left |= !ptv_none(v);
		return;
	}
	if (mode != COPY_SHARED)
		v = ptp_write_protect(ptp_step(from, n));
	if (!(ptv_attr(v) & PT_DEVMAP))
		frame_get(pa_to_frame(ptv_pa(v)));
	ptp_set(ptp_step(to, n), copied(v, mode));
}

/* An addition to the edges of entry n's frame made them negative. */
static NOINLINE void check_edges(ptp_t from, int n)
{
	frame_check_edges(pa_to_frame(ptv_pa(ptp_get(ptp_step(from, n)))));
}

PT_INLINE void copy_entry(const struct run r, ptp_t from, ptp_t to, int n, struct missing *missing)
{
	ptv_t v = ptp_get(ptp_step(from, n));

	if (UNLIKELY(!ptv_is_ordinary(v, r.ordinary))) {
		copy_odd_entry(from, to, n, r.mode, missing);
		return;
	}
	if (r.mode != COPY_SHARED)
		v = ptp_write_protect(ptp_step(from, n));
	if (UNLIKELY(frame_get_single(r.frames, ptv_pa(v))))
		check_edges(from, n);
	ptp_set(ptp_step(to, n), copied(v, r.mode));
}

/* `count` entries from those on. */
PT_INLINE void copy_run(ptp_t from, ptp_t to, unsigned count, enum copy_mode mode,
			struct missing *missing)
{
	const struct run r = { frame_array, ptv_ordinary(PT_DEVMAP, from.level), mode };

	for (; count >= UNROLL; count -= UNROLL) {
#pragma GCC unroll 8
		for (int n = 0; n < UNROLL; n++)
			copy_entry(r, from, to, n, missing);
		from = ptp_step(from, UNROLL);
		to = ptp_step(to, UNROLL);
	}
	for (; count; count--, from = ptp_next(from), to = ptp_next(to))
		copy_entry(r, from, to, 0, missing);
}

static void copy_run_by_mode(ptp_t from, ptp_t to, unsigned count, enum copy_mode mode,
			     struct missing *missing)
{
	switch (mode) {
	case COPY_COW:
		copy_run(from, to, count, COPY_COW, missing);
		break;
	case COPY_SHARED:
		copy_run(from, to, count, COPY_SHARED, missing);
		break;
	case COPY_ALIKE:
		copy_run(from, to, count, COPY_ALIKE, missing);
		break;
	}
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

unsigned copy_table_entries(pt_t from, pt_t to, unsigned first, unsigned last, enum copy_mode mode,
			    bool *left)
{
	uint64_t groups = groups_of(first, last) & READ_ONCE(pt_meta(from)->summary);
	struct missing missing = { 0 };
	struct pt_meta *meta = pt_meta(to);
	unsigned count = 0, i, end;

	for (uint64_t todo = groups; todo;) {
		next_run(&todo, &i, &end);
		i = i < first ? first : i;
		end = end > last + 1 ? last + 1 : end;
		copy_run_by_mode(pt_entry(from, i), pt_entry(to, i), end - i, mode, &missing);
		count += end - i;
	}
	count -= missing.count;
	if (count) {
		meta->live = (uint16_t)(meta->live + count);
		meta->summary |= groups;
	}
	*left |= missing.left;
	return count;
}
