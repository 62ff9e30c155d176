/*
 * Touching memory through a space on the host: walks the tables in software, as effective rights
 * say, asks mm/fault when they refuse, and sets A and D as a CPU would. See tests/kernel/touch.h.
 */
#include <mm/fault.h>
#include <tests/kernel/touch.h>

/* The memory behind va, or NULL if the tables refuse. */
static uint64_t *host_walk(struct space *s, va_t va, pt_attr_t access)
{
	struct pt_span span = pt_translate(&s->root, va);
	ptv_t v;
	ptp_t p;

	if (span.kind != PT_LEAF || (span.attr & access) != access || !(span.attr & PT_R))
		return NULL;
	p = pt_find(&s->root, va, &v);
	ptp_change(p,
		   ptv_make_leaf(ptv_pa(v), ptv_attr(v) | PT_YOUNG | (access & PT_W ? PT_DIRTY : 0),
				 v.level));
	return pa_to_ptr(span.pa);
}

static uint64_t *host_reach(struct space *s, va_t va, pt_attr_t access, bool raw)
{
	uint64_t *at;

	space_switch(s);
	while (!(at = host_walk(s, va, access))) {
		if (raw || space_fault(s, va, access))
			return NULL;
	}
	return at;
}

static bool host_read(struct space *s, va_t va, uint64_t *value, bool raw)
{
	uint64_t *at = host_reach(s, va, PT_R, raw);

	if (at)
		*value = *at;
	return at;
}

static bool host_write(struct space *s, va_t va, uint64_t value, bool raw)
{
	uint64_t *at = host_reach(s, va, PT_W, raw);

	if (at)
		*at = value;
	return at;
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
