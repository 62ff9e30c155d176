/*
 * Threads for tests, see workers.h. A gate holds them back until all are there.
 */
#include <lib/preempt.h>
#include <lib/printk.h>
#include <proc/thread.h>
#include <tests/kernel/workers.h>

#define GATE_CLOSED 0
#define GATE_OPEN 1
#define GATE_CALLED_OFF 2

static struct worker workers[WORKERS_MAX];
static void (*work)(struct worker *w);
static uint32_t gate;

static void run_worker(void *arg)
{
	uint32_t seen;

	for (unsigned i = 0; (seen = __atomic_load_n(&gate, __ATOMIC_ACQUIRE)) == GATE_CLOSED; i++)
		preempt_wait(i);
	if (seen == GATE_OPEN)
		work(arg);
}

static unsigned create_all(unsigned count, void *arg)
{
	char name[THREAD_NAME_BYTES];

	for (unsigned i = 0; i < count; i++) {
		workers[i] = (struct worker){ .number = i, .count = count, .arg = arg };
		ksnprintf(name, sizeof(name), "worker %u", i);
		workers[i].thread = thread_create(i % cpu_count(), run_worker, &workers[i], name);
		if (!workers[i].thread)
			return i;
	}
	return count;
}

bool workers_run(unsigned count, void (*fn)(struct worker *w), void *arg)
{
	unsigned created;

	ASSERT_OP(count, <=, WORKERS_MAX);
	work = fn;
	__atomic_store_n(&gate, GATE_CLOSED, __ATOMIC_RELEASE);
	created = create_all(count, arg);
	__atomic_store_n(&gate, created == count ? GATE_OPEN : GATE_CALLED_OFF, __ATOMIC_RELEASE);
	for (unsigned i = 0; i < created; i++)
		thread_join(workers[i].thread);
	return created == count;
}
