/*
 * VT-d units: finding them, switching them on, and their invalidation queues. See vtd.h.
 *
 * Invalidations are queued: descriptors in a page of memory, with one at the end that has the
 * unit store a number, which is waited for. A unit without a queue (all since 2008 have one) is
 * left alone.
 */
#include <arch/mmu.h>
#include <dev/acpi.h>
#include <dev/vtd_caps.h>
#include <dev/vtd_unit.h>
#include <lib/printk.h>
#include <lib/string.h>
#include <mm/kspace.h>

#define REGISTER_BYTES PAGE_SIZE
#define PATIENCE 100000000 /* polls; a unit that takes longer has died */

struct vtd_unit vtd_unit[VTD_UNITS_MAX];
unsigned vtd_unit_count;
static struct dmar dmar;

/* ---- The queue. ---- */

static void queue_add(struct vtd_unit *u, struct vtd_entry e)
{
	u->queue[u->tail] = e;
	u->tail = (u->tail + 1) % VTD_QUEUE_ENTRIES;
}

void vtd_invalidate(struct vtd_unit *u, struct vtd_entry first, struct vtd_entry second)
{
	pa_t waited = ptr_to_pa((void *)u->waited);
	unsigned patience = PATIENCE;

	queue_add(u, first);
	if (second.low)
		queue_add(u, second);
	u->wait_value++;
	queue_add(u, (struct vtd_entry){ VTD_INVALIDATE_WAIT | VTD_WAIT_STORE |
						 VTD_WAIT_VALUE(u->wait_value),
					 waited.value });
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* entries and descriptors before the unit looks */
	vtd_write64(u, VTD_REG_QUEUE_TAIL, u->tail * sizeof(struct vtd_entry));
	while (__atomic_load_n(u->waited, __ATOMIC_ACQUIRE) != u->wait_value) {
		if ((vtd_read32(u, VTD_REG_FAULT_STATUS) & VTD_FAULT_QUEUE) || !--patience)
			panic("IOMMU %#lx does not invalidate: fault status %#x", u->pa.value,
			      vtd_read32(u, VTD_REG_FAULT_STATUS));
		arch_pause();
	}
}

/* ---- Switching on. ---- */

static void command(struct vtd_unit *u, uint32_t bit)
{
	uint32_t kept = vtd_read32(u, VTD_REG_STATUS) & VTD_COMMAND_KEPT;
	unsigned patience = PATIENCE;

	vtd_write32(u, VTD_REG_COMMAND, kept | bit);
	while (!(vtd_read32(u, VTD_REG_STATUS) & bit)) {
		if (!--patience)
			panic("IOMMU %#lx does not obey command %#x", u->pa.value, bit);
		arch_pause();
	}
}

/* A zeroed page that the unit reads or writes. */
static void *page_for_unit(void)
{
	struct frame *f = frame_alloc_zeroed(0, FRAME_KERNEL);

	return f ? pa_to_ptr(frame_to_pa(f)) : NULL;
}

static void forget_everything(struct vtd_unit *u)
{
	struct vtd_entry context = { VTD_INVALIDATE_CONTEXT | VTD_GRANULE_GLOBAL, 0 };
	struct vtd_entry pages = { VTD_INVALIDATE_IOTLB | VTD_GRANULE_GLOBAL | VTD_DRAIN, 0 };

	spin_lock(&u->lock);
	vtd_invalidate(u, context, pages);
	spin_unlock(&u->lock);
}

static bool start(struct vtd_unit *u)
{
	char *status = page_for_unit();

	u->root = page_for_unit();
	u->queue = page_for_unit();
	if (!status || !u->root || !u->queue)
		return false;
	u->waited = (uint32_t *)status;
	vtd_write64(u, VTD_REG_ROOT, ptr_to_pa(u->root).value);
	command(u, VTD_SET_ROOT);
	vtd_write64(u, VTD_REG_QUEUE_TAIL, 0);
	vtd_write64(u, VTD_REG_QUEUE_ADDRESS, ptr_to_pa(u->queue).value);
	command(u, VTD_QUEUE);
	forget_everything(u);
	vtd_start_faults(u);
	command(u, VTD_TRANSLATE);
	return true;
}

/* ---- Finding. ---- */

/* The most levels of those that the unit offers and the format knows; 0: none. */
static unsigned deepest(uint64_t cap)
{
	for (unsigned levels = 5; levels >= 3; levels--)
		if (VTD_CAP_DEPTHS(cap) >> (levels - 2) & 1)
			return levels;
	return 0;
}

/* Why the unit cannot be used, or NULL. */
static const char *check(const struct vtd_unit *u)
{
	if (vtd_read32(u, VTD_REG_VERSION) == ~0u)
		return "nobody answers";
	if (!VTD_ECAP_QUEUE(u->ecap))
		return "it has no invalidation queue";
	if (VTD_CAP_CACHES_ABSENT(u->cap))
		return "it remembers what is absent";
	if (!deepest(u->cap))
		return "it has no table depth that we know";
	if (vtd_read32(u, VTD_REG_STATUS) & VTD_TRANSLATE)
		return "somebody uses it already";
	return NULL;
}

/* All tables are in one format, so what any unit lacks none has. */
static void narrow_caps(const struct vtd_unit *u)
{
	unsigned bits = arch_mmu.pa_bits < dmar.address_bits ? arch_mmu.pa_bits : dmar.address_bits;
	unsigned levels = 1 | VTD_CAP_LARGE(u->cap) << 1;

	if (!(levels & 2)) /* leaves are legal up to some level */
		levels = 1;
	vtd_caps.pa_limit = 1ull << bits;
	vtd_caps.leaf_levels &= levels;
}

static void add_unit(const struct dmar_unit *found)
{
	struct vtd_unit *u = &vtd_unit[vtd_unit_count];
	va_t registers = kspace_map_device(found->registers, REGISTER_BYTES);
	const char *wrong = "no room for its registers";

	if (registers) {
		*u = (struct vtd_unit){ .pa = found->registers,
					.registers = (volatile char *)registers,
					.lock = SPINLOCK_INIT(LOCK_IOMMU),
					.fault_lock = SPINLOCK_INIT(LOCK_IOMMU_FAULTS) };
		u->cap = vtd_read64(u, VTD_REG_CAP);
		u->ecap = vtd_read64(u, VTD_REG_ECAP);
		u->level_count = deepest(u->cap);
		u->domains[0] = 1;
		wrong = check(u);
	}
	if (!wrong && !start(u))
		wrong = "no memory";
	if (wrong) {
		printk("IOMMU at %#lx left alone: %s\n", found->registers.value, wrong);
		return;
	}
	narrow_caps(u);
	vtd_unit_count++;
	printk("IOMMU at %#lx: %u levels of tables, %u domains, queued invalidation\n", u->pa.value,
	       u->level_count, VTD_CAP_DOMAINS(u->cap));
}

unsigned vtd_init(void)
{
	const struct acpi_header *table = acpi_map_table("DMAR", 0);

	if (table) {
		if (dmar_parse(table, table->bytes, &dmar))
			printk("ACPI DMAR: unsound\n");
		for (unsigned i = 0; i < dmar.unit_count; i++)
			if (!dmar.unit[i].segment)
				add_unit(&dmar.unit[i]);
		acpi_unmap_table(table);
	}
	if (!vtd_unit_count)
		printk("no IOMMU: devices that follow a space are there in software only\n");
	return vtd_unit_count;
}

struct vtd_unit *vtd_find_unit(pci_id_t device)
{
	int i = dmar_find_unit(&dmar, device);

	for (unsigned n = 0; i >= 0 && n < vtd_unit_count; n++)
		if (pa_equal(vtd_unit[n].pa, dmar.unit[i].registers))
			return &vtd_unit[n];
	return NULL;
}

bool vtd_get_stats(unsigned unit, struct vtd_stats *out)
{
	struct vtd_unit *u = &vtd_unit[unit];
	uint64_t flags;

	if (unit >= vtd_unit_count)
		return false;
	spin_lock(&u->lock);
	*out = u->stats;
	spin_unlock(&u->lock);
	out->registers = u->pa;
	out->address_bits = 12 + 9 * u->level_count;
	out->level_count = u->level_count;
	flags = spin_lock_irq(&u->fault_lock);
	out->faults = u->fault_total;
	out->fault_interrupts = u->fault_interrupts;
	out->lost_faults = u->lost_faults;
	spin_unlock_irq(&u->fault_lock, flags);
	return true;
}
