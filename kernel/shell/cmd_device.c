/*
 * Commands for the device, its IOMMU, and mirrors. Talks to: dev/edu, dev/vtd, mm/mirror.
 */
#include <dev/edu.h>
#include <dev/vtd_table.h>
#include <lib/printk.h>
#include <lib/spinlock.h>
#include <lib/string.h>
#include <shell/device.h>
#include <shell/dump.h>
#include <shell/kinds.h>
#include <shell/scratch.h>
#include <shell/shell.h>

static struct vtd_domain *domain; /* that the device works in; NULL: none */

static bool leave(void)
{
	if (!domain)
		return true;
	edu_use(NULL);
	vtd_domain_destroy(domain);
	domain = NULL;
	return true;
}

void device_forget(const struct space *s)
{
	if (domain && domain->mirror->space == s)
		leave();
}

static bool use(struct space *s)
{
	int err;

	leave();
	domain = vtd_domain_create(s, edu_id());
	if (!domain)
		return shell_say_error("dma", -ENOMEM);
	err = edu_use(domain);
	if (err)
		leave();
	return shell_say_error("dma", err);
}

static void print_state(void)
{
	if (domain)
		printk("the device " PCI_ID_FORMAT
		       " works in %s; its table at %#lx has %u levels\n",
		       PCI_ID_ARGS(edu_id()), scratch_name(domain->mirror->space),
		       domain->mirror->root.top.pa.value, domain->mirror->root.top.level + 1);
	else
		printk("the device " PCI_ID_FORMAT " works nowhere, and reaches nothing\n",
		       PCI_ID_ARGS(edu_id()));
}

/* One transfer; what is refused stays refused. */
static bool try_once(va_t va, enum edu_direction direction)
{
	struct vtd_fault fault;
	int err = edu_transfer(va, 0, sizeof(uint64_t), direction);

	if (err)
		return shell_say_error("dma", err);
	if (!vtd_take_fault(edu_id(), &fault)) {
		printk("the IOMMU let it through\n");
		return true;
	}
	printk("the IOMMU refused a %s at %#lx, reason %u\n", fault.write ? "write" : "read",
	       fault.page, fault.reason);
	return true;
}

static bool copy(va_t from, va_t to, uint64_t bytes)
{
	uint64_t repeats = edu_stats.repeats;
	int err;

	if (bytes > EDU_BUFFER_BYTES) {
		printk("dma: at most %d bytes\n", EDU_BUFFER_BYTES);
		return false;
	}
	err = edu_move(from, 0, (unsigned)bytes, EDU_FROM_MEMORY);
	if (!err)
		err = edu_move(to, 0, (unsigned)bytes, EDU_TO_MEMORY);
	if (!err)
		printk("copied; %lu transfers were refused, serviced and repeated\n",
		       edu_stats.repeats - repeats);
	return shell_say_error("dma", err);
}

SHELL_COMMAND(dma, "devices",
	      "dma | dma use <scratch> | dma off | dma pt <va> | dma try <va> [read|write] |"
	      " dma copy <va> <va> [<bytes>]",
	      "have a device work in a space: walk its table, make it read, write, copy")
{
	const char *verb = argc > 1 ? argv[1] : "";

	if (edu_id() == PCI_NONE) {
		printk("dma: there is no device behind an IOMMU here\n");
		return false;
	}
	if (!strcmp(verb, "use"))
		return use(scratch_find(argv[2]));
	if (!strcmp(verb, "off"))
		return leave();
	if (argc == 1 || !domain) {
		print_state();
		return argc == 1;
	}
	if (!strcmp(verb, "pt"))
		dump_vtd_walk(domain->mirror, arg_number(argv[2]));
	else if (!strcmp(verb, "try"))
		return try_once(arg_number(argv[2]), argc > 3 && !strcmp(argv[3], "write")
							     ? EDU_TO_MEMORY
							     : EDU_FROM_MEMORY);
	else
		return copy(arg_number(argv[2]), arg_number(argv[3]),
			    argc > 4 ? arg_bytes(argv[4]) : sizeof(uint64_t));
	return true;
}

SHELL_COMMAND(iommu, "devices", "iommu", "the IOMMUs, and what they have done")
{
	struct vtd_stats s;
	unsigned unit = 0;

	for (; vtd_get_stats(unit, &s); unit++)
		printk("unit %u at %#lx: %u levels, %u-bit addresses, %u domains\n"
		       "  flushed: %lu times pages, %lu domains, %lu contexts\n"
		       "  faults: %lu in %lu interrupts, %lu lost\n",
		       unit, s.registers.value, s.level_count, s.address_bits, s.domain_count,
		       s.page_flushes, s.domain_flushes, s.context_flushes, s.faults,
		       s.fault_interrupts, s.lost_faults);
	if (!unit)
		printk("there is no IOMMU here\n");
	return true;
}

static void print_mirror(struct mirror *m)
{
	const struct mirror_stats *s = &m->stats;
	const char *name = m->space ? scratch_name(m->space) : "(gone)";
	uint64_t leaf[PT_LEVEL_MAX], tables = 0;

	mirror_count(m, leaf);
	for (unsigned level = 0; level < PT_LEVEL_MAX; level++)
		tables += m->owner.table_count[level];
	printk("mirror of %s: %u levels, top table %#lx, %lu tables, leaves %lu / %lu / %lu\n"
	       "  filled %lu, upgraded %lu, dropped %lu; asked the space %lu times, %lu again\n"
	       "  %lu invalidations, %lu refused; %lu flushes\n",
	       name ? name : "?", m->root.top.level + 1, m->root.top.pa.value, tables, leaf[0],
	       leaf[1], leaf[2], s->filled_leaves, s->upgraded_leaves, s->dropped_leaves,
	       s->fault_count, s->retry_count, s->invalidate_count, s->refused_count,
	       s->flush_count);
}

SHELL_COMMAND(mirror, "devices", "mirror [json]",
	      "the tables that follow a space, and what they have done; or every table of them")
{
	struct mirror *m;

	spin_lock(&mirror_list_lock);
	list_for_each(m, &mirror_list, link) {
		if (argc == 1)
			print_mirror(m);
		else if (m->format == &vtd_mirror_format)
			dump_vtd_json(&m->root);
	}
	spin_unlock(&mirror_list_lock);
	return true;
}
