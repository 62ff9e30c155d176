/*
 * Who may sleep, see preempt.h.
 */
#include <lib/preempt.h>
#include <lib/printk.h>

bool preempt_active;

#if PTOLEMY_TEST
void might_sleep_at(const struct lock_site *site)
{
	const struct cpu_local *local = cpu_local();

	if (local->irq_depth)
		assert_failed(site->file, site->line, "sleeping in an interrupt", local->irq_depth,
			      0);
	if (local->preempt_count)
		assert_failed(site->file, site->line,
			      "sleeping with preemption disabled (a spin lock is held?)",
			      local->preempt_count, 0);
	if (preempt_active && !arch_irq_enabled())
		assert_failed(site->file, site->line, "sleeping with interrupts disabled", 0, 0);
}
#endif
