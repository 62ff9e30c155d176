/* QEMU's e1000 as a DMA engine; see e1000.h. */
#include <arch/clock.h>
#include <dev/e1000.h>
#include <lib/preempt.h>
#include <lib/printk.h>
#include <mm/frame.h>
#include <mm/space.h>

#define E1000_VENDOR 0x8086
#define E1000_DEVICE 0x100e

#define REG_MDIC 0x0020 /* the way to the PHY's registers */
#define MDIC_WRITE (1u << 26)
#define MDIC_READY (1u << 28)
#define MDIC_REGISTER(n) ((n) << 16)
#define MDIC_PHY (1u << 21)
#define PHY_CONTROL 0
#define PHY_CONTROL_LOOPBACK 0x4000
#define REG_INTERRUPT_MASK_CLEAR 0x00d8
#define REG_RECEIVE 0x0100
#define RECEIVE_ENABLE (1u << 1)
#define RECEIVE_ALL (3u << 3 | 1u << 15) /* unicast, multicast, broadcast: whatever is in memory */
#define RECEIVE_LONG (1u << 5)
#define RECEIVE_BUFFER_4096 (3u << 16 | 1u << 25)
#define RECEIVE_STRIP_CRC (1u << 26)
#define REG_TRANSMIT 0x0400
#define TRANSMIT_ENABLE (1u << 1)
#define TRANSMIT_PAD (1u << 3)
#define REG_RECEIVE_RING 0x2800
#define REG_TRANSMIT_RING 0x3800
#define RING_ADDRESS 0x00 /* of either ring: in two halves, */
#define RING_ADDRESS_HIGH 0x04
#define RING_BYTES 0x08
#define RING_HEAD 0x10 /* where the device is, */
#define RING_TAIL 0x18 /* and what belongs to it ends */

#define RING_COUNT 8 /* the fewest that there can be; the first is used */

struct descriptor {
	uint64_t buffer;
	uint32_t command;
	uint32_t status; /* of one that was received: DONE is set */
};
_Static_assert(sizeof(struct descriptor) == 16, "by the manual");
#define SEND_WHOLE (1u << 24 | 1u << 25) /* end of packet; and append a checksum */
#define RECEIVED_DONE (1u << 0)

struct rings {
	struct descriptor send[RING_COUNT], receive[RING_COUNT];
};

#define PATIENCE_NS (10 * CLOCK_S) /* it is deaf for a second after it was switched on */

struct e1000_stats e1000_stats;

static struct {
	pci_id_t id;
	volatile char *registers;
	struct object *page; /* what the rings lie in */
	volatile struct rings *rings;
	struct vtd_domain *domain;
	va_t rings_va;
} card = { .id = PCI_NONE };

static uint32_t read32(unsigned offset)
{
	return *(volatile uint32_t *)(card.registers + offset);
}

static void write32(unsigned offset, uint32_t value)
{
	*(volatile uint32_t *)(card.registers + offset) = value;
}

/* ---- Switching on. ---- */

static bool loop_back(void)
{
	uint64_t end = clock_now() + CLOCK_S;

	write32(REG_MDIC,
		MDIC_WRITE | MDIC_PHY | MDIC_REGISTER(PHY_CONTROL) | PHY_CONTROL_LOOPBACK);
	while (!(read32(REG_MDIC) & MDIC_READY))
		if (clock_now() > end)
			return false;
	return true;
}

static bool make_rings(void)
{
	struct frame *f;

	card.page = object_create(1);
	f = card.page ? object_frame(card.page, 0) : NULL;
	if (!f)
		return false;
	card.rings = pa_to_ptr(frame_to_pa(f));
	return true;
}

bool e1000_init(void)
{
	pci_id_t id = pci_find(E1000_VENDOR, E1000_DEVICE, 0);
	uint64_t bytes;

	if (id == PCI_NONE || vtd_reserve(id))
		return false;
	card.registers = (volatile char *)pci_map_bar(id, 0, &bytes);
	if (!card.registers || !make_rings() || !loop_back())
		return false;
	write32(REG_INTERRUPT_MASK_CLEAR, ~0u);
	write32(REG_TRANSMIT, TRANSMIT_ENABLE | TRANSMIT_PAD);
	write32(REG_RECEIVE, RECEIVE_ENABLE | RECEIVE_ALL | RECEIVE_LONG | RECEIVE_BUFFER_4096 |
				     RECEIVE_STRIP_CRC);
	pci_set_master(id, true);
	card.id = id;
	printk("e1000: looped back, copies behind the IOMMU " PCI_ID_FORMAT "\n", PCI_ID_ARGS(id));
	return true;
}

pci_id_t e1000_id(void)
{
	return card.id;
}

/* ---- Whom it works for. ---- */

static void set_ring(unsigned ring, va_t address)
{
	write32(ring + RING_ADDRESS, (uint32_t)address);
	write32(ring + RING_ADDRESS_HIGH, (uint32_t)(address >> 32));
	write32(ring + RING_BYTES, sizeof(card.rings->send));
}

/* The page of the rings becomes one of the space; shared memory, so that no fork takes it away. */
static int map_rings(struct space *space, va_t va)
{
	return space_add_area(space, &(struct area_spec){ .start = va,
							  .end = va + PAGE_SIZE,
							  .kind = AREA_OBJECT,
							  .flags = AREA_SHARED | AREA_NOFORK,
							  .rights = PT_R | PT_W,
							  .object = card.page });
}

static void leave(void)
{
	if (!card.domain)
		return;
	vtd_detach(card.domain, card.id);
	space_unmap(card.domain->mirror->space, card.rings_va, card.rings_va + PAGE_SIZE);
	card.domain = NULL;
}

int e1000_use(struct vtd_domain *d, va_t rings)
{
	int err;

	leave();
	if (!d)
		return 0;
	err = map_rings(d->mirror->space, rings);
	if (err)
		return err;
	err = vtd_attach(d, card.id);
	if (err) {
		space_unmap(d->mirror->space, rings, rings + PAGE_SIZE);
		return err;
	}
	card.domain = d;
	card.rings_va = rings;
	set_ring(REG_TRANSMIT_RING, rings);
	set_ring(REG_RECEIVE_RING, rings + sizeof(card.rings->send));
	return 0;
}

/* ---- Copying. ---- */

/* Send one packet, and receive it. False: nothing has come back. */
static bool send(va_t to, va_t from, unsigned bytes)
{
	volatile struct descriptor *in = &card.rings->receive[0], *out = &card.rings->send[0];

	*in = (struct descriptor){ .buffer = to };
	*out = (struct descriptor){ .buffer = from, .command = SEND_WHOLE | bytes };
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	write32(REG_RECEIVE_RING + RING_HEAD, 0);
	write32(REG_RECEIVE_RING + RING_TAIL, 1);
	write32(REG_TRANSMIT_RING + RING_HEAD, 0);
	write32(REG_TRANSMIT_RING + RING_TAIL, 1);
	return in->status & RECEIVED_DONE;
}

/* Everything that the device will write to: the destination, and the rings. */
static int prepare(va_t to, unsigned bytes)
{
	int err = vtd_prepare_write(card.domain, card.rings_va, card.rings_va + PAGE_SIZE);

	return err ? err : vtd_prepare_write(card.domain, to, to + bytes);
}

int e1000_copy(va_t to, va_t from, unsigned bytes)
{
	uint64_t end = clock_now() + PATIENCE_NS;

	if (bytes < E1000_COPY_MIN || bytes > E1000_COPY_MAX)
		return -EINVAL;
	e1000_stats.copies++;
	do {
		int r = prepare(to, bytes);
		bool received = !r && send(to, from, bytes);

		if (!r)
			r = vtd_service_faults(card.domain, card.id);
		if (r < 0 || (r == 0 && received))
			return r;
		e1000_stats.repeats++;
		if (!r)
			preempt_yield();
	} while (clock_now() < end);
	return -EIO;
}
