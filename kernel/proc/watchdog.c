/*
 * The watchdog, see watchdog.h.
 */
#include <arch/clock.h>
#include <arch/nmi.h>
#include <lib/printk.h>
#include <proc/sched.h>
#include <proc/watchdog.h>

#define LOOK_NS (100 * CLOCK_MS) /* how often the CPUs are looked at */

void (*watchdog_print_failure)(void);
uint64_t watchdog_look_count;

static const char *watched;
static uint64_t deadline; /* clock_now; 0: nothing is watched */

/* What was seen of each CPU, by whoever looks: one at a time. */
static uint32_t looking;
static uint64_t looked_at;
static struct {
	uint64_t tick_count, since;
} seen[CPU_MAX];

/* ---- The end. ---- */

static NORETURN void fire(const char *why, unsigned cpu)
{
	char reason[160];

	ksnprintf(reason, sizeof(reason), "watchdog: %s: %s, CPU %u", watched, why, cpu);
	if (!panic_claim())
		bail_out(reason);
	if (watchdog_print_failure)
		watchdog_print_failure();
	printk("\n%s\n", reason);
	nmi_report_all();
	sched_print_waiting();
	bail_out(reason);
}

/* ---- Looking. ---- */

/* How long ago. Whoever looks may have read the clock before `then` was noted by somebody else. */
static uint64_t age(uint64_t then, uint64_t now)
{
	return now > then ? now - then : 0;
}

/* A CPU that has nothing to run may be silent: it does not tick. */
static bool is_silent(unsigned cpu, uint64_t now)
{
	struct sched_stats stats = sched_stats(cpu);

	if (stats.idle || stats.tick_count != seen[cpu].tick_count) {
		seen[cpu].tick_count = stats.tick_count;
		WRITE_ONCE(seen[cpu].since, now);
	}
	return age(READ_ONCE(seen[cpu].since), now) > WATCHDOG_SILENCE_NS;
}

static void look_at_cpus(uint64_t now)
{
	if (age(READ_ONCE(looked_at), now) < LOOK_NS ||
	    __atomic_exchange_n(&looking, 1, __ATOMIC_ACQUIRE))
		return;
	WRITE_ONCE(looked_at, now);
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++)
		if (is_silent(cpu, now))
			fire("a CPU does not tick any more", cpu);
	__atomic_store_n(&looking, 0, __ATOMIC_RELEASE);
}

void watchdog_look(void)
{
	uint64_t now = clock_now(), end = READ_ONCE(deadline);

	if (!end)
		return;
	__atomic_fetch_add(&watchdog_look_count, 1, __ATOMIC_RELAXED);
	if (now > end)
		fire("not done in time", cpu_index());
	look_at_cpus(now);
}

/* ---- What is watched. ---- */

void watchdog_start(const char *what, uint64_t ns)
{
	uint64_t now = clock_now();

	for (unsigned cpu = 0; cpu < cpu_count(); cpu++)
		WRITE_ONCE(seen[cpu].since, now);
	watched = what;
	__atomic_store_n(&deadline, now + ns, __ATOMIC_RELEASE);
	nmi_timer_start(watchdog_look);
}

void watchdog_stop(void)
{
	__atomic_store_n(&deadline, 0, __ATOMIC_RELEASE);
	nmi_timer_stop();
}

void watchdog_extend(uint64_t ns)
{
	if (READ_ONCE(deadline))
		__atomic_store_n(&deadline, clock_now() + ns, __ATOMIC_RELEASE);
}
