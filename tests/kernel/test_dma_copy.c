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
