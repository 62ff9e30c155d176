/*
 * The demonstration's part about devices: a DMA engine behind the IOMMU reads and writes a space's
 * memory by the space's own addresses, through a mirror of its tables.
 */
#include <dev/edu.h>
#include <lib/printk.h>
#include <mm/copy.h>
#include <mm/show.h>
#include <shell/demo.h>
#include <shell/dump.h>

#define OTHER_VA (DEMO_VA + (64ull << PAGE_SHIFT)) /* where the device copies to */

/* Have the device read with nothing prepared, and show what the IOMMU says. */
static bool show_refusal(void)
{
	struct vtd_fault fault;

	if (edu_transfer(DEMO_VA, 0, sizeof(uint64_t), EDU_FROM_MEMORY) ||
	    !vtd_take_fault(edu_id(), &fault)) {
		printk("  the device does not answer\n");
		return false;
	}
	printk("Device " PCI_ID_FORMAT " is told to read %#llx. The IOMMU (and QEMU says so, too)\n"
	       "refuses: a %s at %#lx, reason %u, for its own table is empty:\n\n",
	       PCI_ID_ARGS(edu_id()), DEMO_VA, fault.write ? "write" : "read", fault.page,
	       fault.reason);
	return true;
}

/* Have it copy a value from page to page, servicing faults. */
static bool copy_over(struct space *s, uint64_t due)
{
	uint64_t repeats = edu_stats.repeats, value = 0;

	if (edu_move(DEMO_VA, 0, sizeof(value), EDU_FROM_MEMORY) ||
	    edu_move(OTHER_VA, 0, sizeof(value), EDU_TO_MEMORY) ||
	    !demo_read(s, OTHER_VA, &value)) {
		printk("  not enough memory for the transfer\n");
		return false;
	}
	printk("The device copies the page's value to %#llx; %lu transfers were refused,\n"
	       "faulted in and repeated. There the CPU reads %lu.\n\n",
	       OTHER_VA, edu_stats.repeats - repeats, value);
	return value == due;
}

/* A fork and a write: what the device has is stale, and it must not keep it. */
static bool show_write(struct space *s, const struct vtd_domain *d)
{
	uint64_t before = d->mirror->stats.dropped_leaves;
	struct space *child = space_fork(s);

	if (!child || !demo_write(s, DEMO_VA, 43)) {
		printk("  not enough memory to fork and write\n");
		demo_destroy(child, NULL);
		return false;
	}
	printk("The space forks, and the CPU writes 43, to a new page. The mirror has dropped\n"
	       "leaves (%lu), and the IOMMU forgotten them, before the old page can go:\n\n",
	       d->mirror->stats.dropped_leaves - before);
	dump_vtd_walk(d->mirror, DEMO_VA);
	printk("\n");
	demo_destroy(child, NULL);
	return copy_over(s, 43);
}

static bool show_domain(struct space *s, const struct vtd_domain *d)
{
	if (!demo_write(s, DEMO_VA, 42) || !show_refusal())
		return false;
	dump_vtd_walk(d->mirror, DEMO_VA);
	printk("\nIt is serviced as a fault of the CPU's is: the space is asked, and the mirror\n"
	       "follows it in VT-d's format. %u levels for the CPU, %u for the IOMMU, one page:"
	       "\n\n",
	       s->root.top.level + 1, d->mirror->root.top.level + 1);
	if (mirror_fault(d->mirror, DEMO_VA, DEMO_VA + PAGE_SIZE, PT_R)) {
		printk("  not enough memory for the mirror\n");
		return false;
	}
	show_walk(&s->root, DEMO_VA);
	dump_vtd_walk(d->mirror, DEMO_VA);
	printk("\n");
	return copy_over(s, 42) && show_write(s, d);
}

bool demo_device(void)
{
	struct vtd_domain *d;
	struct space *s;
	bool ok;

	demo_title("4. A device reads by virtual address, and faults");
	if (edu_id() == PCI_NONE) {
		printk("Left out: there is no device behind an IOMMU here.\n");
		return true;
	}
	s = demo_create_space();
	d = s ? vtd_domain_create(s, edu_id()) : NULL;
	ok = d && !edu_use(d) && show_domain(s, d);
	edu_use(NULL);
	if (d)
		vtd_domain_destroy(d);
	demo_destroy(s, NULL);
	return ok;
}
