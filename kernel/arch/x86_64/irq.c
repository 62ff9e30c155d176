/*
 * Running interrupt handlers, see arch/irq.h.
 */
#include <arch/apic.h>
#include <arch/cpu.h>
#include <arch/irq.h>
#include <lib/preempt.h>
#include <lib/printk.h>

static irq_handler_t handlers[256];

void irq_set_handler(unsigned vector, irq_handler_t handler)
{
	ASSERT_OP(vector, <, ARRAY_SIZE(handlers));
	__atomic_store_n(&handlers[vector], handler, __ATOMIC_RELEASE);
}

unsigned irq_claim_vector(irq_handler_t handler)
{
	for (unsigned v = VECTOR_DEVICE_FIRST; v <= VECTOR_DEVICE_LAST; v++) {
		if (irq_is_claimed(v))
			continue;
		irq_set_handler(v, handler);
		return v;
	}
	return 0;
}

bool irq_is_claimed(unsigned vector)
{
	return __atomic_load_n(&handlers[vector], __ATOMIC_ACQUIRE) != NULL;
}

void irq_dispatch(unsigned vector)
{
	struct cpu_local *local = cpu_local();

	local->irq_depth++;
	handlers[vector](vector);
	if (vector != VECTOR_SPURIOUS)
		apic_eoi();
	local->irq_depth--;
	if (local->need_resched && !local->preempt_count && !local->irq_depth)
		preempt_schedule_irq();
}
