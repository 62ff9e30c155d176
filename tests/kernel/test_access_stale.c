/*
 * Translations that the TLB keeps: a downgrade holds only once it has been flushed, page by page or
 * all at once; an upgrade needs no flush. These show that a missing flush is seen on this machine,
 * that is, that a test of flushes can fail.
 *
 * That an unflushed translation is still there is a promise of the emulator only, for at most 64
 * pages; elsewhere that part is left out. Accesses are from ring 3, whose software TLB holds only
 * these pages and the routine that makes them.
 */
#include <arch/trap.h>
#include <lib/string.h>
#include <tests/kernel/access_sweep.h>
#include <tests/kernel/test.h>

#define PAGE_COUNT 64
#define FIRST_VA 0x0000206060640000 /* in other sets of the software TLB than the routine's page */

/* What is taken away behind the TLB's back, and the access that shows it. */
struct downgrade {
	uint64_t bits; /* to flip in an open entry */
	enum access_kind kind;
};

static struct {
	pa_t data, code;              /* behind all pages, by the kind of access */
	uint64_t *slot[MODEL_LEVELS]; /* at level 0 the first page's, the others follow */
	unsigned stale_count;
	struct sweep_group group;
} tlb;

static va_t page_va(unsigned i)
{
	return FIRST_VA + i * PAGE_SIZE;
}

/* An access from ring 3 without asking the model. Returns whether it went through. */
static bool try_access(unsigned i, enum access_kind kind)
{
	struct access a = { .va = page_va(i), .kind = kind, .user = true, .raw = true };

	return arch_access(&a).vector == TRAP_NONE;
}

/* What page i reads as. */
static uint64_t read_page(unsigned i)
{
	struct access a = { .va = page_va(i), .kind = ACCESS_READ, .user = true, .raw = true };

	EXPECT_EQ(arch_access(&a).vector, TRAP_NONE);
	return a.value;
}

static void tlb_open(void)
{
	memset(&tlb, 0, sizeof(tlb));
	bed_open(false);
	tlb.data = bed_alloc(0);
	tlb.code = bed_alloc(0);
	bed_fill_code(tlb.code);
	for (unsigned level = 0; level <= bed.cpu.top_level; level++)
		tlb.slot[level] = bed_slot(FIRST_VA, level);
}

static void tlb_close(void)
{
	bed_close();
	test_note("%u accesses by stale translations, %lu after a flush", tlb.stale_count,
		  tlb.group.done_count + tlb.group.fault_count);
	EXPECT_EQ(tlb.group.failure_count, 0);
}

/* Write all leaves, with these changes to open ones; nothing is flushed. */
static void write_leaves(enum access_kind kind, uint64_t change)
{
	pa_t pa = kind == ACCESS_EXEC ? tlb.code : tlb.data;

	for (unsigned i = 0; i < PAGE_COUNT; i++)
		tlb.slot[0][i] = pa.value | (BED_OPEN ^ change);
}

/* Open all pages and have the TLB hold them, for this kind of access. */
static void load_all(enum access_kind kind)
{
	write_leaves(kind, 0);
	for (unsigned i = 0; i < PAGE_COUNT; i++) {
		arch_tlb_flush_page(page_va(i));
		EXPECT(try_access(i, kind));
	}
}

/* Change an entry on the way of all pages. */
static void change_entries(unsigned level, uint64_t bits)
{
	for (unsigned i = 0; i < (level ? 1 : PAGE_COUNT); i++)
		tlb.slot[level][i] ^= bits;
}

/* What was allowed still is, on the emulator. */
static void expect_stale(unsigned i, enum access_kind kind)
{
	if (bed.is_tcg && EXPECT(try_access(i, kind)))
		tlb.stale_count++;
}

/* A page's fault comes with the flush of that page, and not with those of its neighbours. */
static void check_downgrade(const struct downgrade *d, unsigned level)
{
	uint64_t faults = tlb.group.fault_count;

	load_all(d->kind);
	change_entries(level, d->bits);
	for (unsigned i = 0; i < PAGE_COUNT; i++) {
		expect_stale(i, d->kind);
		arch_tlb_flush_page(page_va(i));
		sweep_touch_va(&tlb.group, page_va(i), d->kind, true, false);
	}
	change_entries(level, d->bits);
	EXPECT_EQ(tlb.group.fault_count - faults, PAGE_COUNT);
}

static const struct downgrade downgrades[] = {
	{ MODEL_P, ACCESS_READ },  { MODEL_P, ACCESS_WRITE }, { MODEL_P, ACCESS_EXEC },
	{ MODEL_W, ACCESS_WRITE }, { MODEL_U, ACCESS_READ },  { MODEL_NX, ACCESS_EXEC },
};

/* Rights taken away at any level hold after the flush of the page, and not before. */
TEST(sweep, stale_until_flushed)
{
	tlb_open();
	for (unsigned level = 0; level <= bed.cpu.top_level; level++)
		for (unsigned i = 0; i < ARRAY_SIZE(downgrades); i++)
			check_downgrade(&downgrades[i], level);
	tlb_close();
}

/* A page that was moved to another frame reads the old one until it is flushed. */
TEST(sweep, stale_remap)
{
	tlb_open();
	uint64_t *data = pa_to_ptr(tlb.data), *code = pa_to_ptr(tlb.code);

	load_all(ACCESS_READ);
	data[0] = bed_random();
	change_entries(0, tlb.data.value ^ tlb.code.value);
	for (unsigned i = 0; i < PAGE_COUNT; i++) {
		if (bed.is_tcg && EXPECT_EQ(read_page(i), data[0]))
			tlb.stale_count++;
		arch_tlb_flush_page(page_va(i));
		sweep_touch_va(&tlb.group, page_va(i), ACCESS_READ, true, false);
		EXPECT_EQ(read_page(i), code[0]);
	}
	tlb_close();
}

/* A or D that software clears is set again only by an access after a flush. */
static void check_flag(enum access_kind kind, uint64_t flag)
{
	load_all(kind);
	change_entries(0, flag);
	for (unsigned i = 0; i < PAGE_COUNT; i++) {
		EXPECT(!(tlb.slot[0][i] & flag));
		expect_stale(i, kind);
		if (bed.is_tcg)
			EXPECT(!(tlb.slot[0][i] & flag));
		arch_tlb_flush_page(page_va(i));
		sweep_touch_va(&tlb.group, page_va(i), kind, true, false);
		EXPECT(tlb.slot[0][i] & flag);
	}
}

/* The TLB remembers that A and D have been set. */
TEST(sweep, stale_accessed_and_dirty)
{
	tlb_open();
	check_flag(ACCESS_READ, MODEL_A);
	check_flag(ACCESS_WRITE, MODEL_A);
	check_flag(ACCESS_EXEC, MODEL_A);
	check_flag(ACCESS_WRITE, MODEL_D);
	tlb_close();
}

static void flush_one(void)
{
	arch_tlb_flush_page(page_va(PAGE_COUNT / 3) + 123);
}

static void reload_root(void)
{
	arch_root_load(bed.root);
}

/* Take a leaf away under all pages, flush once, and none of them is left. */
static void check_flush(uint64_t *leaf, unsigned count, void (*flush)(void))
{
	uint64_t faults = tlb.group.fault_count;

	for (unsigned i = 0; i < PAGE_COUNT; i++)
		EXPECT(try_access(i, ACCESS_READ));
	for (unsigned i = 0; i < count; i++)
		leaf[i] ^= MODEL_P;
	for (unsigned i = 0; i < PAGE_COUNT; i++)
		expect_stale(i, ACCESS_READ);
	flush();
	for (unsigned i = 0; i < PAGE_COUNT; i++)
		sweep_touch_va(&tlb.group, page_va(i), ACCESS_READ, true, false);
	EXPECT_EQ(tlb.group.fault_count - faults, PAGE_COUNT);
}

/* One flush anywhere in a huge page drops all of it. */
TEST(sweep, stale_huge_page)
{
	tlb_open();
	for (unsigned level = 1; level <= bed.cpu.leaf_level_max; level++) {
		uint64_t bytes = model_bytes(level), table = *tlb.slot[level];

		*tlb.slot[level] = (tlb.data.value & ~(bytes - 1)) | BED_OPEN | MODEL_PS;
		arch_tlb_flush_all();
		check_flush(tlb.slot[level], 1, flush_one);
		*tlb.slot[level] = table;
	}
	tlb_close();
}

/* A load of the root, and a flush of everything, drop all pages. */
TEST(sweep, stale_until_all_is_flushed)
{
	static void (*const flushes[])(void) = { reload_root, arch_tlb_flush_all };

	tlb_open();
	for (unsigned i = 0; i < ARRAY_SIZE(flushes); i++) {
		load_all(ACCESS_READ);
		check_flush(tlb.slot[0], PAGE_COUNT, flushes[i]);
	}
	tlb_close();
}

/* More rights hold at once; where an old translation had less, the fault drops it (4.10.4.3). */
TEST(sweep, upgrades_need_no_flush)
{
	unsigned count = 0;

	tlb_open();
	for (unsigned n = 0; n < ARRAY_SIZE(downgrades); n++) {
		const struct downgrade *d = &downgrades[n];

		write_leaves(d->kind, d->bits);
		arch_tlb_flush_all();
		for (unsigned i = 0; i < PAGE_COUNT; i++) {
			try_access(i, ACCESS_READ); /* what it may, it does */
			EXPECT(!try_access(i, d->kind));
			tlb.slot[0][i] ^= d->bits;
			if (EXPECT(try_access(i, d->kind) ||
				   (!bed.is_tcg && try_access(i, d->kind))))
				count++;
		}
	}
	tlb_close();
	test_note("%u upgrades", count);
}
