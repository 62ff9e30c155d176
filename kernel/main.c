/*
 * The boot order. So far: say that the kernel runs.
 */
#include <lib/compiler.h>

void kernel_main(uint32_t magic, uint64_t info_pa) NORETURN;

static void print(const char *text)
{
	for (; *text; text++)
		__asm__ volatile("outb %0, %1" : : "a"(*text), "Nd"((uint16_t)0x3f8));
}

void kernel_main(uint32_t magic, uint64_t info_pa)
{
	(void)magic;
	(void)info_pa;
	print("\r\nPtolemy\r\n");
	for (;;)
		__asm__ volatile("cli; hlt");
}
