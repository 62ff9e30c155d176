/*
 * The counterparts of Linux's HMM self-tests (tools/testing/selftests/mm/hmm-tests.c), under the
 * same names, each on the software device and on the one behind the IOMMU.
 *
 * Without counterpart: exclusive, exclusive_mprotect, exclusive_cow (a device that takes a page
 * away from the CPU for atomic accesses: edu has none); migrate and its family (moving pages to a
 * device's own memory: this machine has none); hmm_gup_test (pages pinned by the kernel: it pins
 * none).
 */
#include <mm/copy.h>
#include <mm/fault.h>
#include <tests/kernel/dma.h>
#include <tests/kernel/oracle.h>
#include <tests/kernel/test.h>

#define HUGE 512 /* pages of a huge leaf */

struct hmm {
	struct space *space;
	struct dma dev;
};

#define HMM_CASE(name)                                              \
	static void hmm_##name(struct hmm *h);                      \
	TEST(hmm_soft, name)                                        \
	{                                                           \
		hmm_run(DMA_SOFT, hmm_##name);                      \
	}                                                           \
	TEST(hmm_device, name)                                      \
	{                                                           \
		if (!dma_is_there(DMA_EDU))                         \
			TEST_SKIP("no DMA device behind an IOMMU"); \
		hmm_run(DMA_EDU, hmm_##name);                       \
	}                                                           \
	static void hmm_##name(struct hmm *h)

static void hmm_run(enum dma_make make, void (*run)(struct hmm *h))
{
	struct hmm h = { .space = space_create() };

	REQUIRE(h.space);
	if (EXPECT(dma_open(&h.dev, make, h.space))) {
		run(&h);
		touch_done();
		EXPECT_EQ(oracle_check(), 0u);
		dma_close(&h.dev);
	}
	touch_done();
	space_destroy(h.space);
}

static void write_pages(struct hmm *h, uint64_t pages)
{
	for (uint64_t i = 0; i < pages; i++)
		EXPECT(touch_write(h->space, RIG_PAGE(i), i + 1));
}

// A device can be opened on a space and closed, and nothing is mapped.
HMM_CASE(open_close)
{
	uint64_t leaf[PT_LEVEL_MAX];

	mirror_count(h->dev.m, leaf);
	EXPECT_EQ(leaf[0] + leaf[1] + leaf[2], 0u);
}

// The device reads what the process wrote, page by page; what is untouched reads as zero.
HMM_CASE(anon_read)
{
	rig_add_area(h->space, RIG_BASE, 4, 0);
	write_pages(h, 3);
	for (unsigned i = 0; i < 3; i++)
		EXPECT(dma_reads(&h->dev, RIG_PAGE(i), i + 1));
	EXPECT(dma_reads(&h->dev, RIG_PAGE(3), 0));
	EXPECT_EQ(space_mapped(h->space, MAPPED_ZERO), 1);
}

// The device may not read what the process may not, and may again when it may.
HMM_CASE(anon_read_prot)
{
	uint64_t value;

	rig_add_area(h->space, RIG_BASE, 2, 0);
	write_pages(h, 2);
	EXPECT(dma_reads(&h->dev, RIG_BASE, 1));
	touch_done();
	EXPECT_EQ(space_protect(h->space, RIG_BASE, RIG_PAGE(1), 0), 0);
	EXPECT_EQ(dma_read(&h->dev, RIG_BASE, &value), -EFAULT);
	EXPECT_EQ(space_protect(h->space, RIG_BASE, RIG_PAGE(1), PT_R), 0);
	EXPECT(dma_reads(&h->dev, RIG_BASE, 1));
}

// What the device writes the process reads, also where nobody had touched memory before.
HMM_CASE(anon_write)
{
	rig_add_area(h->space, RIG_BASE, 3, 0);
	EXPECT_EQ(dma_write(&h->dev, RIG_PAGE(0), 10), 0);
	EXPECT(touch_write(h->space, RIG_PAGE(1), 5));
	EXPECT_EQ(dma_write(&h->dev, RIG_PAGE(1) + 8, 11), 0);
	EXPECT(touch_reads(h->space, RIG_PAGE(0), 10));
	EXPECT(touch_reads(h->space, RIG_PAGE(1), 5));
	EXPECT(touch_reads(h->space, RIG_PAGE(1) + 8, 11));
	EXPECT_EQ(space_mapped(h->space, MAPPED_ANON), 2);
}

// The device may not write what is read-only, and nothing changes; it may once that is writable.
HMM_CASE(anon_write_prot)
{
	rig_add_area(h->space, RIG_BASE, 2, 0);
	write_pages(h, 2);
	EXPECT_EQ(dma_write(&h->dev, RIG_BASE, 7), 0);
	touch_done();
	EXPECT_EQ(space_protect(h->space, RIG_BASE, RIG_PAGE(2), PT_R), 0);
	EXPECT_EQ(dma_write(&h->dev, RIG_BASE, 8), -EFAULT);
	EXPECT(touch_reads(h->space, RIG_BASE, 7));
	EXPECT_EQ(space_protect(h->space, RIG_BASE, RIG_PAGE(2), RW), 0);
	EXPECT_EQ(dma_write(&h->dev, RIG_BASE, 9), 0);
	EXPECT(touch_reads(h->space, RIG_BASE, 9));
}

/* Fork, let the child's device write: the parent keeps what it had. */
static void write_in_child(struct hmm *h, va_t va, uint64_t parents)
{
	struct space *child = space_fork(h->space);
	struct dma dev;

	REQUIRE(child);
	REQUIRE(dma_open(&dev, h->dev.make, child));
	EXPECT_EQ(dma_write(&dev, va, 1000), 0);
	EXPECT(touch_reads(child, va, 1000));
	EXPECT(touch_reads(h->space, va, parents));
	EXPECT(dma_reads(&h->dev, va, parents));
	EXPECT_EQ(dma_write(&h->dev, va, 2000), 0);
	EXPECT(touch_reads(child, va, 1000));
	touch_done();
	EXPECT_EQ(oracle_check(), 0u);
	dma_close(&dev);
	space_destroy(child);
	EXPECT(touch_reads(h->space, va, 2000));
}

// A device write in a child copies the page: the parent's is unchanged, and the other way round.
HMM_CASE(anon_write_child)
{
	rig_add_area(h->space, RIG_BASE, 2, 0);
	write_pages(h, 2);
	EXPECT_EQ(dma_write(&h->dev, RIG_PAGE(1), 7), 0);
	write_in_child(h, RIG_PAGE(1), 7);
}

// The same with a huge page that the device has mapped as one.
HMM_CASE(anon_write_child_huge)
{
	rig_add_area(h->space, RIG_BASE, HUGE, AREA_HUGE);
	EXPECT(touch_write(h->space, RIG_PAGE(3), 7));
	EXPECT_EQ(mirror_fault(h->dev.m, RIG_BASE, RIG_PAGE(HUGE), RW), 0);
	EXPECT_EQ(mirror_translate(h->dev.m, RIG_PAGE(3)).level, 1u);
	write_in_child(h, RIG_PAGE(3), 7);
}

// In shared memory a device write in a child is the parent's, too.
HMM_CASE(anon_write_child_shared)
{
	struct space *child;
	struct dma dev;

	rig_add_area(h->space, RIG_BASE, 2, AREA_SHARED);
	write_pages(h, 2);
	child = space_fork(h->space);
	REQUIRE(child);
	REQUIRE(dma_open(&dev, h->dev.make, child));
	EXPECT_EQ(dma_write(&dev, RIG_PAGE(1), 1000), 0);
	EXPECT(touch_reads(h->space, RIG_PAGE(1), 1000));
	EXPECT(dma_reads(&h->dev, RIG_PAGE(1), 1000));
	dma_close(&dev);
	touch_done();
	space_destroy(child);
}

// A whole huge page is one leaf for the device, and it writes at both ends of it.
HMM_CASE(anon_write_huge)
{
	uint64_t leaf[PT_LEVEL_MAX];

	rig_add_area(h->space, RIG_BASE, HUGE, AREA_HUGE);
	EXPECT_EQ(mirror_fault(h->dev.m, RIG_BASE, RIG_PAGE(HUGE), RW), 0);
	mirror_count(h->dev.m, leaf);
	EXPECT_EQ(leaf[0], 0u);
	EXPECT_EQ(leaf[1], 1u);
	EXPECT_EQ(dma_write(&h->dev, RIG_BASE, 1), 0);
	EXPECT_EQ(dma_write(&h->dev, RIG_PAGE(HUGE) - 8, 2), 0);
	EXPECT(touch_reads(h->space, RIG_BASE, 1));
	EXPECT(touch_reads(h->space, RIG_PAGE(HUGE) - 8, 2));
}

/* An area of an object of `pages` pages, numbered from 100. */
static struct object *add_file(struct hmm *h, uint64_t pages, unsigned flags)
{
	struct object *file = object_create(pages);
	struct area_spec spec = {
		RIG_BASE, RIG_PAGE(pages), AREA_OBJECT, flags, RW, file, 0, PA(0)
	};

	for (uint64_t i = 0; i < pages; i++)
		*(uint64_t *)pa_to_ptr(frame_to_pa(object_frame(file, i))) = 100 + i;
	EXPECT_EQ(space_add_area(h->space, &spec), 0);
	return file;
}

static uint64_t file_value(struct object *file, uint64_t page)
{
	return *(uint64_t *)pa_to_ptr(frame_to_pa(object_frame(file, page)));
}

// The device reads a mapped file (here: a memory object, as a boot module is) where it lies.
HMM_CASE(file_read)
{
	struct object *file = add_file(h, 3, 0);

	for (unsigned i = 0; i < 3; i++)
		EXPECT(dma_reads(&h->dev, RIG_PAGE(i), 100 + i));
	EXPECT_EQ(space_mapped(h->space, MAPPED_OBJECT), 3);
	object_put(file);
}

// What the device writes to a shared mapping is in the file; in a private one it is a copy.
HMM_CASE(file_write)
{
	struct object *file = add_file(h, 2, AREA_SHARED);

	EXPECT_EQ(dma_write(&h->dev, RIG_PAGE(1), 7), 0);
	EXPECT_EQ(file_value(file, 1), 7u);
	EXPECT_EQ(space_unmap(h->space, RIG_BASE, RIG_PAGE(2)), 0);
	object_put(file);
	file = add_file(h, 2, 0);
	EXPECT(dma_reads(&h->dev, RIG_PAGE(1), 101));
	EXPECT_EQ(dma_write(&h->dev, RIG_PAGE(1), 7), 0);
	EXPECT_EQ(file_value(file, 1), 101u);
	EXPECT(touch_reads(h->space, RIG_PAGE(1), 7));
	object_put(file);
}

// After memory was unmapped the device reaches nothing there, from the first page to the last.
HMM_CASE(anon_teardown)
{
	uint64_t value;

	rig_add_area(h->space, RIG_BASE, 6, 0);
	write_pages(h, 6);
	for (unsigned i = 0; i < 6; i += 2) {
		EXPECT(dma_reads(&h->dev, RIG_PAGE(i), i + 1));
		touch_done();
		EXPECT_EQ(space_unmap(h->space, RIG_PAGE(i), RIG_PAGE(i + 1)), 0);
		EXPECT_EQ(dma_read(&h->dev, RIG_PAGE(i), &value), -EFAULT);
		EXPECT(dma_reads(&h->dev, RIG_PAGE(i + 1), i + 2));
	}
}

// A range of the zero page, a private page and a file's page, next to each other, is read as one.
HMM_CASE(mixedmap)
{
	struct object *file = add_file(h, 1, 0);
	uint64_t value;

	rig_add_area(h->space, RIG_PAGE(1), 2, 0);
	EXPECT(touch_read(h->space, RIG_PAGE(1), &value));
	EXPECT(touch_write(h->space, RIG_PAGE(2), 3));
	EXPECT_EQ(mirror_fault(h->dev.m, RIG_BASE, RIG_PAGE(3), PT_R), 0);
	EXPECT_EQ(h->dev.m->stats.fault_count, 1u); /* the file's page */
	EXPECT(dma_reads(&h->dev, RIG_PAGE(0), 100));
	EXPECT(dma_reads(&h->dev, RIG_PAGE(1), 0));
	EXPECT(dma_reads(&h->dev, RIG_PAGE(2), 3));
	object_put(file);
}

static pt_attr_t rights_at(struct hmm *h, va_t va)
{
	struct pt_span span = mirror_translate(h->dev.m, va);

	return span.kind == PT_LEAF ? span.attr & RW : 0;
}

// A snapshot tells without faulting: error, hole, zero page, read-only, read-write.
HMM_CASE(snapshot)
{
	uint64_t value;

	rig_add_area(h->space, RIG_BASE, 5, 0);
	write_pages(h, 5);
	touch_done();
	EXPECT_EQ(space_protect(h->space, RIG_PAGE(0), RIG_PAGE(1), 0), 0);
	EXPECT_EQ(space_unmap(h->space, RIG_PAGE(1), RIG_PAGE(2)), 0);
	EXPECT_EQ(space_unmap(h->space, RIG_PAGE(2), RIG_PAGE(3)), 0);
	rig_add_area(h->space, RIG_PAGE(2), 1, 0);
	EXPECT(touch_read(h->space, RIG_PAGE(2), &value));
	EXPECT_EQ(space_protect(h->space, RIG_PAGE(3), RIG_PAGE(4), PT_R), 0);
	EXPECT_EQ(mirror_snapshot(h->dev.m, RIG_BASE, RIG_PAGE(5)), 0);
	EXPECT_EQ(rights_at(h, RIG_PAGE(0)), 0u);
	EXPECT_EQ(rights_at(h, RIG_PAGE(1)), 0u);
	EXPECT_EQ(rights_at(h, RIG_PAGE(2)), PT_R);
	EXPECT(pa_equal(mirror_translate(h->dev.m, RIG_PAGE(2)).pa, zero_page));
	EXPECT_EQ(rights_at(h, RIG_PAGE(3)), PT_R);
	EXPECT_EQ(rights_at(h, RIG_PAGE(4)), RW);
	EXPECT_EQ(h->dev.m->stats.fault_count, 0u);
}

// A huge page is reported at its level for every page of it, before and after its rights change.
HMM_CASE(compound)
{
	rig_add_area(h->space, RIG_BASE, HUGE, AREA_HUGE);
	EXPECT(touch_write(h->space, RIG_BASE, 1));
	for (unsigned way = 0; way < 2; way++) {
		EXPECT_EQ(mirror_snapshot(h->dev.m, RIG_BASE, RIG_PAGE(HUGE)), 0);
		for (unsigned i = 0; i < HUGE; i += 73) {
			EXPECT_EQ(mirror_translate(h->dev.m, RIG_PAGE(i)).level, 1u);
			EXPECT_EQ(rights_at(h, RIG_PAGE(i)), way ? PT_R : RW);
		}
		touch_done();
		EXPECT_EQ(space_protect(h->space, RIG_BASE, RIG_PAGE(HUGE), PT_R), 0);
	}
}

// Two devices on one space see the same memory; closing one does not disturb the other.
HMM_CASE(double_map)
{
	struct dma second;

	rig_add_area(h->space, RIG_BASE, 2, 0);
	write_pages(h, 2);
	REQUIRE(dma_open(&second, h->dev.make, h->space));
	EXPECT(dma_reads(&h->dev, RIG_BASE, 1));
	EXPECT(dma_reads(&second, RIG_BASE, 1));
	EXPECT_EQ(dma_write(&second, RIG_PAGE(1), 7), 0);
	EXPECT(dma_reads(&h->dev, RIG_PAGE(1), 7));
	dma_close(&second);
	EXPECT(dma_reads(&h->dev, RIG_PAGE(1), 7));
}

// Many pages, read and written in turn by both sides, keep what was written last.
HMM_CASE(anon_read_multiple)
{
	rig_add_area(h->space, RIG_BASE, 4, 0);
	for (unsigned i = 0; i < 8; i++) {
		va_t va = RIG_PAGE(i % 4) + i * 8;

		if (i % 2)
			EXPECT_EQ(dma_write(&h->dev, va, i + 1), 0);
		else
			EXPECT(touch_write(h->space, va, i + 1));
	}
	for (unsigned i = 0; i < 8; i++) {
		va_t va = RIG_PAGE(i % 4) + i * 8;

		if (i % 2)
			EXPECT(touch_reads(h->space, va, i + 1));
		else
			EXPECT(dma_reads(&h->dev, va, i + 1));
	}
}

// A page that the device has mapped is copied when the CPU writes after a fork; the device follows.
HMM_CASE(hmm_cow_in_device)
{
	struct space *child;

	rig_add_area(h->space, RIG_BASE, 1, 0);
	write_pages(h, 1);
	EXPECT_EQ(dma_write(&h->dev, RIG_BASE, 5), 0);
	child = space_fork(h->space);
	REQUIRE(child);
	EXPECT(dma_reads(&h->dev, RIG_BASE, 5));
	EXPECT(touch_write(h->space, RIG_BASE, 6));
	EXPECT(dma_reads(&h->dev, RIG_BASE, 6));
	EXPECT(touch_reads(child, RIG_BASE, 5));
	touch_done();
	space_destroy(child);
}

// Unmapping the beginning, the middle or the end of a huge page leaves the rest to the device.
HMM_CASE(partial_unmap)
{
	static const unsigned offset[] = { 0, 200, 511 };

	for (unsigned i = 0; i < ARRAY_SIZE(offset); i++) {
		va_t hole = RIG_PAGE(offset[i]);
		uint64_t value;

		rig_add_area(h->space, RIG_BASE, HUGE, AREA_HUGE);
		EXPECT(touch_write(h->space, RIG_PAGE(100), 9));
		EXPECT_EQ(mirror_fault(h->dev.m, RIG_BASE, RIG_PAGE(HUGE), RW), 0);
		touch_done();
		EXPECT_EQ(space_unmap(h->space, hole, hole + PAGE_SIZE), 0);
		EXPECT_EQ(dma_read(&h->dev, hole, &value), -EFAULT);
		EXPECT(dma_reads(&h->dev, RIG_PAGE(100), 9));
		touch_done();
		EXPECT_EQ(space_unmap(h->space, RIG_BASE, RIG_PAGE(HUGE)), 0);
	}
}

// Memory that is unmapped and mapped again at the same place is new to the device, too.
HMM_CASE(remap)
{
	rig_add_area(h->space, RIG_BASE, 1, 0);
	EXPECT_EQ(dma_write(&h->dev, RIG_BASE, 7), 0);
	EXPECT_EQ(space_unmap(h->space, RIG_BASE, RIG_PAGE(1)), 0);
	rig_add_area(h->space, RIG_BASE, 1, 0);
	EXPECT(dma_reads(&h->dev, RIG_BASE, 0));
}

// Without memory the device is told so, nothing has changed, and the same access works later.
HMM_CASE(allocation_failure)
{
	rig_add_area(h->space, RIG_BASE, 1, 0);
	frame_fail_after(0, ~0ull);
	EXPECT_EQ(mirror_fault(h->dev.m, RIG_BASE, RIG_PAGE(1), RW), -ENOMEM);
	frame_fail_after(0, 0);
	EXPECT_EQ(oracle_check(), 0u);
	EXPECT_EQ(dma_write(&h->dev, RIG_BASE, 7), 0);
	EXPECT(touch_reads(h->space, RIG_BASE, 7));
}
