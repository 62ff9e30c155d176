/*
 * COM1, a 16550 UART, see serial.h. Polled: it must work before and inside traps.
 *
 * Its buffers stay as they are, on or off: switching them would throw away what somebody has typed
 * before the kernel was there to read it.
 */
#include <arch/cpu.h>
#include <dev/serial.h>

#define COM1 0x3f8
#define REG_DATA (COM1 + 0) /* divisor, low byte, while LCR_DIVISOR is set */
#define REG_IRQ (COM1 + 1)  /* divisor, high byte, while LCR_DIVISOR is set */
#define REG_LINE (COM1 + 3)
#define REG_MODEM (COM1 + 4)
#define REG_STATUS (COM1 + 5)
#define REG_SCRATCH (COM1 + 7)

#define LINE_8N1 0x03
#define LINE_DIVISOR 0x80
#define MODEM_DTR_RTS 0x03
#define STATUS_RECEIVED 0x01
#define STATUS_CAN_SEND 0x20
#define DIVISOR_115200 1

#define SEND_SPINS 100000 /* far more than a byte takes at this speed */

static bool serial_present;

void serial_init(void)
{
	arch_out8(REG_IRQ, 0);
	arch_out8(REG_LINE, LINE_DIVISOR);
	arch_out8(REG_DATA, DIVISOR_115200);
	arch_out8(REG_IRQ, 0);
	arch_out8(REG_LINE, LINE_8N1);
	arch_out8(REG_MODEM, MODEM_DTR_RTS);

	arch_out8(REG_SCRATCH, 0x5a);
	serial_present = arch_in8(REG_SCRATCH) == 0x5a;
}

static void send(char c)
{
	for (unsigned i = 0; i < SEND_SPINS; i++) {
		if (arch_in8(REG_STATUS) & STATUS_CAN_SEND)
			break;
		arch_pause();
	}
	arch_out8(REG_DATA, (uint8_t)c);
}

void serial_write(const char *text, size_t length)
{
	if (!serial_present)
		return;
	for (size_t i = 0; i < length; i++) {
		if (text[i] == '\n')
			send('\r');
		send(text[i]);
	}
}

int serial_read(void)
{
	if (!serial_present)
		return -1;
	while (!(arch_in8(REG_STATUS) & STATUS_RECEIVED))
		arch_pause();
	return arch_in8(REG_DATA);
}
