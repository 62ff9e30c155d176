/*
 * The operations of pt_ops.h that only look. Included by pt_ops.c. No state; locking as pt.h says.
 */

/* ---- Looking one address up. ---- */

static struct pt_span pt_span_of(ptv_t v, va_t va, pt_attr_t rights)
{
	struct pt_span s = { .va = va & ~pt_mask(v.level),
			     .last = va | pt_mask(v.level),
			     .kind = ptv_kind(v),
			     .level = v.level };

	if (s.kind == PT_LEAF) {
		s.pa = ptv_pa(v);
		s.attr = ptv_attr(v) & (rights | ~PT_RIGHTS);
	} else if (s.kind == PT_SOFT) {
		s.soft = ptv_soft_data(v);
	}
	return s;
}

PT_API struct pt_span pt_translate(const struct pt_root *root, va_t va)
{
	struct pt_span span = { .va = va, .last = va, .kind = PT_NONE };
	pt_attr_t rights = PT_RIGHTS;
	ptv_t v;

	if (!pt_root_covers(root, va, va))
		return span;
	for (v = ptp_get(pt_top(root, va)); ptv_is_table(v); v = ptp_get(pt_walk(v, va)))
		rights &= ptv_attr(v);
	span = pt_span_of(v, va, rights);
	span.pa.value += va - span.va;
	span.va = va;
	return span;
}

/* ---- Count and dump. ---- */

PT_API int pt_count(const struct pt_root *root, va_t start, va_t end, struct pt_count *out)
{
	struct pt_iter it;
	struct pt_at at;

	*out = (struct pt_count){ .entry = { { 0 } } };
	pt_iter_init(&it, root, start, end);
	it.flags = PT_TABLES;
	while (pt_iter_next(&it, &at)) {
		out->entry[ptv_kind(at.v)][at.v.level]++;
		if (ptv_is_table(at.v))
			pt_iter_enter(&it, &at);
	}
	return pt_iter_fini(&it);
}

/* Does `b` go on where `a` ends, saying the same? */
PT_EXPR(bool, pt_span_continues, (const struct pt_span *a, const struct pt_span *b),
	a->kind == PT_LEAF && b->kind == PT_LEAF && a->level == b->level && a->last + 1 == b->va &&
		!((a->attr ^ b->attr) & ~(PT_YOUNG | PT_DIRTY)) &&
		a->pa.value + (b->va - a->va) == b->pa.value)

PT_API int pt_dump(const struct pt_root *root, va_t start, va_t end, pt_dump_fn *fn, void *arg)
{
	struct pt_span span = { .kind = PT_NONE };
	struct pt_at at;
	struct pt_iter it;

	pt_iter_init(&it, root, start, end);
	while (pt_iter_next(&it, &at)) {
		struct pt_span next = pt_span_of(at.v, at.va, at.rights);

		if (pt_span_continues(&span, &next)) {
			span.last = next.last;
			continue;
		}
		if (span.kind != PT_NONE)
			fn(arg, &span);
		span = next;
	}
	if (span.kind != PT_NONE)
		fn(arg, &span);
	return pt_iter_fini(&it);
}
