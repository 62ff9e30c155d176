/*
 * The life of a thread, waiting and waking, see thread.h.
 *
 * A thread and its stack are one allocation: the stack grows down from the struct to a hole in the
 * address space. Who joins frees, and not before the thread's CPU has left that stack.
 */
#include <arch/clock.h>
#include <lib/preempt.h>
#include <lib/printk.h>
#include <lib/string.h>
#include <mm/kspace.h>
#include <proc/queue.h>

struct thread *thread_self(void)
{
	return LIST_ENTRY(CPU_LOCAL_READ(thread), struct thread, arch);
}

/* ---- Memory. ---- */

struct thread *thread_alloc(unsigned cpu, const char *name)
{
	va_t stack = kspace_alloc(THREAD_STACK_BYTES);
	struct thread *t;

	if (!stack)
		return NULL;
	t = (struct thread *)ALIGN_DOWN(stack + THREAD_STACK_BYTES - sizeof(*t), 64);
	t->stack = stack;
	t->cpu = cpu;
	ksnprintf(t->name, sizeof(t->name), "%s", name);
	list_init(&t->link);
	list_init(&t->cpu_link);
	return t;
}

void thread_free(struct thread *t)
{
	kspace_free(t->stack);
}

/* ---- Beginning and end. ---- */

struct thread *thread_create(unsigned cpu, void (*run)(void *arg), void *arg, const char *name)
{
	struct queue *q = queue_of(cpu);
	struct thread *t;
	uint64_t flags;

	ASSERT_OP(cpu, <, cpu_count());
	t = thread_alloc(cpu, name);
	if (!t)
		return NULL;
	t->run = run;
	t->arg = arg;
	arch_thread_init(&t->arch, t, sched_thread_start, t);
	flags = spin_lock_irq(&q->lock);
	list_add_before(&q->threads, &t->cpu_link);
	queue_wake(q, t);
	spin_unlock_irq(&q->lock, flags);
	return t;
}

void thread_check_end(const struct thread *t)
{
#if PTOLEMY_TEST
	ASSERT_EQ(t->context.held_count, 0u);
#endif
	ASSERT_EQ(CPU_LOCAL_READ(preempt_count), 0u);
	ASSERT(arch_irq_enabled());
	(void)t;
}

/* What has become of the thread. If it has not ended its end will unpark the caller. */
static enum thread_state ask_for_end(struct thread *t)
{
	struct queue *q = queue_of(t->cpu);
	uint64_t flags = spin_lock_irq(&q->lock);
	enum thread_state state = __atomic_load_n(&t->state, __ATOMIC_ACQUIRE);

	t->joiner = thread_self();
	spin_unlock_irq(&q->lock, flags);
	return state;
}

void thread_join(struct thread *t)
{
	enum thread_state state;

	ASSERT(t != thread_self());
	while ((state = ask_for_end(t)) != THREAD_DONE) {
		/* Once it has exited its CPU may be past looking for a joiner: it takes a moment
		 * only. */
		if (state == THREAD_EXITED)
			thread_yield();
		else
			thread_park(THREAD_FOREVER);
	}
	thread_free(t);
}

/* ---- Waiting and waking. ---- */

void thread_yield(void)
{
	might_sleep();
	arch_irq_disable();
	sched_switch();
	arch_irq_enable();
}

/* Returns false if the caller need not wait: it has been unparked before. */
static bool begin_park(struct queue *q, struct thread *t, uint64_t ns)
{
	bool waits;

	spin_lock(&q->lock);
	waits = !t->unpark_pending;
	t->unpark_pending = false;
	t->wake_at = ns == THREAD_FOREVER ? ns : clock_now() + ns;
	if (waits) {
		t->state = THREAD_PARKED;
		if (ns != THREAD_FOREVER)
			list_add_before(&q->sleeping, &t->link);
	}
	spin_unlock(&q->lock);
	return waits;
}

bool thread_park(uint64_t ns)
{
	struct thread *t = thread_self();

	might_sleep();
	arch_irq_disable();
	if (begin_park(queue_of(t->cpu), t, ns))
		sched_switch();
	arch_irq_enable();
	return t->wake_at != 0; /* cleared when the time was over */
}

void thread_unpark(struct thread *t)
{
	struct queue *q = queue_of(t->cpu);
	uint64_t flags = spin_lock_irq(&q->lock);

	if (t->state == THREAD_PARKED)
		queue_wake(q, t);
	else
		t->unpark_pending = true;
	spin_unlock_irq(&q->lock, flags);
}

void thread_sleep(uint64_t ns)
{
	uint64_t start = clock_now(), past;

	ASSERT(clock_tsc_hz);
	while ((past = clock_now() - start) < ns)
		thread_park(ns - past);
}
