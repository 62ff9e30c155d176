/*
 * The debug-exit device, see debug_exit.h.
 */
#include <arch/cpu.h>
#include <dev/debug_exit.h>
#include <lib/printk.h>

void debug_exit(enum debug_exit_code code)
{
	arch_out8(DEBUG_EXIT_PORT, (uint8_t)code);
	printk("halted: there is no debug-exit device to leave through\n");
	for (;;) {
		arch_irq_disable();
		arch_halt();
	}
}
