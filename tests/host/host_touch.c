/*
 * Touching memory through a space on the host: walks the tables in software, as effective rights
 * say, asks mm/fault when they refuse, and sets A and D as a CPU would. See tests/kernel/touch.h.
 */
#include <mm/fault.h>
#include <mm/grace.h>
#include <tests/kernel/touch.h>

/* The memory behind va, or NULL if the tables refuse. A and D are set as a walker sets them. */
static uint64_t *host_walk(struct space *s, va_t va, pt_attr_t access)
{
	pt_attr_t used = PT_YOUNG | (access & PT_W ? PT_DIRTY : 0);
	struct pt_span span;
	ptv_t v;
	ptp_t p;

	do {
		span = pt_translate(&s->root, va);
		if (span.kind != PT_LEAF || (span.attr & access) != access || !(span.attr & PT_R))
			return NULL;
		p = pt_find(&s->root, va, &v);
	} while (!ptv_is_leaf(v) || (ptv_attr(v) & access) != access ||
		 !ptp_compare_exchange(p, &v,
				       ptv_make_leaf(ptv_pa(v), ptv_attr(v) | used, v.level)));
	return pa_to_ptr(pa_add(ptv_pa(v), va & pt_mask(v.level)));
}

/* One access: the TLB holds the entry for its length, and no longer. */
static bool host_access(struct space *s, va_t va, pt_attr_t access, uint64_t *value)
{
	uint64_t *at;

	grace_enter();
	at = host_walk(s, va, access);
	if (at && access == PT_W)
		__atomic_store_n(at, *value, __ATOMIC_RELAXED);
	else if (at)
		*value = __atomic_load_n(at, __ATOMIC_RELAXED);
	grace_exit();
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
