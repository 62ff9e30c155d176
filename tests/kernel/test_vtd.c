/*
 * The IOMMU itself, with edu behind it: what it refuses and records, what it remembers, and what
 * each operation on a space costs it. Skipped where there is none.
 */
#include <arch/trap.h>
#include <dev/edu.h>
#include <mm/copy.h>
#include <tests/kernel/mirror_rig.h>
#include <tests/kernel/oracle.h>
#include <tests/kernel/test.h>

/* A space whose pages hold their number, from 1, and a domain that edu works in. */
struct bed {
	struct space *space;
	struct vtd_domain *d;
	struct vtd_stats before;
};

#define NEED_DEVICE()                                               \
	do {                                                        \
		if (edu_id() == PCI_NONE)                           \
			TEST_SKIP("no DMA device behind an IOMMU"); \
	} while (0)

static bool bed_open(struct bed *b, uint64_t pages, unsigned flags)
{
	b->space = space_create();
	rig_add_area(b->space, RIG_BASE, pages, flags);
	for (uint64_t i = 0; i < pages; i++)
		EXPECT(touch_write(b->space, RIG_PAGE(i), i + 1));
	touch_done();
	b->d = vtd_domain_create(b->space, edu_id());
	EXPECT(vtd_get_stats(0, &b->before));
	return EXPECT(b->d) && EXPECT_EQ(edu_use(b->d), 0);
}

static void bed_close(struct bed *b)
{
	struct vtd_stats after;

	touch_done();
	EXPECT_EQ(oracle_check(), 0u);
	edu_use(NULL);
	vtd_domain_destroy(b->d);
	space_destroy(b->space);
	EXPECT(vtd_get_stats(0, &after));
	EXPECT_EQ(after.lost_faults, b->before.lost_faults);
}

static struct vtd_stats since(const struct bed *b)
{
	struct vtd_stats s;

	EXPECT(vtd_get_stats(0, &s));
	s.page_flushes -= b->before.page_flushes;
	s.domain_flushes -= b->before.domain_flushes;
	s.faults -= b->before.faults;
	s.fault_interrupts -= b->before.fault_interrupts;
	return s;
}

/* Let edu copy 8 bytes. */
static int copy(va_t to, va_t from)
{
	int err = edu_move(from, 0, 8, EDU_FROM_MEMORY);

	return err ? err : edu_move(to, 0, 8, EDU_TO_MEMORY);
}

// A missing translation is one recorded fault, with page, device and direction; servicing it and
// repeating the transfer gives the datum; the second access faults no more.
TEST(vtd, a_fault_is_recorded_and_serviced)
{
	struct bed b;
	struct vtd_fault f;

	NEED_DEVICE();
	REQUIRE(bed_open(&b, 2, 0));
	EXPECT_EQ(edu_transfer(RIG_PAGE(1) + 16, 0, 8, EDU_FROM_MEMORY), 0);
	REQUIRE(vtd_take_fault(edu_id(), &f));
	EXPECT_EQ(f.page, RIG_PAGE(1));
	EXPECT_EQ(f.device, edu_id());
	EXPECT_EQ(f.reason, VTD_REASON_READ);
	EXPECT(!f.write);
	EXPECT(!vtd_take_fault(edu_id(), &f));
	EXPECT_EQ(copy(RIG_PAGE(0), RIG_PAGE(1)), 0);
	EXPECT(touch_reads(b.space, RIG_PAGE(0), 2));
	EXPECT_EQ(since(&b).faults, 3u); /* the first read, the repeated read, the write */
	EXPECT_EQ(copy(RIG_PAGE(0), RIG_PAGE(1)), 0);
	EXPECT_EQ(since(&b).faults, 3u);
	bed_close(&b);
}

// Each recorded fault interrupts.
TEST(vtd, a_fault_interrupts)
{
	struct bed b;

	NEED_DEVICE();
	REQUIRE(bed_open(&b, 1, 0));
	EXPECT_EQ(edu_transfer(RIG_PAGE(0), 0, 8, EDU_FROM_MEMORY), 0);
	EXPECT_EQ(since(&b).fault_interrupts, 1u);
	EXPECT_EQ(since(&b).faults, 1u);
	EXPECT_EQ(vtd_service_faults(b.d, edu_id()), 1);
	bed_close(&b);
}

// A write where only reading is allowed is refused as such, and the page is unchanged.
TEST(vtd, a_write_needs_its_right)
{
	struct bed b;
	struct vtd_fault f;

	NEED_DEVICE();
	REQUIRE(bed_open(&b, 2, 0));
	EXPECT_EQ(space_protect(b.space, RIG_PAGE(1), RIG_PAGE(2), PT_R), 0);
	EXPECT_EQ(mirror_fault(b.d->mirror, RIG_PAGE(0), RIG_PAGE(2), PT_R), 0);
	EXPECT_EQ(edu_move(RIG_PAGE(0), 0, 8, EDU_FROM_MEMORY), 0);
	EXPECT_EQ(edu_transfer(RIG_PAGE(1), 0, 8, EDU_TO_MEMORY), 0);
	REQUIRE(vtd_take_fault(edu_id(), &f));
	EXPECT_EQ(f.reason, VTD_REASON_WRITE);
	EXPECT(f.write);
	EXPECT_EQ(edu_move(RIG_PAGE(1), 0, 8, EDU_TO_MEMORY), -EFAULT);
	EXPECT(touch_reads(b.space, RIG_PAGE(1), 2));
	bed_close(&b);
}

// A device that is in no domain reaches nothing at all.
TEST(vtd, without_a_domain_nothing_is_reached)
{
	struct bed b;
	struct vtd_fault f;

	NEED_DEVICE();
	REQUIRE(bed_open(&b, 1, 0));
	EXPECT_EQ(edu_move(RIG_PAGE(0), 0, 8, EDU_FROM_MEMORY), 0);
	EXPECT_EQ(edu_use(NULL), 0);
	EXPECT_EQ(edu_transfer(RIG_PAGE(0) + 8, 0, 8, EDU_TO_MEMORY), 0);
	EXPECT(vtd_take_fault(edu_id(), &f));
	EXPECT(f.reason != VTD_REASON_WRITE && f.reason != VTD_REASON_READ);
	EXPECT(touch_reads(b.space, RIG_PAGE(0) + 8, 0));
	EXPECT_EQ(edu_use(b.d), 0);
	EXPECT_EQ(vtd_attach(b.d, edu_id()), -EBUSY);
	bed_close(&b);
}

// A transfer across pages of which none is mapped is repeated until all are: every byte arrives.
TEST(vtd, a_transfer_across_pages)
{
	struct bed b;
	bool same = true;

	NEED_DEVICE();
	REQUIRE(bed_open(&b, 4, 0));
	for (unsigned i = 0; i < 2048; i += 8)
		EXPECT(touch_write(b.space, RIG_PAGE(1) - 1024 + i, 0x1000 + i));
	EXPECT_EQ(edu_move(RIG_PAGE(1) - 1024, 0, 2048, EDU_FROM_MEMORY), 0);
	EXPECT_EQ(edu_move(RIG_PAGE(3) - 512, 0, 2048, EDU_TO_MEMORY), 0);
	for (unsigned i = 0; i < 2048; i += 8)
		same &= touch_reads(b.space, RIG_PAGE(3) - 512 + i, 0x1000 + i);
	EXPECT(same);
	EXPECT_EQ(edu_transfer(RIG_PAGE(0), 8, 2048, EDU_FROM_MEMORY), -EINVAL);
	bed_close(&b);
}

// A flush that is left out is seen: the device reads the page that was replaced. With it, the new
// one.
TEST(vtd, a_forgotten_flush_shows)
{
	for (unsigned skip = 0; skip < 2; skip++) {
		struct bed b;
		struct space *child;

		NEED_DEVICE();
		REQUIRE(bed_open(&b, 2, 0));
		child = space_fork(b.space);
		REQUIRE(child);
		EXPECT_EQ(edu_move(RIG_PAGE(0), 0, 8, EDU_FROM_MEMORY), 0);
		b.d->flush_skip = skip;
		EXPECT(touch_write(b.space, RIG_PAGE(0), 50));
		EXPECT_EQ(b.d->flush_skip, 0u);
		EXPECT_EQ(copy(RIG_PAGE(1), RIG_PAGE(0)), 0);
		EXPECT(touch_reads(b.space, RIG_PAGE(1), skip ? 1 : 50));
		touch_done();
		space_destroy(child);
		bed_close(&b);
	}
}

// The unit is flushed once for a range, however many pages it has; not at all for what is not
// mapped.
TEST(vtd, one_flush_a_range)
{
	struct bed b;

	NEED_DEVICE();
	REQUIRE(bed_open(&b, 100, 0));
	EXPECT_EQ(mirror_fault(b.d->mirror, RIG_PAGE(0), RIG_PAGE(60), RW), 0);
	EXPECT_EQ(since(&b).page_flushes + since(&b).domain_flushes, 0u);
	EXPECT_EQ(space_unmap(b.space, RIG_PAGE(10), RIG_PAGE(50)), 0);
	EXPECT_EQ(since(&b).page_flushes, 1u);
	EXPECT_EQ(space_unmap(b.space, RIG_PAGE(60), RIG_PAGE(100)), 0);
	EXPECT_EQ(since(&b).page_flushes, 1u);
	EXPECT_EQ(space_protect(b.space, RIG_PAGE(0), RIG_PAGE(10), PT_R), 0);
	EXPECT_EQ(since(&b).page_flushes, 2u);
	EXPECT_EQ(since(&b).domain_flushes, 0u);
	bed_close(&b);
}

// A range that no block of the unit's largest mask holds is flushed with the whole domain.
TEST(vtd, a_wide_range_flushes_the_domain)
{
	struct bed b;
	va_t far = RIG_BASE + (1ull << 40);

	NEED_DEVICE();
	REQUIRE(bed_open(&b, 1, 0));
	rig_add_area(b.space, far, 1, 0);
	EXPECT_EQ(mirror_fault(b.d->mirror, RIG_BASE, RIG_PAGE(1), RW), 0);
	EXPECT_EQ(mirror_fault(b.d->mirror, far, far + PAGE_SIZE, RW), 0);
	EXPECT_EQ(space_unmap(b.space, RIG_BASE, far + PAGE_SIZE), 0);
	EXPECT_EQ(since(&b).domain_flushes, 1u);
	EXPECT_EQ(since(&b).page_flushes, 0u);
	bed_close(&b);
}

// The unit walks huge leaves: what it writes through one is there, and a part that goes is gone.
TEST(vtd, huge_leaves)
{
	struct bed b;

	NEED_DEVICE();
	REQUIRE(bed_open(&b, 1, 0));
	rig_add_area(b.space, RIG_PAGE(512), 512, AREA_HUGE);
	EXPECT_EQ(mirror_fault(b.d->mirror, RIG_PAGE(512), RIG_PAGE(1024), RW), 0);
	EXPECT_EQ(mirror_translate(b.d->mirror, RIG_PAGE(600)).level, 1u);
	EXPECT_EQ(copy(RIG_PAGE(600), RIG_PAGE(0)), 0);
	EXPECT(touch_reads(b.space, RIG_PAGE(600), 1));
	touch_done();
	EXPECT_EQ(space_unmap(b.space, RIG_PAGE(700), RIG_PAGE(701)), 0);
	EXPECT_EQ(copy(RIG_PAGE(700), RIG_PAGE(0)), -EFAULT);
	EXPECT_EQ(copy(RIG_PAGE(601), RIG_PAGE(600)), 0);
	EXPECT(touch_reads(b.space, RIG_PAGE(601), 1));
	bed_close(&b);
}

// A table that is replaced by a huge leaf, or given back, is forgotten by the unit, too.
TEST(vtd, replaced_tables_are_forgotten)
{
	struct bed b;

	NEED_DEVICE();
	REQUIRE(bed_open(&b, 1, 0));
	rig_add_area(b.space, RIG_PAGE(512), 512, AREA_HUGE);
	EXPECT(touch_write(b.space, RIG_PAGE(512), 7));
	EXPECT_EQ(copy(RIG_PAGE(0), RIG_PAGE(512)), 0);
	touch_done();
	EXPECT_EQ(space_protect(b.space, RIG_PAGE(512), RIG_PAGE(1024), PT_R), 0);
	EXPECT_EQ(mirror_fault(b.d->mirror, RIG_PAGE(512), RIG_PAGE(1024), PT_R), 0);
	EXPECT_EQ(mirror_translate(b.d->mirror, RIG_PAGE(512)).level, 1u);
	EXPECT_EQ(copy(RIG_PAGE(0) + 8, RIG_PAGE(512)), 0);
	EXPECT(touch_reads(b.space, RIG_PAGE(0) + 8, 7));
	bed_close(&b);
}

// Domains run out at the unit's limit, cleanly, and ids are used again.
TEST(vtd, domains_run_out)
{
	static struct vtd_domain *domain[256];
	struct space *s = space_create();
	unsigned count = 0;

	if (edu_id() == PCI_NONE) {
		space_destroy(s);
		TEST_SKIP("no DMA device behind an IOMMU");
	}
	while (count < ARRAY_SIZE(domain) && (domain[count] = vtd_domain_create(s, edu_id())))
		count++;
	EXPECT_EQ(count, 255u);
	vtd_domain_destroy(domain[100]);
	domain[100] = vtd_domain_create(s, edu_id());
	EXPECT(domain[100]);
	for (unsigned i = 0; i < count; i++)
		vtd_domain_destroy(domain[i]);
	space_destroy(s);
}
