/*
 * What VT-d units have refused: from their registers into a list, by interrupt and by asking.
 *
 * A unit has few records, and merges or drops faults until they are cleared; so the handler
 * empties them at once. Whoever asks empties them, too, and need not wait for the interrupt.
 */
#include <arch/apic.h>
#include <arch/irq.h>
#include <dev/msi.h>
#include <dev/vtd_unit.h>
#include <lib/printk.h>
#include <mm/frame.h>

static void note_fault(struct vtd_unit *u, uint64_t low, uint64_t high)
{
	u->fault_total++;
	if (u->fault_count == VTD_FAULTS_MAX) {
		u->lost_faults++;
		return;
	}
	u->fault[u->fault_count++] = (struct vtd_fault){
		.page = low & VTD_RECORD_PAGE,
		.device = (pci_id_t)VTD_RECORD_SOURCE(high),
		.write = !(high & VTD_RECORD_READ),
		.reason = (uint8_t)VTD_RECORD_REASON(high),
	};
}

/* Empty the unit's records. Under fault_lock. */
static void collect(struct vtd_unit *u)
{
	uint32_t status = vtd_read32(u, VTD_REG_FAULT_STATUS);

	for (unsigned i = 0; i < VTD_CAP_FAULT_COUNT(u->cap); i++) {
		unsigned offset = VTD_CAP_FAULT_OFFSET(u->cap) + i * VTD_RECORD_BYTES;
		uint64_t high = vtd_read64(u, offset + 8);

		if (!(high & VTD_RECORD_VALID))
			continue;
		note_fault(u, vtd_read64(u, offset), high);
		vtd_write64(u, offset + 8, VTD_RECORD_VALID);
	}
	if (status & VTD_FAULT_OVERFLOW) {
		u->lost_faults++;
		vtd_write32(u, VTD_REG_FAULT_STATUS, VTD_FAULT_OVERFLOW);
	}
}

static void fault_interrupt(unsigned vector)
{
	(void)vector;
	for (unsigned i = 0; i < vtd_unit_count; i++) {
		struct vtd_unit *u = &vtd_unit[i];

		spin_lock(&u->fault_lock);
		u->fault_interrupts++;
		collect(u);
		spin_unlock(&u->fault_lock);
	}
}

void vtd_start_faults(struct vtd_unit *u)
{
	static unsigned vector;
	uint64_t flags;

	if (!vector && apic_is_present())
		vector = irq_claim_vector(fault_interrupt);
	flags = spin_lock_irq(&u->fault_lock);
	collect(u); /* what firmware has left */
	u->fault_count = 0;
	u->fault_total = u->lost_faults = 0;
	spin_unlock_irq(&u->fault_lock, flags);
	if (!vector)
		return;
	vtd_write32(u, VTD_REG_FAULT_DATA, msi_data(vector));
	vtd_write32(u, VTD_REG_FAULT_ADDRESS, msi_address(apic_id()));
	vtd_write32(u, VTD_REG_FAULT_ADDRESS_HIGH, 0);
	vtd_write32(u, VTD_REG_FAULT_CONTROL, 0);
}

/* Under fault_lock: the oldest of the device, taken out of the list. */
static bool take(struct vtd_unit *u, pci_id_t device, struct vtd_fault *fault)
{
	unsigned i = 0;

	while (i < u->fault_count && u->fault[i].device != device)
		i++;
	if (i == u->fault_count)
		return false;
	*fault = u->fault[i];
	u->fault_count--;
	for (; i < u->fault_count; i++)
		u->fault[i] = u->fault[i + 1];
	return true;
}

bool vtd_take_fault(pci_id_t device, struct vtd_fault *fault)
{
	struct vtd_unit *u = vtd_find_unit(device);
	uint64_t flags;
	bool found;

	if (!u)
		return false;
	flags = spin_lock_irq(&u->fault_lock);
	collect(u);
	found = take(u, device, fault);
	spin_unlock_irq(&u->fault_lock, flags);
	return found;
}

int vtd_service_faults(struct vtd_domain *d, pci_id_t device)
{
	struct vtd_fault f;
	int count = 0, err = 0;

	while (vtd_take_fault(device, &f)) {
		bool known = f.reason == VTD_REASON_WRITE || f.reason == VTD_REASON_READ;
		int r = known ? mirror_fault(d->mirror, f.page, f.page + PAGE_SIZE,
					     f.write ? PT_R | PT_W : PT_R)
			      : -EIO;

		count++;
		if (!err && r != -EAGAIN) /* a section is open there: the next round tells */
			err = r;
	}
	return err ? err : count;
}

int vtd_prepare_write(struct vtd_domain *d, va_t start, va_t end)
{
	for (va_t page = ALIGN_DOWN(start, PAGE_SIZE); page < end; page += PAGE_SIZE) {
		struct pt_span span = mirror_translate(d->mirror, page);
		int err = 0;

		if (span.kind == PT_LEAF && !(span.attr & PT_W))
			err = mirror_fault(d->mirror, page, page + PAGE_SIZE, PT_R | PT_W);
		if (err && err != -EAGAIN)
			return err;
	}
	return 0;
}
