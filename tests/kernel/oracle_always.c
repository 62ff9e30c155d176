/*
 * The oracle at every lock release: the option `oracle=always`; see oracle.h.
 *
 * When a table's lock is released, that table's counts must be right (rule 3). When the last lock
 * is released of a space's or a mirror's, all spaces must be. Quiet are such moments with one CPU
 * and no other thread at work only, so it is for tests that are alone.
 * Locking: runs inside the release, just before the lock is free. Talks to: lib/lock_check.
 */
#include <arch/cpu.h>
#include <lib/context.h>
#include <lib/lock_check.h>
#include <tests/kernel/oracle.h>
#include <tests/kernel/oracle_report.h>
#include <tests/kernel/test.h>

uint64_t oracle_release_count;
static const struct context *owner; /* of the tests; NULL: off */
static bool is_running;

static bool is_space_lock(enum lock_class class)
{
	return class == LOCK_LAYOUT || class == LOCK_AREAS || class == LOCK_MIRROR;
}

static unsigned check_release(void *lock, enum lock_class class)
{
	const char *word = lock, *frames = (const char *)frame_array;

	if (class == LOCK_TABLE && word >= frames && word < (const char *)&frame_array[frame_limit])
		return oracle_check_table(&frame_array[(word - frames) / sizeof(struct frame)]);
	if (is_space_lock(class) && !owner->held_count)
		return oracle_check_spaces();
	return 0;
}

static void at_release(void *lock, enum lock_class class, const struct lock_site *site)
{
	if (cpu_local()->context != owner || is_running ||
	    (class != LOCK_TABLE && !is_space_lock(class)))
		return;
	is_running = true;
	oracle_release_count++;
	if (check_release(lock, class)) {
		test_check(false, site->file, site->line, "the oracle agrees at every release",
			   oracle_report.rule, oracle_report.va);
		lock_check_released = NULL; /* once is enough */
	}
	is_running = false;
}

bool oracle_is_always(void)
{
	return lock_check_released;
}

void oracle_set_always(bool always)
{
	owner = cpu_local()->context;
	lock_check_released = always ? at_release : NULL;
}
