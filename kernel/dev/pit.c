/*
 * The 8254, see pit.h. Channel 2's gate and output are bits of port 0x61.
 */
#include <arch/cpu.h>
#include <dev/pit.h>

#define PORT_CHANNEL_0 0x40
#define PORT_CHANNEL_2 0x42
#define PORT_MODE 0x43
#define PORT_GATE 0x61
#define MODE_CHANNEL_2_ONCE 0xb0     /* low byte, high byte, mode 0: output rises at the end */
#define MODE_CHANNEL_2_LATCH 0x80    /* the next two reads are its count, as it is now */
#define MODE_CHANNEL_0_PERIODIC 0x34 /* low byte, high byte, mode 2 */
#define GATE_OPEN 0x01
#define GATE_SPEAKER 0x02
#define GATE_OUTPUT 0x20

void pit_start(unsigned steps)
{
	uint8_t gate = arch_in8(PORT_GATE) & (uint8_t) ~(GATE_OPEN | GATE_SPEAKER);

	arch_out8(PORT_GATE, gate);
	arch_out8(PORT_MODE, MODE_CHANNEL_2_ONCE);
	arch_out8(PORT_CHANNEL_2, (uint8_t)steps);
	arch_out8(PORT_CHANNEL_2, (uint8_t)(steps >> 8));
	arch_out8(PORT_GATE, gate | GATE_OPEN);
}

bool pit_is_done(void)
{
	return arch_in8(PORT_GATE) & GATE_OUTPUT;
}

unsigned pit_steps_left(void)
{
	uint8_t low;

	arch_out8(PORT_MODE, MODE_CHANNEL_2_LATCH);
	low = arch_in8(PORT_CHANNEL_2);
	return low | (unsigned)arch_in8(PORT_CHANNEL_2) << 8;
}

void pit_start_periodic(void)
{
	arch_out8(PORT_MODE, MODE_CHANNEL_0_PERIODIC);
	arch_out8(PORT_CHANNEL_0, 0); /* 0 stands for 65536 */
	arch_out8(PORT_CHANNEL_0, 0);
}
