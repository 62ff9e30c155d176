/*
 * The last words of a machine that is refused: COM1, then QEMU's debug-exit device.
 */
#include <boot/boot.h>

#define COM1 0x3f8
#define COM1_DIVISOR_LOW (COM1 + 0) /* with DLAB */
#define COM1_INTERRUPTS (COM1 + 1)
#define COM1_LINE (COM1 + 3)
#define COM1_MODEM (COM1 + 4)
#define COM1_STATUS (COM1 + 5)
#define COM1_STATUS_EMPTY 0x20
#define COM1_SPINS_MAX 100000

#define DEBUG_EXIT 0xf4

void boot_console_init(void)
{
	boot_out8(COM1_LINE, 0x80); /* DLAB: the next two are the divisor, 1 for 115200 baud */
	boot_out8(COM1_DIVISOR_LOW, 1);
	boot_out8(COM1_INTERRUPTS, 0);
	boot_out8(COM1_LINE, 0x03); /* 8N1 */
	boot_out8(COM1_INTERRUPTS, 0);
	boot_out8(COM1_MODEM, 0x03);
}

/* A machine without COM1 must not hang here: the wait is bounded. */
static void print_byte(char byte)
{
	for (unsigned spins = 0; spins < COM1_SPINS_MAX; spins++) {
		if (boot_in8(COM1_STATUS) & COM1_STATUS_EMPTY)
			break;
		__asm__ volatile("pause");
	}
	boot_out8(COM1, (uint8_t)byte);
}

void boot_print(const char *text)
{
	for (; *text; text++) {
		if (*text == '\n')
			print_byte('\r');
		print_byte(*text);
	}
}

void boot_print_number(uint32_t number)
{
	char digits[11];
	char *at = digits + sizeof(digits) - 1;

	*at = '\0';
	do {
		*--at = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	boot_print(at);
}

void boot_leave(enum boot_refusal why)
{
	boot_out8(DEBUG_EXIT, (uint8_t)why);
	for (;;)
		__asm__ volatile("cli; hlt");
}
