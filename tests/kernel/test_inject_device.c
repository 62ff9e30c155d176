/*
 * A device that faults at every point of every operation: whenever the operation lets go of a lock,
 * for the n-th time, a driver on another CPU has its device write to a page in the middle of it.
 *
 * The access is refused, as the mirror is empty, is serviced as far as the operation lets it, and
 * repeated until the space has said yes or no. What it wrote must then be where the operation says
 * that it belongs, and nowhere else; n rises until the operation has no n-th release.
 */
#include <arch/clock.h>
#include <arch/smp.h>
#include <arch/trap.h>
#include <lib/context.h>
#include <lib/lock_check.h>
#include <lib/string.h>
#include <mm/copy.h>
#include <mm/reclaim.h>
#include <mm/share.h>
#include <mm/swap.h>
#include <proc/thread.h>
#include <tests/kernel/dma.h>
#include <tests/kernel/oracle.h>
#include <tests/kernel/test.h>

#define PAGE_COUNT 4
#define PAGE 1u                      /* that both sides are about */
#define BESIDE 8                     /* bytes from the word of the CPU to that of the device */
#define POINT_WAIT (1000 * CLOCK_MS) /* for the driver, which may wait for us in other ways */
#define POINTS_MAX 4000

/* One case, and what the driver's thread is told and tells. */
static struct bed {
	struct space *space, *child;
	struct dma dev;
	uint64_t point, count; /* the release at which the device comes; releases so far */
	const struct context *owner;
	const struct context *driver;
	bool go, tried; /* atomic */
	int err;        /* what became of its access */
} bed;

static struct {
	uint64_t points, tried, blocked, faults, refused;
} sum;

/* ---- The driver. ---- */

static void drive(void *arg)
{
	(void)arg;
	__atomic_store_n(&bed.driver, cpu_local()->context, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&bed.go, __ATOMIC_ACQUIRE))
		arch_pause();
	do { /* a section that is open takes a while: the device faults again */
		bed.err = dma_write(&bed.dev, RIG_PAGE(PAGE) + BESIDE, 1000 + bed.point);
		__atomic_store_n(&bed.tried, true, __ATOMIC_RELEASE);
	} while (bed.err == -EAGAIN || bed.err == -EIO);
}

/* Does the driver wait for a lock that the caller has? */
static bool driver_waits(const void *lock)
{
	const void *wanted = READ_ONCE(bed.driver->wanted[0].lock);

	return wanted && (wanted == lock || lock_is_held(wanted));
}

/* Told of every release, with the lock still held. */
static void at_release(void *lock, enum lock_class class, const struct lock_site *site)
{
	uint64_t end = clock_now() + POINT_WAIT;

	(void)site;
	/* (Frames and threads are locked without interrupts, so that nobody can wait for us.) */
	if (cpu_local()->context != bed.owner || class >= LOCK_TEST_IRQ || ++bed.count != bed.point)
		return;
	__atomic_store_n(&bed.go, true, __ATOMIC_RELEASE);
	while (clock_now() < end) {
		if (__atomic_load_n(&bed.tried, __ATOMIC_ACQUIRE)) {
			sum.tried++;
			return;
		}
		if (driver_waits(lock)) {
			sum.blocked++;
			return;
		}
		arch_pause();
	}
}

/* ---- The operations, and what must be true afterwards. ---- */

/* What the device has written, if its access was allowed. */
static uint64_t device_value(void)
{
	return bed.err ? 0 : 1000 + bed.point;
}

static bool holds(struct space *s, uint64_t word, uint64_t beside)
{
	return touch_reads(s, RIG_PAGE(PAGE), word) &&
	       touch_reads(s, RIG_PAGE(PAGE) + BESIDE, beside);
}

/* The child has the page as it was when it was forked: before the device came, or after. */
static bool child_is_whole(void)
{
	bool same = holds(bed.child, PAGE + 1, 0) || holds(bed.child, PAGE + 1, device_value());

	return EXPECT(same);
}

static int do_unmap(void)
{
	return space_unmap(bed.space, RIG_PAGE(PAGE), RIG_PAGE(PAGE + 2));
}

static void after_unmap(void)
{
	uint64_t value;

	EXPECT(bed.err == 0 || bed.err == -EFAULT);
	EXPECT(!touch_read(bed.space, RIG_PAGE(PAGE), &value));
	EXPECT_EQ(dma_write(&bed.dev, RIG_PAGE(PAGE), 1), -EFAULT);
}

static int do_protect(void)
{
	return space_protect(bed.space, RIG_PAGE(PAGE), RIG_PAGE(PAGE + 1), PT_R);
}

static void after_protect(void)
{
	EXPECT(bed.err == 0 || bed.err == -EFAULT);
	EXPECT(holds(bed.space, PAGE + 1, device_value()));
	EXPECT_EQ(dma_write(&bed.dev, RIG_PAGE(PAGE), 1), -EFAULT);
}

static int do_fork(void)
{
	bed.child = space_fork(bed.space);
	return bed.child ? 0 : -ENOMEM;
}

static void after_fork(void)
{
	EXPECT_EQ(bed.err, 0);
	EXPECT(holds(bed.space, PAGE + 1, device_value()));
	child_is_whole();
}

/* The CPU copies the page on write, at the same time. */
static int do_write(void)
{
	return touch_write(bed.space, RIG_PAGE(PAGE), 77) ? 0 : -EFAULT;
}

static void after_write(void)
{
	EXPECT_EQ(bed.err, 0);
	EXPECT(holds(bed.space, 77, device_value()));
	EXPECT(holds(bed.child, PAGE + 1, 0));
}

static int do_swap_out(void)
{
	int err = space_swap_out(bed.space, RIG_PAGE(PAGE));

	return err == -EBUSY || err == -EFAULT ? 0 : err; /* the device was there first */
}

static void after_swap_out(void)
{
	EXPECT_EQ(bed.err, 0);
	EXPECT(holds(bed.space, PAGE + 1, device_value()));
}

static int do_reclaim(void)
{
	space_reclaim(bed.space, 1);
	return 0;
}

static int do_split(void)
{
	return space_protect(bed.space, RIG_PAGE(PAGE + 1), RIG_PAGE(PAGE + 2), PT_R);
}

static int do_exit(void)
{
	space_destroy(bed.child);
	bed.child = NULL;
	return 0;
}

static void after_exit(void)
{
	EXPECT_EQ(bed.err, 0);
	EXPECT(holds(bed.space, PAGE + 1, device_value()));
}

static const struct operation {
	const char *name;
	int (*run)(void);
	void (*after)(void);
	unsigned flags; /* of the area */
	bool forked;    /* there is a child before it */
} operations[] = {
	{ "unmap", do_unmap, after_unmap, 0, false },
	{ "unmap, shared", do_unmap, after_unmap, 0, true },
	{ "protect", do_protect, after_protect, 0, false },
	{ "protect, shared", do_protect, after_protect, 0, true },
	{ "fork", do_fork, after_fork, 0, false },
	{ "write", do_write, after_write, 0, true },
	{ "swap out", do_swap_out, after_swap_out, 0, false },
	{ "swap out, shared", do_swap_out, after_swap_out, 0, true },
	{ "reclaim", do_reclaim, after_swap_out, 0, false },
	{ "split", do_split, after_swap_out, AREA_HUGE, false },
	{ "exit of a child", do_exit, after_exit, 0, true },
};

/* ---- The cases. ---- */

static bool bed_open(const struct operation *op, enum dma_make make, uint64_t point)
{
	bed = (struct bed){ .point = point, .owner = cpu_local()->context };
	bed.space = space_create();
	if (!EXPECT(bed.space))
		return false;
	rig_add_area(bed.space, RIG_BASE, op->flags & AREA_HUGE ? 512 : PAGE_COUNT, op->flags);
	for (unsigned i = 0; i < PAGE_COUNT; i++)
		EXPECT(touch_write(bed.space, RIG_PAGE(i), i + 1));
	if (op->forked)
		bed.child = space_fork(bed.space);
	return EXPECT(!op->forked || bed.child) && EXPECT(dma_open(&bed.dev, make, bed.space));
}

static void bed_close(void)
{
	touch_done();
	EXPECT_EQ(oracle_check(), 0u);
	dma_close(&bed.dev);
	if (bed.child)
		space_destroy(bed.child);
	space_destroy(bed.space);
}

/* With the device at that release. False: there is none. */
static bool inject_at(const struct operation *op, enum dma_make make, uint64_t point)
{
	struct thread *driver;
	uint64_t faults;
	bool reached;

	if (!bed_open(op, make, point))
		return false;
	faults = dma_fault_count(&bed.dev);
	driver = thread_create(1, drive, NULL, "driver");
	if (!EXPECT(driver))
		return false;
	while (!__atomic_load_n(&bed.driver, __ATOMIC_ACQUIRE))
		arch_pause();
	lock_check_released = at_release;
	EXPECT_EQ(op->run(), 0);
	lock_check_released = NULL;
	reached = bed.count >= point;
	__atomic_store_n(&bed.go, true, __ATOMIC_RELEASE);
	thread_join(driver);
	sum.refused += bed.err != 0;
	sum.faults += dma_fault_count(&bed.dev) - faults;
	op->after();
	bed_close();
	return reached;
}

static void inject_device(enum dma_make make)
{
	for (unsigned strategy = 0; strategy < 2; strategy++)
		for (unsigned i = 0; i < ARRAY_SIZE(operations); i++) {
			uint64_t point = 1;

			fork_shares_tables = strategy;
			while (point < POINTS_MAX && inject_at(&operations[i], make, point))
				point++;
			EXPECT_LE(2u, point);
			sum.points += point - 1;
			test_note("%-16s fork=%-6s %4lu points", operations[i].name,
				  strategy ? "shared" : "eager", point - 1);
		}
}

static void inject_with(enum dma_make make)
{
	bool shares = fork_shares_tables;

	if (cpu_count() < 2)
		TEST_SKIP("needs 2 CPUs");
	if (!dma_is_there(make))
		TEST_SKIP("no DMA device behind an IOMMU");
	if (oracle_is_always())
		TEST_SKIP("the oracle has the releases");
	memset(&sum, 0, sizeof(sum));
	REQUIRE_EQ(swap_init(16), 0);
	test_deadline(600);
	inject_device(make);
	swap_fini();
	fork_shares_tables = shares;
	EXPECT_LE(sum.points, sum.faults);
	EXPECT_LE(sum.points / 2, sum.tried + sum.blocked);
	test_note("%lu points: in %lu the device had faulted before we went on, in %lu its driver "
		  "waited for our lock; %lu faults, %lu accesses refused for good",
		  sum.points, sum.tried, sum.blocked, sum.faults, sum.refused);
}

// Wherever in an operation a device faults, its write is kept or refused as the space says, and is
// seen by nobody else.
TEST(inject_device, software_device_at_every_release)
{
	inject_with(DMA_SOFT);
}

// The same with a device behind the IOMMU.
TEST(inject_device, hardware_device_at_every_release)
{
	inject_with(DMA_EDU);
}
