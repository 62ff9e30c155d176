/*
 * Scheduling, see sched.h.
 *
 * Invariants: a thread is in its CPU's ready list exactly if it is READY; the idle thread is in no
 * list and runs when that list is empty; a switch happens with interrupts disabled, preemption not
 * disabled, and no lock of the scheduler's held. Only its own CPU takes a thread off a queue, so
 * nobody else can run it between the queue and the switch.
 */
#include <arch/clock.h>
#include <arch/irq.h>
#include <arch/smp.h>
#include <lib/preempt.h>
#include <lib/printk.h>
#include <lib/string.h>
#include <mm/space.h>
#include <options.h>
#include <proc/queue.h>
#include <proc/watchdog.h>

static struct queue queues[CPU_MAX];
static struct thread boot_thread;
static uint64_t tick_ns = SCHED_TICK_NS;

struct queue *queue_of(unsigned cpu)
{
	return &queues[cpu];
}

static struct queue *this_queue(void)
{
	return &queues[cpu_index()];
}

/* ---- The timer. Interrupts are disabled. ---- */

static void set_alarm(struct queue *q, uint64_t now, uint64_t at)
{
	if (q->alarm_at && q->alarm_at <= at)
		return;
	q->alarm_at = at;
	clock_set_alarm(at > now ? at - now : 1);
}

/* Set it to the earliest of what this CPU has to wake up for. */
static void update_alarm(struct queue *q)
{
	uint64_t now = clock_now();
	const struct thread *t;

	if (!clock_tsc_hz)
		return;
	if (q->current != q->idle)
		set_alarm(q, now, now + READ_ONCE(tick_ns));
	list_for_each(t, &q->sleeping, link)
		set_alarm(q, now, t->wake_at);
}

/* ---- Switching. ---- */

static void make_ready(struct queue *q, struct thread *t)
{
	t->state = THREAD_READY;
	list_add_before(&q->ready, &t->link);
}

static struct thread *pick_next(struct queue *q)
{
	struct thread *prev = q->current, *next = q->idle;

	if (prev->state == THREAD_RUNNING && prev != q->idle)
		make_ready(q, prev);
	if (prev->state == THREAD_EXITED)
		q->exited = prev;
	if (!list_empty(&q->ready)) {
		next = LIST_ENTRY(q->ready.next, struct thread, link);
		list_remove(&next->link);
	}
	next->state = THREAD_RUNNING;
	q->current = next;
	q->switch_count += next != prev;
	return next;
}

/* The thread that this CPU has left for good: tell who waits for it, then touch it no more. */
static void bury(struct queue *q, struct thread *t)
{
	struct thread *joiner;

	spin_lock(&q->lock);
	joiner = t->joiner;
	list_remove(&t->cpu_link);
	spin_unlock(&q->lock);
	if (joiner)
		thread_unpark(joiner);
	__atomic_store_n(&t->state, THREAD_DONE, __ATOMIC_RELEASE);
}

/* Already on the stack of the thread that runs now, which may be a new one. */
static void finish_switch(void)
{
	struct queue *q = this_queue();
	struct thread *exited = q->exited;

	q->exited = NULL;
	if (exited)
		bury(q, exited);
}

static void switch_to(struct thread *prev, struct thread *next)
{
	prev->space = space_current();
	if (next->space != prev->space)
		space_switch(next->space);
	cpu_local()->context = &next->context;
	arch_thread_switch(&prev->arch, &next->arch);
	finish_switch();
}

void sched_switch(void)
{
	struct queue *q = this_queue();
	struct thread *prev = q->current, *next;

	spin_lock(&q->lock);
	cpu_local()->need_resched = 0;
	next = pick_next(q);
	update_alarm(q);
	spin_unlock(&q->lock);
	if (next != prev)
		switch_to(prev, next);
}

void sched_thread_start(void *thread)
{
	struct thread *t = thread;

	finish_switch();
	arch_irq_enable();
	t->run(t->arg);
	thread_check_end(t);
	arch_irq_disable();
	t->state = THREAD_EXITED;
	sched_switch();
	panic("thread %s runs after its end", t->name);
}

/* ---- Preemption. ---- */

void preempt_schedule_irq(void)
{
	if (!preempt_active)
		return;
	this_queue()->preempt_count++;
	sched_switch();
}

void preempt_schedule(void)
{
	const struct cpu_local *local = cpu_local();

	if (!preempt_active || local->preempt_count || local->irq_depth || !arch_irq_enabled())
		return;
	arch_irq_disable();
	sched_switch();
	arch_irq_enable();
}

void preempt_rest(void)
{
	if (!options.idle_poll) {
		arch_irq_enable_and_halt();
		return;
	}
	arch_irq_enable();
	arch_pause();
}

/* Where there are no threads, or the caller may not be interrupted, there is nobody to wait for. */
void preempt_wait(unsigned round)
{
	arch_pause();
	if (!preempt_active || !arch_irq_enabled())
		return;
	might_sleep();
	arch_irq_disable();
	if (!list_empty(&this_queue()->ready))
		sched_switch();
	else if (round >= PREEMPT_WAIT_ROUNDS &&
		 !__atomic_exchange_n(&this_queue()->kicked, 0, __ATOMIC_ACQUIRE))
		preempt_rest();
	arch_irq_enable();
}

/* The note is for a CPU that has handled the interrupt and is about to halt. */
void preempt_kick(unsigned cpu)
{
	if (cpu == cpu_index())
		return;
	__atomic_store_n(&queues[cpu].kicked, 1, __ATOMIC_RELEASE);
	smp_send_reschedule(cpu);
}

/* ---- Waking. ---- */

void queue_wake(struct queue *q, struct thread *t)
{
	list_remove(&t->link);
	make_ready(q, t);
	if (q->current != q->idle)
		return;
	if (t->cpu == cpu_index())
		cpu_local()->need_resched = 1;
	else
		smp_send_reschedule(t->cpu);
}

/* Those whose time has come can tell by their wake_at. */
static void wake_sleepers(struct queue *q, uint64_t now)
{
	struct thread *t, *next;

	list_for_each_safe(t, next, &q->sleeping, link) {
		if (t->wake_at > now)
			continue;
		t->wake_at = 0;
		queue_wake(q, t);
	}
}

static void tick(unsigned vector)
{
	struct queue *q = this_queue();

	(void)vector;
	spin_lock(&q->lock);
	q->tick_count++;
	q->alarm_at = 0;
	wake_sleepers(q, clock_now());
	if (!list_empty(&q->ready))
		cpu_local()->need_resched = 1;
	update_alarm(q);
	spin_unlock(&q->lock);
	watchdog_look();
}

/* Another CPU has put something into this one's queue, or wants it to look at its alarm. */
static void reschedule(unsigned vector)
{
	(void)vector;
	cpu_local()->need_resched = 1;
}

/* ---- CPUs. ---- */

static void idle_loop(void *arg)
{
	(void)arg;
	for (;;) {
		arch_irq_disable();
		if (list_empty(&this_queue()->ready))
			preempt_rest();
		else
			sched_switch();
		arch_irq_enable();
	}
}

static void init_queue(struct queue *q, struct thread *current, struct thread *idle)
{
	spin_init(&q->lock, LOCK_RUN_QUEUE);
	list_init(&q->ready);
	list_init(&q->sleeping);
	list_init(&q->threads);
	list_add_before(&q->threads, &current->cpu_link);
	q->current = current;
	q->idle = idle;
	current->state = THREAD_RUNNING;
	cpu_local()->context = &current->context;
	arch_thread_adopt(&current->arch);
}

void sched_init(void)
{
	struct thread *idle = thread_alloc(0, "idle");

	if (!idle)
		panic("no memory for the idle thread");
	idle->run = idle_loop;
	arch_thread_init(&idle->arch, idle, sched_thread_start, idle);
	memcpy(boot_thread.name, "boot", sizeof("boot"));
	list_init(&boot_thread.link);
	init_queue(&queues[0], &boot_thread, idle);
	list_add_before(&queues[0].threads, &idle->cpu_link);
	irq_set_handler(VECTOR_TIMER, tick);
	irq_set_handler(VECTOR_RESCHEDULE, reschedule);
	preempt_active = true;
	update_alarm(&queues[0]);
	arch_irq_enable();
}

void sched_start_cpu(struct thread *idle)
{
	init_queue(this_queue(), idle, idle);
	smp_set_online();
	idle_loop(NULL);
	__builtin_unreachable();
}

void sched_print_running(void)
{
	struct sched_stats stats = sched_stats(cpu_index());

	printk("thread %s, %lu ticks, %lu switches", stats.thread->name, stats.tick_count,
	       stats.switch_count);
}

static void print_waiting(const struct queue *q, const struct thread *t)
{
	static const char *const state_name[] = {
		[THREAD_READY] = "ready",   [THREAD_RUNNING] = "running",
		[THREAD_PARKED] = "parked", [THREAD_EXITED] = "exited",
		[THREAD_DONE] = "done",
	};

	if (t == q->current || t == q->idle)
		return;
	printk("CPU %u: thread %s, %s\n", t->cpu, t->name, state_name[t->state]);
	lock_print_held(&t->context, "  ");
	arch_thread_print(&t->arch);
}

void sched_print_waiting(void)
{
	const struct thread *t;

	for (unsigned cpu = 0; cpu < cpu_count(); cpu++)
		list_for_each(t, &queues[cpu].threads, cpu_link)
			print_waiting(&queues[cpu], t);
}

void sched_set_tick(uint64_t ns)
{
	WRITE_ONCE(tick_ns, ns);
}

struct sched_stats sched_stats(unsigned cpu)
{
	const struct queue *q = &queues[cpu];

	return (struct sched_stats){
		.thread = READ_ONCE(q->current),
		.idle = READ_ONCE(q->current) == READ_ONCE(q->idle),
		.tick_count = READ_ONCE(q->tick_count),
		.switch_count = READ_ONCE(q->switch_count),
		.preempt_count = READ_ONCE(q->preempt_count),
	};
}
