/*
 * Two 8259 interrupt controllers, see pic.h. Firmware may leave them enabled and at vectors
 * that are the CPU's exceptions; even masked they can raise a spurious one.
 *
 * Locking: boot only. Talks to: arch (port I/O).
 */
#include <arch/cpu.h>
#include <dev/pic.h>

#define PIC1 0x20
#define PIC2 0xa0
#define ICW1_INIT 0x11 /* edge triggered, cascaded, ICW4 follows */
#define ICW4_8086 0x01
#define ICW4_AUTO_EOI 0x02
#define OCW3_POLL 0x0c /* the next read acknowledges and tells the line */
#define POLL_PENDING 0x80
#define POLL_LINE 0x07
#define LINE_TIMER 0
#define VECTOR_BASE 0x20

static void pic_set_up(uint16_t port, uint8_t vector, uint8_t cascade, uint8_t mask)
{
	arch_out8(port, ICW1_INIT);
	arch_out8(port + 1, vector);
	arch_out8(port + 1, cascade);
	arch_out8(port + 1, ICW4_8086 | ICW4_AUTO_EOI);
	arch_out8(port + 1, mask);
}

void pic_disable(void)
{
	pic_set_up(PIC1, VECTOR_BASE, 1 << 2, 0xff); /* the second hangs on line 2 of the first */
	pic_set_up(PIC2, VECTOR_BASE + 8, 2, 0xff);
}

void pic_enable_timer(void)
{
	pic_set_up(PIC1, VECTOR_BASE, 1 << 2, (uint8_t) ~(1 << LINE_TIMER));
}

bool pic_take_timer(void)
{
	uint8_t poll;

	arch_out8(PIC1, OCW3_POLL);
	poll = arch_in8(PIC1);
	return (poll & POLL_PENDING) && (poll & POLL_LINE) == LINE_TIMER;
}
