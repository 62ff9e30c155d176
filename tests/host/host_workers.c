/*
 * Threads for tests that want many CPUs: on the host each is a thread of the host, and a CPU of its
 * own from 1 on. See tests/kernel/workers.h.
 */
#include <pthread.h>

#include <arch/cpu_local.h>
#include <lib/printk.h>
#include <tests/host/host.h>
#include <tests/host/host_turns.h>
#include <tests/kernel/workers.h>

static struct worker workers[HOST_CPUS - 1];
static void (*work)(struct worker *w);

static void *run_worker(void *arg)
{
	struct worker *w = arg;

	host_cpu_begin(w->number + 1);
	if (host_turns_seed)
		host_turns_join();
	work(w);
	if (host_turns_seed)
		host_turns_leave();
	return NULL;
}

bool workers_run(unsigned count, void (*fn)(struct worker *w), void *arg)
{
	pthread_t thread[HOST_CPUS];

	ASSERT(count < HOST_CPUS);
	work = fn;
	if (host_turns_seed)
		host_turns_begin(host_turns_seed, ((1u << count) - 1) << 1);
	for (unsigned i = 0; i < count; i++) {
		workers[i] = (struct worker){ .number = i, .count = count, .arg = arg };
		if (pthread_create(&thread[i], NULL, run_worker, &workers[i]))
			panic("host: no thread");
	}
	for (unsigned i = 0; i < count; i++)
		pthread_join(thread[i], NULL);
	return true;
}
