/*
 * Mirrors at their limits: a space that is going, devices that cannot wait, spans that end where a
 * huge leaf does, and windows beside memory.
 */
#include <dev/vtd_table.h>
#include <mm/copy.h>
#include <mm/kspace.h>
#include <tests/kernel/mirror_rig.h>
#include <tests/kernel/oracle.h>
#include <tests/kernel/test.h>

// No mirror is made of a space that is being released, and nothing is left of the attempt.
TEST(mirror, none_of_a_released_space)
{
	struct space *s = space_create();
	struct soft_device dev;
	uint64_t free_before = frame_free_count();

	soft_device_init(&dev, false);
	notifier_release(&s->notifier);
	EXPECT(!mirror_create(s, &vtd_mirror_format, RIG_TOP_LEVEL, &dev.ops));
	EXPECT_EQ(frame_free_count(), free_before);
	EXPECT_EQ(oracle_check(), 0u);
	space_destroy(s);
}

// A snapshot passes over a device window and takes the memory on both sides of it; a fault stops in
// front of it, with what lies there established.
TEST(mirror, window_between_memory)
{
	struct rig r;
	struct area_spec window = { RIG_PAGE(2), RIG_PAGE(4), AREA_DEVICE, 0,
				    RW,          NULL,        0,           PA(0xfed00000) };

	rig_open_written(&r, 2, 0);
	rig_add_area(r.space, RIG_PAGE(4), 2, 0);
	EXPECT_EQ(space_add_area(r.space, &window), 0);
	EXPECT(touch_write(r.space, RIG_PAGE(4), 5) && touch_write(r.space, RIG_PAGE(5), 6));
	EXPECT_EQ(mirror_fault(r.m, RIG_PAGE(0), RIG_PAGE(6), PT_R), -EFAULT);
	EXPECT_EQ(rig_leaves(&r, 0), 2u);
	EXPECT_EQ(mirror_snapshot(r.m, RIG_PAGE(0), RIG_PAGE(6)), 0);
	EXPECT_EQ(rig_leaves(&r, 0), 4u);
	EXPECT_EQ(rig_rights(&r, RIG_PAGE(2)), 0u);
	EXPECT(soft_device_reads(&r.dev, RIG_PAGE(5), 6));
	rig_close(&r);
}

// Ranges that begin in the table and end behind it, or wrap, are refused.
TEST(mirror, ranges_are_checked)
{
	struct rig r;
	va_t behind = 1ull << 48;

	rig_open_written(&r, 1, 0);
	EXPECT_EQ(mirror_harvest(r.m, behind - PAGES(1), behind + PAGES(1)), -ERANGE);
	EXPECT_EQ(mirror_harvest(r.m, RIG_PAGE(2), RIG_PAGE(1)), -ERANGE);
	EXPECT_EQ(mirror_harvest(r.m, behind - PAGES(1), behind), 0);
	EXPECT_EQ(mirror_harvest(r.m, RIG_PAGE(1), RIG_PAGE(1)), -EINVAL);
	EXPECT_EQ(mirror_harvest(r.m, RIG_PAGE(1) + 1, RIG_PAGE(2)), -EINVAL);
	rig_close(&r);
}

/* Fill [from, to) of the rig with its n-th allocation failing, for all n; how many failed. */
static uint64_t fail_in_turn(struct rig *r, va_t from, va_t to, pt_attr_t access)
{
	uint64_t failed_count = 0;
	int err;

	for (;; failed_count++) {
		frame_fail_after(failed_count, 1);
		err = mirror_fault(r->m, from, to, access);
		frame_fail_after(0, 0);
		if (!err)
			return failed_count;
		EXPECT_EQ(err, -ENOMEM);
		EXPECT_EQ(oracle_check(), 0u);
	}
}

// A huge leaf of the mirror of which a part gets a right is split; without memory for that the
// fault says so, and the leaf stays.
TEST(mirror, huge_leaf_without_memory_to_split)
{
	struct rig r;

	rig_open(&r, 1024, AREA_HUGE);
	for (unsigned i = 0; i < 1024; i += 512)
		EXPECT(touch_write(r.space, RIG_PAGE(i), i));
	touch_done();
	/* Old and clean again, so that the device is not given W at once. */
	EXPECT_EQ(pt_protect(&r.space->root, RIG_BASE, RIG_PAGE(1024), PT_DIRTY, 0), 0);
	EXPECT_EQ(mirror_fault(r.m, RIG_BASE, RIG_PAGE(1024), PT_R), 0);
	REQUIRE_EQ(rig_leaves(&r, 1), 2u);
	EXPECT_EQ(fail_in_turn(&r, RIG_PAGE(512 + 7), RIG_PAGE(512 + 8), RW), 1u);
	EXPECT_EQ(rig_leaves(&r, 1), 1u);
	EXPECT_EQ(rig_rights(&r, RIG_PAGE(512 + 7)), RW);
	EXPECT_EQ(rig_rights(&r, RIG_PAGE(512 + 8)), PT_R);
	rig_close(&r);
}

static int refuse_nothing(struct subscriber *s, va_t start, va_t end, enum notify_why why,
			  bool may_block)
{
	(void)s, (void)start, (void)end, (void)why, (void)may_block;
	return 0;
}

// A subscriber that knows nothing of age is not asked for it, and others are.
TEST(mirror, age_is_asked_of_those_who_know)
{
	static const struct subscriber_ops ops = { .invalidate = refuse_nothing };
	struct subscriber ignorant = { .ops = &ops };
	struct rig r;

	rig_open_written(&r, 1, 0);
	REQUIRE_EQ(notifier_register(&r.space->notifier, &ignorant), 0);
	EXPECT(!notifier_test_young(&r.space->notifier, RIG_BASE, RIG_PAGE(1), false));
	EXPECT_EQ(mirror_fault(r.m, RIG_BASE, RIG_PAGE(1), PT_R), 0);
	EXPECT(notifier_test_young(&r.space->notifier, RIG_BASE, RIG_PAGE(1), false));
	notifier_unregister(&ignorant);
	rig_close(&r);
}

// What lies above the reach of a mirror's table is no matter of that mirror, be it one of a larger
// one's beside it.
TEST(mirror, above_the_reach_of_its_table)
{
	struct rig r;
	struct soft_device dev;
	struct mirror *small;

	rig_open_written(&r, 2, 0);
	soft_device_init(&dev, false);
	small = mirror_create(r.space, &vtd_mirror_format, RIG_TOP_LEVEL - 1, &dev.ops);
	REQUIRE(small);
	EXPECT_EQ(mirror_fault(small, RIG_PAGE(0), RIG_PAGE(1), PT_R), -ERANGE);
	EXPECT_EQ(mirror_fault(r.m, RIG_PAGE(0), RIG_PAGE(2), PT_R), 0);
	EXPECT(notifier_test_young(&r.space->notifier, RIG_PAGE(1), RIG_PAGE(2), true));
	EXPECT_EQ(space_unmap(r.space, RIG_PAGE(0), RIG_PAGE(1)), 0);
	EXPECT_EQ(r.m->stats.invalidate_count, 1u);
	EXPECT_EQ(small->stats.invalidate_count, 0u);
	EXPECT_EQ(dev.flush_count, 0u);
	mirror_destroy(small);
	rig_close(&r);
}

// A space that ends while an invalidation of it is open: the mirror finds the notifier released.
TEST(mirror, fault_of_a_released_space)
{
	struct rig r;
	struct space *space;

	rig_open_written(&r, 1, 0);
	space = r.space;
	r.m->space = NULL; /* as mirror_release leaves it */
	EXPECT_EQ(mirror_fault(r.m, RIG_BASE, RIG_PAGE(1), PT_R), -ENOENT);
	r.m->space = space;
	space->notifier.released = true; /* it has begun */
	EXPECT_EQ(mirror_fault(r.m, RIG_BASE, RIG_PAGE(1), PT_R), -ENOENT);
	space->notifier.released = false;
	EXPECT_EQ(mirror_fault(r.m, RIG_BASE, RIG_PAGE(1), PT_R), 0);
	rig_close(&r);
}
