/*
 * Threads, as far as the CPU knows them, see arch/thread.h.
 *
 * Between a thread's turns the six registers that calls preserve are on its stack, the rest is the
 * compiler's business. Interrupts are disabled on both sides of a switch.
 */
#include <arch/backtrace.h>
#include <arch/thread.h>

#include "percpu.h"

/* As thread_switch.S pushes and pops it. */
struct saved {
	uint64_t r15, r14, r13, r12, rbx, rbp, rip;
};

void thread_switch_stack(uint64_t *from_rsp, uint64_t to_rsp);
void thread_begin(void);

void arch_thread_init(struct arch_thread *t, void *stack_top, void (*entry)(void *), void *arg)
{
	struct saved *s = (struct saved *)((uint64_t)stack_top & ~15ull) - 1;

	*s = (struct saved){
		.rbx = (uint64_t)entry,
		.r12 = (uint64_t)arg,
		.rip = (uint64_t)thread_begin,
	};
	t->rsp = (uint64_t)s;
	t->rsp0 = 0;
	t->catches.count = 0;
}

void arch_thread_print(const struct arch_thread *t)
{
	const struct saved *s = (const struct saved *)t->rsp;

	backtrace_print(s->rbp);
}

void arch_thread_adopt(struct arch_thread *t)
{
	this_cpu()->local.thread = t;
	this_cpu()->catches = &t->catches;
}

void arch_thread_switch(struct arch_thread *from, struct arch_thread *to)
{
	struct cpu *cpu = this_cpu();

	from->rsp0 = cpu->tss.rsp[0];
	cpu->tss.rsp[0] = to->rsp0;
	arch_thread_adopt(to);
	thread_switch_stack(&from->rsp, to->rsp);
}
