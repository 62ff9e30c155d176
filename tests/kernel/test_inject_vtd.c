/*
 * Faults of the IOMMU itself, planted: every entry on the path of a device's access, at every
 * level, is made absent, without the right, or nonsense. The unit must refuse the access and say
 * why, memory must stay as it was, and the same access must succeed when the entry is back.
 * Skipped where there is no such device.
 */
#include <arch/trap.h>
#include <dev/edu.h>
#include <tests/kernel/mirror_rig.h>
#include <tests/kernel/oracle.h>
#include <tests/kernel/test.h>

#define VTD_READ 1ull
#define VTD_WRITE 2ull
#define VTD_ADDRESS 0x0000fffffffff000ull
#define VTD_BEYOND (1ull << 51) /* an address bit that the unit does not have */
#define PAGE 1u

enum plant { PLANT_ABSENT, PLANT_NO_RIGHT, PLANT_NONSENSE, PLANT_COUNT };

static const char *const plant_name[] = { "absent", "without the right", "nonsense" };

static uint64_t planted(enum plant plant, uint64_t entry, bool write)
{
	switch (plant) {
	case PLANT_ABSENT:
		return 0;
	case PLANT_NO_RIGHT:
		return entry & ~(write ? VTD_WRITE : VTD_READ);
	case PLANT_NONSENSE:
	case PLANT_COUNT:
		break;
	}
	return entry | VTD_BEYOND;
}

/* The word that the unit reads at this level on the path of va. */
static uint64_t *entry_of(const struct pt_root *root, va_t va, unsigned level)
{
	pa_t table = root->top.pa;

	for (unsigned at = root->top.level;; at--) {
		uint64_t *entry = (uint64_t *)pa_to_ptr(table) + (va >> (12 + 9 * at) & 511);

		if (at == level)
			return entry;
		table = PA(*entry & VTD_ADDRESS);
	}
}

static void forget(struct vtd_domain *d)
{
	d->ops.flush(d->mirror, RIG_BASE, RIG_PAGE(4) - 1, true);
}

/* One access through the path as it has been planted, and one when it is mended. */
static void inject_at(struct vtd_domain *d, struct space *s, unsigned level, enum plant plant,
		      bool write)
{
	enum edu_direction way = write ? EDU_TO_MEMORY : EDU_FROM_MEMORY;
	uint64_t *entry = entry_of(&d->mirror->root, RIG_PAGE(PAGE), level), good = *entry;
	struct vtd_fault f = { .reason = 0 };

	EXPECT(touch_write(s, RIG_PAGE(PAGE), 5));
	EXPECT_EQ(edu_transfer(RIG_PAGE(0), 0, 8, EDU_FROM_MEMORY),
		  0); /* edu holds page 0's word */
	WRITE_ONCE(*entry, planted(plant, good, write));
	forget(d);
	EXPECT_EQ(edu_transfer(RIG_PAGE(PAGE), 0, 8, way), 0);
	if (EXPECT(vtd_take_fault(edu_id(), &f))) {
		EXPECT_EQ(f.page, RIG_PAGE(PAGE));
		EXPECT_EQ(f.write, write);
		EXPECT_EQ(f.reason == (write ? VTD_REASON_WRITE : VTD_REASON_READ),
			  plant != PLANT_NONSENSE);
	}
	if (plant == PLANT_NONSENSE) { /* nothing that a fault in the space could explain */
		EXPECT_EQ(edu_transfer(RIG_PAGE(PAGE), 0, 8, way), 0);
		EXPECT_EQ(vtd_service_faults(d, edu_id()), -EIO);
	}
	EXPECT(touch_reads(s, RIG_PAGE(PAGE), 5));
	WRITE_ONCE(*entry, good);
	forget(d);
	while (vtd_take_fault(edu_id(), &f))
		;
	EXPECT_EQ(edu_move(RIG_PAGE(0), 0, 8, EDU_FROM_MEMORY), 0);
	EXPECT_EQ(edu_move(RIG_PAGE(PAGE), 0, 8, EDU_TO_MEMORY), 0);
	EXPECT(touch_reads(s, RIG_PAGE(PAGE), 1));
}

// Whatever is wrong with whichever entry on the way of a device's access, it is refused with a
// record of the page, the direction and the reason, changes nothing, and succeeds when it is
// mended.
TEST(inject_vtd, every_entry_on_the_path)
{
	struct space *s;
	struct vtd_domain *d;
	unsigned count = 0;

	if (edu_id() == PCI_NONE)
		TEST_SKIP("no DMA device behind an IOMMU");
	s = space_create();
	rig_add_area(s, RIG_BASE, 4, 0);
	for (unsigned i = 0; i < 4; i++)
		EXPECT(touch_write(s, RIG_PAGE(i), i + 1));
	d = vtd_domain_create(s, edu_id());
	REQUIRE(d);
	REQUIRE_EQ(edu_use(d), 0);
	REQUIRE_EQ(mirror_fault(d->mirror, RIG_BASE, RIG_PAGE(4), RW), 0);
	for (unsigned level = 0; level <= d->mirror->root.top.level; level++)
		for (enum plant plant = 0; plant < PLANT_COUNT; plant++)
			for (unsigned write = 0; write < 2; write++, count++)
				inject_at(d, s, level, plant, write);
	test_note("%u faults of the unit: %u levels x %s, %s, %s x read, write", count,
		  d->mirror->root.top.level + 1, plant_name[0], plant_name[1], plant_name[2]);
	touch_done();
	EXPECT_EQ(oracle_check(), 0u);
	edu_use(NULL);
	vtd_domain_destroy(d);
	space_destroy(s);
}
