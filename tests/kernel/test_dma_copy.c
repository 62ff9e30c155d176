/*
 * Memory copied by a device behind the IOMMU, by virtual address: one thing at a time. What happens
 * when everything happens at once is in test_dma_stress.c. Skipped where there is no such device.
 */
#include <arch/trap.h>
#include <tests/kernel/copier.h>
#include <tests/kernel/oracle.h>
#include <tests/kernel/test.h>

// The device copies what the process wrote to where nobody had written before, across pages.
TEST(dma_copy, across_pages)
{
	struct copier c;
	bool same = true;

	COPIER_NEEDED();
	REQUIRE(copier_open(&c, 8, 0));
	for (unsigned i = 0; i < 2048; i += 8)
		EXPECT(touch_write(c.space, RIG_PAGE(1) - 1024 + i, 0x1000 + i));
	EXPECT_EQ(e1000_copy(RIG_PAGE(4) - 512, RIG_PAGE(1) - 1024, 2048), 0);
	for (unsigned i = 0; i < 2048; i += 8)
		same &= touch_reads(c.space, RIG_PAGE(4) - 512 + i, 0x1000 + i);
	EXPECT(same);
	copier_close(&c);
}

// Every fault is one that was due, every callback and flush one of an operation: exact numbers.
TEST(dma_copy, exact_counts)
{
	struct copier c;
	uint64_t copies = e1000_stats.copies, repeats = e1000_stats.repeats;
	const struct mirror_stats *m;

	COPIER_NEEDED();
	REQUIRE(copier_open(&c, 64, 0));
	m = &c.d->mirror->stats;
	EXPECT(touch_write(c.space, RIG_PAGE(0), 1));
	EXPECT(touch_write(c.space, RIG_PAGE(1), 2));
	touch_done();
	EXPECT_EQ(mirror_fault(c.d->mirror, COPIER_RINGS, COPIER_RINGS + PAGE_SIZE, RW), 0);
	EXPECT_EQ(e1000_copy(RIG_PAGE(1), RIG_PAGE(0), 64), 0);
	EXPECT_EQ(copier_since(&c).faults, 2u); /* to read, then to write */
	EXPECT_EQ(e1000_stats.repeats - repeats, 2u);
	EXPECT_EQ(e1000_copy(RIG_PAGE(1), RIG_PAGE(0), 4096), 0);
	EXPECT_EQ(copier_since(&c).faults, 2u); /* all is there */
	EXPECT_EQ(mirror_fault(c.d->mirror, RIG_PAGE(2), RIG_PAGE(64), RW), 0);
	EXPECT_EQ(copier_since(&c).page_flushes, 0u);
	EXPECT_EQ(m->invalidate_count, 0u);
	EXPECT_EQ(space_unmap(c.space, RIG_PAGE(10), RIG_PAGE(50)), 0);
	EXPECT_EQ(m->invalidate_count, 1u); /* for 40 pages */
	EXPECT_EQ(m->dropped_leaves, 40u);
	EXPECT_EQ(copier_since(&c).page_flushes, 1u);
	EXPECT_EQ(space_unmap(c.space, RIG_PAGE(10), RIG_PAGE(50)), 0);
	EXPECT_EQ(m->invalidate_count, 2u); /* nothing was there any more */
	EXPECT_EQ(copier_since(&c).page_flushes, 1u);
	EXPECT_EQ(space_protect(c.space, RIG_PAGE(0), RIG_PAGE(1), PT_R), 0);
	EXPECT_EQ(copier_since(&c).page_flushes, 2u);
	EXPECT_EQ(e1000_copy(RIG_PAGE(0), RIG_PAGE(1), 64), -EFAULT);
	EXPECT_EQ(copier_since(&c).faults, 3u); /* that one is refused for good */
	EXPECT_EQ(e1000_copy(RIG_PAGE(1), RIG_PAGE(0), 64), 0);
	EXPECT_EQ(copier_since(&c).faults, 4u);
	EXPECT_EQ(copier_since(&c).domain_flushes + copier_since(&c).lost_faults, 0u);
	EXPECT_EQ(e1000_stats.copies - copies, 4u);
	copier_close(&c);
}

// A length that the device cannot move is refused, and nothing moves.
TEST(dma_copy, lengths)
{
	struct copier c;

	COPIER_NEEDED();
	REQUIRE(copier_open(&c, 4, 0));
	EXPECT_EQ(e1000_copy(RIG_PAGE(1), RIG_PAGE(0), E1000_COPY_MIN - 1), -EINVAL);
	EXPECT_EQ(e1000_copy(RIG_PAGE(1), RIG_PAGE(0), E1000_COPY_MAX + 1), -EINVAL);
	EXPECT_EQ(copier_since(&c).faults, 0u);
	copier_close(&c);
}
