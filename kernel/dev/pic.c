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
#define VECTOR_BASE 0x20

static void pic_set_up(uint16_t port, uint8_t vector, uint8_t cascade)
{
	arch_out8(port, ICW1_INIT);
	arch_out8(port + 1, vector);
	arch_out8(port + 1, cascade);
	arch_out8(port + 1, ICW4_8086);
	arch_out8(port + 1, 0xff); /* mask */
}

void pic_disable(void)
{
	pic_set_up(PIC1, VECTOR_BASE, 1 << 2); /* the second hangs on line 2 of the first */
	pic_set_up(PIC2, VECTOR_BASE + 8, 2);
}
