/*
 * copy_page_range in the classic manner; the rest of folded_ops.h, with all of them in a struct.
 */
#include <bench/folded_ops.h>
#include <lib/string.h>
#include <mm/copy.h>
#include <mm/flush.h>
#include <mm/swap.h>

struct copying {
	const struct pt_root *dst, *src;
	uint64_t keep;
	bool cow;
	swap_slot_t starved;
};

/* An entry of the source that is no ordinary page. *count goes up if it was copied. */
static NOINLINE int copy_odd_pte(struct copying *c, pte_t *dst, pte_t *src, va_t va, int *count)
{
	pte_t v = pte_get(src);
	int err = 0;

	if (ptv_is_bad(pte_ptv(v)))
		return ptp_clear_bad(pte_ptp(src), va), 0;
	if (ptv_is_soft(pte_ptv(v))) {
		err = swap_get(ptv_soft_data(pte_ptv(v)));
		c->starved = ptv_soft_data(pte_ptv(v));
	} else {
		if (c->cow)
			v = pte_wrprotect(src);
		if (!pte_devmap(v))
			frame_get(pte_frame(v));
		v = pte_mask(v, c->keep);
	}
	if (err)
		return err;
	set_pte(dst, v);
	++*count;
	return 0;
}

static int copy_pte_range(struct copying *c, pmd_t *dst_pmd, pmd_t *src_pmd, va_t va, va_t end)
{
	pte_t *first = pte_offset(dst_pmd, pmd_get(dst_pmd), va), *dst = first;
	pte_t *src = pte_offset(src_pmd, pmd_get(src_pmd), va);
	int count = 0, err = 0;

	do {
		pte_t v = pte_get(src);

		if (pte_none(v))
			continue;
		if (UNLIKELY(!pte_leaf(v))) {
			err = copy_odd_pte(c, dst, src, va, &count);
			continue;
		}
		if (c->cow && pte_write(v))
			v = pte_wrprotect(src);
		if (!pte_devmap(v))
			frame_get(pte_frame(v));
		set_pte(dst, pte_mask(v, c->keep));
		count++;
	} while (!err && (dst++, src++, va += PAGE_SIZE, va != end));
	book(pte_ptp(first), PT_ENTRY_COUNT - 1, count);
	return err;
}

/* A huge leaf or soft entry. */
static NOINLINE int copy_huge(struct copying *c, ptp_t dst, ptp_t src)
{
	ptv_t v = ptp_get(src);
	pt_attr_t keep = PT_ATTR_ALL & ~(PT_YOUNG | (c->cow ? PT_W : PT_DIRTY));

	if (ptv_is_soft(v))
		return -EINVAL; /* swap has none */

	while (c->cow && (ptv_attr(v) & PT_W) &&
	       !ptp_compare_exchange(src, &v, ptv_write_protect(v)))
		;
	if (!(ptv_attr(v) & PT_DEVMAP))
		frame_get_span(pa_to_frame(ptv_pa(v)), v.level * 9);
	ptp_change(dst, ptv_make_leaf(ptv_pa(v), ptv_attr(v) & keep, v.level));
	return 0;
}

static int copy_pmd_range(struct copying *c, pud_t *dst_pud, pud_t *src_pud, va_t va, va_t end)
{
	pmd_t *dst = pmd_offset(dst_pud, pud_get(dst_pud), va),
	      *src = pmd_offset(src_pud, pud_get(src_pud), va);
	int err = 0;
	va_t next;

	do {
		pmd_t v = pmd_get(src);

		next = pmd_addr_end(va, end);
		if (pmd_none(v))
			continue;
		if (pmd_table(v)) {
			err = make_table(c->dst, pmd_ptp(dst), va);
			if (!err && !pmd_same(v, pmd_get(dst)))
				err = copy_pte_range(c, dst, src, va, next);
		} else if (pmd_known(v)) {
			err = copy_huge(c, pmd_ptp(dst), pmd_ptp(src));
		} else {
			ptp_clear_bad(pmd_ptp(src), va);
		}
	} while (!err && (dst++, src++, va = next, va != end));
	return err;
}

static int copy_pud_range(struct copying *c, p4d_t *dst_p4d, p4d_t *src_p4d, va_t va, va_t end)
{
	pud_t *dst = pud_offset(dst_p4d, p4d_get(dst_p4d), va),
	      *src = pud_offset(src_p4d, p4d_get(src_p4d), va);
	int err = 0;
	va_t next;

	do {
		pud_t v = pud_get(src);

		next = pud_addr_end(va, end);
		if (pud_none(v))
			continue;
		if (pud_table(v)) {
			err = make_table(c->dst, pud_ptp(dst), va);
			if (!err && !pud_same(v, pud_get(dst)))
				err = copy_pmd_range(c, dst, src, va, next);
		} else if (pud_known(v)) {
			err = copy_huge(c, pud_ptp(dst), pud_ptp(src));
		} else {
			ptp_clear_bad(pud_ptp(src), va);
		}
	} while (!err && (dst++, src++, va = next, va != end));
	return err;
}

static int copy_p4d_range(struct copying *c, pgd_t *dst_pgd, pgd_t *src_pgd, va_t va, va_t end)
{
	p4d_t *dst = p4d_offset(dst_pgd, pgd_get(dst_pgd), va),
	      *src = p4d_offset(src_pgd, pgd_get(src_pgd), va);
	int err = 0;
	va_t next;

	do {
		p4d_t v = p4d_get(src);

		next = p4d_addr_end(va, end);
		if (p4d_none(v))
			continue;
		if (p4d_table(v)) {
			err = make_table(c->dst, p4d_ptp(dst), va);
			if (!err && !p4d_same(v, p4d_get(dst)))
				err = copy_pud_range(c, dst, src, va, next);
		} else {
			ptp_clear_bad(p4d_ptp(src), va);
		}
	} while (!err && (dst++, src++, va = next, va != end));
	return err;
}

static int copy_pgd_range(struct copying *c, va_t va, va_t end)
{
	pgd_t *dst = pgd_offset(c->dst, va), *src = pgd_offset(c->src, va);
	int err = 0;
	va_t next;

	if (pgd_folded)
		return copy_p4d_range(c, dst, src, va, end);
	do {
		pgd_t v = pgd_get(src);

		next = pgd_addr_end(va, end);
		if (pgd_none(v))
			continue;
		if (pgd_table(v)) {
			err = make_table(c->dst, pgd_ptp(dst), va);
			if (!err && !pgd_same(v, pgd_get(dst)))
				err = copy_p4d_range(c, dst, src, va, next);
		} else {
			ptp_clear_bad(pgd_ptp(src), va);
		}
	} while (!err && (dst++, src++, va = next, va != end));
	return err;
}

/* As copy_range of copy.c; a copy that fails is left as it is, for yardsticks do not fail. */
static int folded_copy_range(struct space *dst, struct space *src, struct area *area)
{
	bool cow = area_is_cow(area);
	struct area *clone = space_find_area(dst, area->start);
	struct copying c = { &dst->root, &src->root, folded_keep(cow), cow, 0 };
	struct notifier_section section;
	struct pt_batch batch;
	int err;

	if (cow)
		notifier_start(&src->notifier, &section, area->start, area->end, NOTIFY_COW, true);
	flush_begin(&batch, src);
	if (cow)
		flush_add_range(&batch, area->start, area->end - 1, 0);
	err = copy_pgd_range(&c, area->start, area->end);
	area_collect(area);
	memcpy(clone->mapped, area->mapped, sizeof(clone->mapped));
	flush_end(&batch);
	if (cow)
		notifier_end(&src->notifier, &section);
	return err;
}

static int folded_copy(struct space *dst, struct space *src, const struct area *area)
{
	int err;

	folded_prepare();
	rw_write_lock(&src->layout);
	rw_write_lock(&src->lock);
	err = folded_copy_range(dst, src, space_find_area(src, area->start));
	rw_write_unlock(&src->lock);
	rw_write_unlock(&src->layout);
	return err;
}

/* clang-format off */
#define FOLDED_OPS { folded_prepare, folded_find, folded_map, folded_unmap, folded_copy }
/* clang-format on */
