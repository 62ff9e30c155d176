/*
 * The kernel's entry format on the CPU itself: what mm says with attributes is what the hardware
 * does, and what the hardware leaves behind is what mm reads back.
 *
 * The one file of the sweep that knows mm's format; it does not ask the model.
 */
#include <arch/trap.h>
#include <mm/pagetable.h>
#include <tests/kernel/access_bed.h>
#include <tests/kernel/test.h>

#define SOFT_COUNT 100
#define ALL_RIGHTS (PT_RWX | PT_U)

static struct {
	unsigned access_count, done_count;
	bool failed;
} format;

/* The attributes' own word for what may be done. */
static bool is_allowed(pt_attr_t granted, enum access_kind kind, bool user)
{
	static const pt_attr_t needed[] = {
		[ACCESS_READ] = PT_R,
		[ACCESS_WRITE] = PT_R | PT_W,
		[ACCESS_EXEC] = PT_R | PT_X,
	};
	bool is_guarded = kind == ACCESS_EXEC ? bed.cpu.smep : bed.cpu.smap;

	if (user ? !(granted & PT_U) : (granted & PT_U) && is_guarded)
		return false;
	return (granted & needed[kind]) == needed[kind];
}

/* Write mm's values of a leaf and of the tables above it. */
static void write_path(enum bed_target which, ptv_t leaf, unsigned odd_level, pt_attr_t rights)
{
	for (unsigned level = bed.cpu.top_level; level > leaf.level; level--) {
		pt_attr_t r = level == odd_level ? rights : ALL_RIGHTS;

		*bed.target[which].slot[level] =
			ptv_make_table(PA(bed.table[level - 1]), r, level).bits;
	}
	*bed.target[which].slot[leaf.level] = leaf.bits;
	arch_tlb_flush_page(bed.target[which].va);
}

static struct trap_info touch(enum bed_target which, enum access_kind kind, bool user)
{
	struct access a = {
		.va = bed.target[which].va,
		.kind = kind,
		.user = user,
		.raw = true,
		.value = bed_random(),
	};

	return arch_access(&a);
}

/* The attributes that the leaf has after an access. */
static pt_attr_t after(pt_attr_t attr, enum access_kind kind, bool done)
{
	if (done)
		attr |= PT_YOUNG | (kind == ACCESS_WRITE ? PT_DIRTY : 0);
	return attr;
}

static void check_leaf(unsigned level, pt_attr_t attr, unsigned odd_level, pt_attr_t rights,
		       unsigned n)
{
	enum access_kind kind = (enum access_kind)(n % 3);
	enum bed_target which = kind == ACCESS_EXEC ? BED_CODE : BED_DATA;
	pa_t pa = PA(bed.target[which].pa.value & ~(model_bytes(level) - 1));
	uint64_t *slot = bed.target[which].slot[level];
	bool user = n >= 3, allowed = is_allowed(attr & rights, kind, user);

	write_path(which, ptv_make_leaf(pa, attr, level), odd_level, rights);
	bool done = touch(which, kind, user).vector == TRAP_NONE;
	ptv_t seen = { *slot, level };
	pt_attr_t ignored = bed.is_tcg && level == 2 && !done ? PT_YOUNG : 0; /* access_sweep.c */
	bool right = done == allowed && ptv_kind(seen) == PT_LEAF && pa_equal(ptv_pa(seen), pa) &&
		     !((ptv_attr(seen) ^ after(attr, kind, done)) & ~ignored);

	format.access_count++;
	format.done_count += done;
	if (!right && !format.failed) {
		format.failed = true;
		test_note("level %u, attributes %#x, rights %#x at level %u: %s %u %s, leaf %#lx",
			  level, attr, rights, odd_level, user ? "user" : "supervisor", kind,
			  done ? "done" : "refused", *slot);
	}
}

static void check_all_accesses(unsigned level, pt_attr_t attr, unsigned odd_level, pt_attr_t rights)
{
	for (unsigned n = 0; n < 6; n++)
		check_leaf(level, attr, odd_level, rights, n);
}

static void format_end(void)
{
	bed_close();
	test_note("%u accesses, %u of them done", format.access_count, format.done_count);
	EXPECT(!format.failed);
	EXPECT(format.done_count && format.done_count < format.access_count);
}

/* A leaf allows what its attributes say, at every level; YOUNG and DIRTY come from the CPU. */
TEST(sweep, format_leaves)
{
	format.access_count = format.done_count = format.failed = 0;
	bed_open(false);
	for (unsigned level = 0; level <= bed.cpu.leaf_level_max; level++)
		for (pt_attr_t attr = 0; attr <= PT_ATTR_ALL; attr++)
			if (!(attr & ~PT_ATTR_ALL))
				check_all_accesses(level, attr, level, ALL_RIGHTS);
	format_end();
}

/* A table above takes away what its rights lack, at every level. */
TEST(sweep, format_tables)
{
	format.access_count = format.done_count = format.failed = 0;
	bed_open(false);
	for (unsigned odd = 1; odd <= bed.cpu.top_level; odd++)
		for (pt_attr_t rights = 0; rights <= ALL_RIGHTS; rights++)
			for (pt_attr_t attr = 0; (rights & PT_R) && attr <= ALL_RIGHTS; attr++)
				check_all_accesses(0, attr, odd, rights);
	format_end();
}

/* An entry that is not there: nothing is allowed, and for no other reason. */
static void check_absent(ptv_t absent)
{
	write_path(BED_DATA, absent, absent.level, ALL_RIGHTS);
	for (unsigned n = 0; n < 6 && !format.failed; n++) {
		struct trap_info info = touch(BED_DATA, (enum access_kind)(n % 3), n >= 3);

		format.access_count++;
		format.failed = info.vector != TRAP_PF || (info.error & (PF_P | PF_RSVD));
		if (format.failed)
			test_note("level %u, entry %#lx: vector %d, error %#lx", absent.level,
				  absent.bits, (int)info.vector, info.error);
	}
}

/* Nothing is there if mm says so: no entry, or a soft one with any data. */
TEST(sweep, format_absent)
{
	format.access_count = format.done_count = format.failed = 0;
	bed_open(false);
	for (unsigned level = 0; level <= 2; level++) {
		check_absent(ptv_make_none(level));
		for (unsigned bits = 0; bits <= PT_SOFT_BITS; bits++)
			check_absent(ptv_make_soft(bits ? ~0ull >> (64 - bits) : 0, level));
		for (unsigned i = 0; i < SOFT_COUNT; i++)
			check_absent(ptv_make_soft(bed_random() >> (64 - PT_SOFT_BITS), level));
		check_absent(ptv_make_none(level));
	}
	write_path(BED_DATA, ptv_make_leaf(bed.target[BED_DATA].pa, PT_R | PT_U, 0), 0, ALL_RIGHTS);
	format.done_count += touch(BED_DATA, ACCESS_READ, true).vector == TRAP_NONE;
	format_end();
}
