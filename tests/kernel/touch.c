/* Touching through the CPU's MMU; see touch.h. In supervisor mode, with SMAP opened for it. */
#include <arch/trap.h>
#include <tests/kernel/touch.h>

static bool touch(struct space *s, struct access a, uint64_t *value)
{
	bool ok;

	if (space_current() != s)
		space_switch(s);
	a.smap_open = true;
	ok = arch_access(&a).vector == TRAP_NONE;
	if (ok && value)
		*value = a.value;
	return ok;
}

bool touch_read(struct space *s, va_t va, uint64_t *value)
{
	return touch(s, (struct access){ .va = va, .kind = ACCESS_READ }, value);
}

bool touch_write(struct space *s, va_t va, uint64_t value)
{
	return touch(s, (struct access){ .va = va, .kind = ACCESS_WRITE, .value = value }, NULL);
}

bool touch_read_raw(struct space *s, va_t va, uint64_t *value)
{
	return touch(s, (struct access){ .va = va, .kind = ACCESS_READ, .raw = true }, value);
}

bool touch_write_raw(struct space *s, va_t va, uint64_t value)
{
	return touch(s,
		     (struct access){ .va = va, .kind = ACCESS_WRITE, .raw = true, .value = value },
		     NULL);
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
