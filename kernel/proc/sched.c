/*
 * Who runs on a CPU. There is one thread: it runs, and nobody else is to be let.
 *
 * Talks to: lib/preempt, which declares it.
 */
#include <lib/preempt.h>

void preempt_schedule(void)
{
}

void preempt_yield(void)
{
	arch_pause();
}
