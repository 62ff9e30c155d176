/*
 * Touching memory through a space on the host: by the CPU's TLB, or a walk in software, which sets
 * A and D as a CPU would; mm/fault is asked when the tables refuse. See tests/kernel/touch.h.
 */
#include <mm/fault.h>
#include <tests/host/host_tlb.h>
#include <tests/kernel/touch.h>

/* Walk for an access, as the CPU does, and remember. False if the tables refuse. */
static bool host_walk(struct space *s, va_t va, pt_attr_t access)
{
	pt_attr_t used = PT_YOUNG | (access & PT_W ? PT_DIRTY : 0);
	struct host_translation t = { .valid = true, .va = va };
	struct pt_span span;
	ptv_t v;
	ptp_t p;

	do {
		span = pt_translate(&s->root, va);
		if (span.kind != PT_LEAF || (span.attr & access) != access || !(span.attr & PT_R))
			return false;
		p = pt_find(&s->root, va, &v);
	} while (!ptv_is_leaf(v) || (ptv_attr(v) & access) != access ||
		 !ptp_compare_exchange(p, &v,
				       ptv_make_leaf(ptv_pa(v), ptv_attr(v) | used, v.level)));
	t.level = v.level;
	t.attr = span.attr | used;
	t.pa = pa_add(ptv_pa(v), va & pt_mask(v.level));
	host_tlb_fill(&t);
	return true;
}

/* As it is remembered, if that is enough for the access. */
static uint64_t *host_memory(va_t va, pt_attr_t access)
{
	const struct host_translation *t = host_tlb_find(va);
	pt_attr_t need = access | (access & PT_W ? PT_DIRTY : 0);

	return t && (t->attr & need) == need ? pa_to_ptr(pa_add(t->pa, va - t->va)) : NULL;
}

/* One access, which nothing interrupts. */
static bool host_access(struct space *s, va_t va, pt_attr_t access, uint64_t *value)
{
	uint64_t flags = arch_irq_save();
	uint64_t *at = host_memory(va, access);

	if (!at && host_walk(s, va, access))
		at = host_memory(va, access);
	if (at && access == PT_W)
		__atomic_store_n(at, *value, __ATOMIC_RELAXED);
	else if (at)
		*value = __atomic_load_n(at, __ATOMIC_RELAXED);
	arch_irq_restore(flags);
	return at;
}

static bool host_try(struct space *s, va_t va, pt_attr_t access, uint64_t *value, bool raw)
{
	if (space_current() != s)
		space_switch(s);
	while (!host_access(s, va, access, value)) {
		if (raw || space_fault(s, va, access))
			return false;
	}
	return true;
}

static bool host_read(struct space *s, va_t va, uint64_t *value, bool raw)
{
	return host_try(s, va, PT_R, value, raw);
}

static bool host_write(struct space *s, va_t va, uint64_t value, bool raw)
{
	return host_try(s, va, PT_W, &value, raw);
}

bool touch_read(struct space *s, va_t va, uint64_t *value)
{
	return host_read(s, va, value, false);
}

bool touch_write(struct space *s, va_t va, uint64_t value)
{
	return host_write(s, va, value, false);
}

bool touch_read_raw(struct space *s, va_t va, uint64_t *value)
{
	return host_read(s, va, value, true);
}

bool touch_write_raw(struct space *s, va_t va, uint64_t value)
{
	return host_write(s, va, value, true);
}

void touch_done(void)
{
	space_switch(NULL);
}

bool touch_reads(struct space *s, va_t va, uint64_t value)
{
	uint64_t seen;

	return touch_read(s, va, &seen) && seen == value;
}
