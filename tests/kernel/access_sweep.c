/*
 * Accesses on the test bed, compared with the model. See access_sweep.h.
 */
#include <arch/trap.h>
#include <lib/printk.h>
#include <tests/kernel/access_sweep.h>
#include <tests/kernel/test.h>

/* One access, what the model says of it, and what came of it. */
struct touch {
	struct access access;
	struct model_outcome expected;
	struct trap_info seen;
	uint64_t value; /* what was to be written, or what stood in for what is read */
};

/* ---- The model. ---- */

struct model_outcome sweep_expect(va_t va, enum access_kind kind, bool user, bool ac)
{
	static const enum model_kind kinds[] = {
		[ACCESS_READ] = MODEL_READ,
		[ACCESS_WRITE] = MODEL_WRITE,
		[ACCESS_EXEC] = MODEL_FETCH,
	};
	struct model_access a = { .va = va, .kind = kinds[kind], .user = user };

	bed.cpu.ac = ac;
	return model_walk(&bed.cpu, &a, bed.root.value, bed_read);
}

/* ---- Comparing. ---- */

/* The emulator leaves P out of the error code when reserved bits are set (docs/hardware.md). */
bool sweep_is_error_right(uint64_t seen, uint64_t expected)
{
	uint64_t slack = bed.is_tcg && (expected & MODEL_ERROR_RSVD) ? MODEL_ERROR_P : 0;

	return !((seen ^ expected) & ~slack);
}

/* Does a fault name the instruction that made the access? */
static bool is_rip_right(const struct touch *t)
{
	const struct access *a = &t->access;

	if (a->kind == ACCESS_EXEC)
		return t->seen.rip == a->va;
	if (a->user)
		return ALIGN_DOWN(t->seen.rip, PAGE_SIZE) == USER_STUB_VA;
	return t->seen.rip ==
	       (uint64_t)(a->kind == ACCESS_WRITE ? access_write_rip : access_read_rip);
}

static bool is_datum_right(const struct touch *t)
{
	uint64_t pa = t->expected.pa;

	if (t->access.kind == ACCESS_EXEC)
		return t->access.value == bed_code_value(pa);
	return t->access.value == bed_read(pa) &&
	       (t->access.kind == ACCESS_READ || t->access.value == t->value);
}

/* The emulator marks a 1 GiB leaf as used before it looks at the rights and at the reserved bits of
 * its own. The manual does not forbid that (4.8). */
static uint64_t slack_of(const struct model_outcome *expected, const struct model_step *s)
{
	bool is_faulting_leaf = expected->result == MODEL_PAGE_FAULT && s->level == 2 &&
				(s->before & MODEL_P) && model_is_leaf(2, s->before);

	return bed.is_tcg && is_faulting_leaf ? MODEL_A : 0;
}

static bool are_entries_right(const struct model_outcome *expected)
{
	for (unsigned i = 0; i < expected->step_count; i++) {
		const struct model_step *s = &expected->step[i];

		if ((bed_read(s->slot) ^ s->after) & ~slack_of(expected, s))
			return false;
	}
	return true;
}

/* Returns what differs, or NULL. */
static const char *compare(const struct touch *t)
{
	static const unsigned vectors[] = {
		[MODEL_DONE] = TRAP_NONE,
		[MODEL_PAGE_FAULT] = TRAP_PF,
		[MODEL_GENERAL_PROTECTION] = TRAP_GP,
	};
	bool is_page_fault = t->expected.result == MODEL_PAGE_FAULT;

	if (t->seen.vector != vectors[t->expected.result])
		return "outcome";
	if (t->expected.result == MODEL_DONE && !is_datum_right(t))
		return "datum";
	if (t->expected.result != MODEL_DONE && t->access.value != t->value)
		return "value after a trap";
	if (t->expected.result != MODEL_DONE &&
	    !sweep_is_error_right(t->seen.error, t->expected.error))
		return "error code";
	if (is_page_fault && t->seen.va != t->access.va)
		return "CR2";
	if (is_page_fault && !is_rip_right(t))
		return "instruction";
	return are_entries_right(&t->expected) ? NULL : "entry";
}

const char *sweep_access_name(enum access_kind kind, bool user)
{
	static const char *const names[][2] = {
		[ACCESS_READ] = { "supervisor read", "user read" },
		[ACCESS_WRITE] = { "supervisor write", "user write" },
		[ACCESS_EXEC] = { "supervisor fetch", "user fetch" },
	};

	return names[kind][user];
}

static void print_failure(const struct touch *t, const char *what)
{
	static const char *const result[] = { "done", "page fault", "general protection" };
	const struct model_cpu *c = &bed.cpu;

	test_note("%s differs: %s of %#lx", what, sweep_access_name(t->access.kind, t->access.user),
		  t->access.va);
	test_note("  with WP=%d NXE=%d SMEP=%d SMAP=%d AC=%d PKE=%d PKRU=%#x", c->wp, c->nxe,
		  c->smep, c->smap, t->access.smap_open, c->pke, c->pkru);
	test_note("  expected: %s, error %#x, pa %#lx", result[t->expected.result],
		  t->expected.error, t->expected.pa);
	test_note("  seen: vector %d, error %#lx, CR2 %#lx, rip %#lx, value %#lx for %#lx",
		  (int)t->seen.vector, t->seen.error, t->seen.va, t->seen.rip, t->access.value,
		  t->value);
	for (unsigned i = 0; i < t->expected.step_count; i++) {
		const struct model_step *s = &t->expected.step[i];

		test_note("  level %u: entry %016lx, expected after it %016lx, seen %016lx",
			  s->level, s->before, s->after, bed_read(s->slot));
	}
}

static void count(struct sweep_group *g, const struct touch *t, const char *difference)
{
	if (t->expected.result == MODEL_DONE)
		g->done_count++;
	else
		g->fault_count++;
	if (difference && !g->failure_count++)
		print_failure(t, difference);
}

/* ---- Touching. ---- */

static void make_access(struct touch *t, va_t va, enum access_kind kind, bool user, bool ac)
{
	t->expected = sweep_expect(va, kind, user, ac);
	t->value = bed_random();
	t->access = (struct access){
		.va = va,
		.kind = kind,
		.user = user,
		.raw = true,
		.smap_open = ac,
		.value = t->value,
	};
	t->seen = arch_access(&t->access);
}

bool sweep_touch_va(struct sweep_group *g, va_t va, enum access_kind kind, bool user, bool ac)
{
	struct touch t;

	make_access(&t, va, kind, user, ac);

	const char *difference = compare(&t);

	count(g, &t, difference);
	return !difference;
}

/* Write the entries of the way to a target. */
static void write_entries(const struct sweep_combo *c, enum bed_target which, uint64_t *entry)
{
	uint64_t random = bed_random();

	for (unsigned level = 0; level <= bed.cpu.top_level; level++) {
		uint64_t flags = c->entry[level] ^ (random & c->noise[level]);

		random = random << 7 | random >> 57;
		if (model_is_leaf(level, flags))
			flags |= bed.target[which].pa.value & ~(model_bytes(level) - 1);
		else
			flags |= bed.table[level - 1];
		entry[level] = flags;
		*(volatile uint64_t *)bed.target[which].slot[level] = flags;
	}
}

/* Is what the walk did not get to, the datum included if there was a fault, as it was? */
static const char *compare_rest(const struct touch *t, enum bed_target which, const uint64_t *entry,
				uint64_t pa, uint64_t datum)
{
	unsigned levels = bed.cpu.top_level + 1;

	for (unsigned level = 0; level < levels - t->expected.step_count; level++)
		if (*bed.target[which].slot[level] != entry[level])
			return "entry below the fault";
	if (t->expected.result != MODEL_DONE && bed_read(pa) != datum)
		return "memory after a fault";
	return NULL;
}

void sweep_touch(struct sweep_group *g, const struct sweep_combo *c, enum access_kind kind,
		 bool user, bool ac)
{
	enum bed_target which = kind == ACCESS_EXEC ? BED_CODE : BED_DATA;
	uint64_t offset = bed_random() % (PAGE_SIZE - 7);
	uint64_t entry[MODEL_LEVELS];
	struct touch t;

	if (which == BED_CODE)
		offset &= ~7ull;

	uint64_t pa = bed.target[which].pa.value + offset, datum = bed_read(pa);

	write_entries(c, which, entry);
	arch_tlb_flush_page(bed.target[which].va);
	make_access(&t, bed.target[which].va + offset, kind, user, ac);

	const char *difference = compare(&t);

	count(g, &t, difference ? difference : compare_rest(&t, which, entry, pa, datum));
}

void sweep_touch_all(struct sweep_group *g, const struct sweep_combo *c)
{
	for (enum access_kind kind = ACCESS_READ; kind <= ACCESS_EXEC; kind++) {
		sweep_touch(g, c, kind, false, false);
		if (arch_mmu.smap)
			sweep_touch(g, c, kind, false, true);
		sweep_touch(g, c, kind, true, false);
	}
}

/* ---- Enumerating. ---- */

struct sweep_combo sweep_open(unsigned leaf)
{
	struct sweep_combo c;

	for (unsigned level = 0; level < MODEL_LEVELS; level++) {
		c.entry[level] = BED_OPEN | (level == leaf && leaf ? MODEL_PS : 0);
		c.noise[level] = SWEEP_NOISE;
	}
	return c;
}

void sweep_axes_add(struct sweep_axes *axes, unsigned level, uint64_t bits)
{
	if (axes->count == SWEEP_AXES_MAX)
		panic("more than %u axes", SWEEP_AXES_MAX);
	axes->axis[axes->count++] = (struct sweep_axis){ level, bits };
}

/* A counter in Gray code: one axis changes from one combination to the next. */
void sweep_run(struct sweep_group *g, struct sweep_combo c, const struct sweep_axes *axes)
{
	for (unsigned i = 0; i < axes->count; i++)
		c.noise[axes->axis[i].level] &= ~axes->axis[i].bits;
	for (uint64_t n = 1;; n++) {
		unsigned changed = (unsigned)__builtin_ctzll(n);

		sweep_touch_all(g, &c);
		if (changed >= axes->count)
			return;
		c.entry[axes->axis[changed].level] ^= axes->axis[changed].bits;
	}
}

void sweep_run_modes(struct sweep_group *g, const struct sweep_combo *c,
		     const struct sweep_axes *axes)
{
	for (unsigned mode = 0; mode < 8; mode++) {
		bed.cpu.wp = mode & 1;
		bed.cpu.smep = mode & 2;
		bed.cpu.smap = mode & 4;
		if ((bed.cpu.smep && !arch_mmu.smep) || (bed.cpu.smap && !arch_mmu.smap))
			continue;
		bed_load_cpu();
		sweep_run(g, *c, axes);
	}
}

void sweep_group_end(const struct sweep_group *g, const char *what)
{
	test_note("%s: %lu combinations touched, %lu of them faulted", what,
		  g->done_count + g->fault_count, g->fault_count);
	EXPECT_EQ(g->failure_count, 0);
	EXPECT(g->done_count && g->fault_count);
}
