/* QEMU's edu device; see edu.h. */
#include <arch/apic.h>
#include <arch/clock.h>
#include <arch/irq.h>
#include <dev/edu.h>
#include <lib/printk.h>
#include <proc/thread.h>

#define EDU_VENDOR 0x1234
#define EDU_DEVICE 0x11e8

#define REG_ID 0x00
#define ID_MAGIC 0xedu
#define REG_IRQ_STATUS 0x24
#define REG_IRQ_DONE 0x64
#define REG_SOURCE 0x80
#define REG_TARGET 0x88
#define REG_COUNT 0x90
#define REG_COMMAND 0x98
#define COMMAND_START 0x1
#define COMMAND_TO_MEMORY 0x2
#define COMMAND_INTERRUPT 0x4
#define BUFFER 0x40000

#define PATIENCE_NS (5 * CLOCK_S)
#define REPEATS_MAX 16 /* more than a transfer has pages, several times over */

struct edu_stats edu_stats;

static struct {
	pci_id_t id;
	volatile char *registers;
	bool has_msi;
	struct vtd_domain *domain;
	struct thread *waiter; /* whom the interrupt wakes */
} edu = { .id = PCI_NONE };

static uint32_t read32(unsigned offset)
{
	return *(volatile uint32_t *)(edu.registers + offset);
}

static void write32(unsigned offset, uint32_t value)
{
	*(volatile uint32_t *)(edu.registers + offset) = value;
}

/* One store: the device forgets the upper half of an address that comes in two. */
static void write64(unsigned offset, uint64_t value)
{
	*(volatile uint64_t *)(edu.registers + offset) = value;
}

static void edu_interrupt(unsigned vector)
{
	struct thread *waiter = __atomic_load_n(&edu.waiter, __ATOMIC_ACQUIRE);

	(void)vector;
	write32(REG_IRQ_DONE, read32(REG_IRQ_STATUS));
	edu_stats.interrupts++;
	if (waiter)
		thread_unpark(waiter);
}

bool edu_init(void)
{
	pci_id_t id = pci_find(EDU_VENDOR, EDU_DEVICE, 0);
	unsigned vector;
	uint64_t bytes;

	if (id == PCI_NONE || vtd_reserve(id))
		return false;
	edu.registers = (volatile char *)pci_map_bar(id, 0, &bytes);
	if (!edu.registers || bytes < BUFFER || (read32(REG_ID) & 0xff) != ID_MAGIC)
		return false;
	edu.id = id;
	vector = apic_is_present() ? irq_claim_vector(edu_interrupt) : 0;
	edu.has_msi = vector && pci_set_msi(id, vector, apic_id());
	pci_set_master(id, true);
	printk("edu: DMA engine " PCI_ID_FORMAT " behind the IOMMU\n", PCI_ID_ARGS(id));
	return true;
}

pci_id_t edu_id(void)
{
	return edu.id;
}

int edu_use(struct vtd_domain *d)
{
	int err = 0;

	if (edu.domain)
		vtd_detach(edu.domain, edu.id);
	edu.domain = NULL;
	if (d)
		err = vtd_attach(d, edu.id);
	if (d && !err)
		edu.domain = d;
	return err;
}

static bool is_busy(void)
{
	return read32(REG_COMMAND) & COMMAND_START;
}

/* Sleep until the interrupt; without one, look from time to time. */
static int wait_until_done(void)
{
	uint64_t end = clock_now() + PATIENCE_NS;

	while (is_busy()) {
		if (clock_now() > end)
			return -EIO;
		thread_park(edu.has_msi ? PATIENCE_NS : CLOCK_MS);
	}
	return 0;
}

int edu_transfer(va_t va, unsigned offset, unsigned bytes, enum edu_direction direction)
{
	bool out = direction == EDU_TO_MEMORY;
	int err;

	if (bytes > EDU_BUFFER_BYTES || offset > EDU_BUFFER_BYTES - bytes)
		return -EINVAL;
	__atomic_store_n(&edu.waiter, thread_self(), __ATOMIC_RELEASE);
	write64(REG_SOURCE, out ? BUFFER + offset : va);
	write64(REG_TARGET, out ? va : BUFFER + offset);
	write64(REG_COUNT, bytes);
	write32(REG_COMMAND, COMMAND_START | (out ? COMMAND_TO_MEMORY : 0) |
				     (edu.has_msi ? COMMAND_INTERRUPT : 0));
	edu_stats.transfers++;
	err = wait_until_done();
	__atomic_store_n(&edu.waiter, NULL, __ATOMIC_RELEASE);
	return err;
}

int edu_move(va_t va, unsigned offset, unsigned bytes, enum edu_direction direction)
{
	for (unsigned i = 0; i < REPEATS_MAX; i++) {
		int r = direction == EDU_TO_MEMORY ? vtd_prepare_write(edu.domain, va, va + bytes)
						   : 0;

		if (!r)
			r = edu_transfer(va, offset, bytes, direction);
		if (!r)
			r = vtd_service_faults(edu.domain, edu.id);
		if (r <= 0)
			return r;
		edu_stats.repeats++;
	}
	return -EIO;
}
