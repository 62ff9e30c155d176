/*
 * Reader/writer locks, see rwlock.h.
 *
 * A CPU's slots are written by that CPU alone, with preemption disabled. Which of several equal
 * slots a reader clears does not matter: they, and the overflow, add up to the readers there are.
 */
#include <lib/rwlock.h>

#define SLOTS_PER_CPU 8 /* a cache line */
#define PATIENCE 50     /* rounds; before preempt_wait lets the CPU halt between its ticks */

static struct ALIGNED(64) {
	struct rwlock *lock[SLOTS_PER_CPU];
} readers[CPU_MAX];

/* ---- Slots. ---- */

static struct rwlock **find_slot(const struct rwlock *content)
{
	struct rwlock **slot = readers[cpu_index()].lock;

	for (unsigned i = 0; i < SLOTS_PER_CPU; i++)
		if (READ_ONCE(slot[i]) == content)
			return &slot[i];
	return NULL;
}

/* Be counted as a reader, before anything that is read afterwards. */
static void enter(struct rwlock *l)
{
	struct rwlock **slot = find_slot(NULL);

	if (slot)
		(void)__atomic_exchange_n(slot, l, __ATOMIC_SEQ_CST);
	else
		__atomic_fetch_add(&l->overflow, 1, __ATOMIC_SEQ_CST);
}

/* The slot must not be another reader's by the time it is cleared. */
static void leave(struct rwlock *l)
{
	struct rwlock **slot;

	preempt_disable();
	slot = find_slot(l);
	if (slot)
		__atomic_store_n(slot, NULL, __ATOMIC_RELEASE);
	else
		__atomic_fetch_sub(&l->overflow, 1, __ATOMIC_RELEASE);
	preempt_enable();
}

static bool has_readers(const struct rwlock *l)
{
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++)
		for (unsigned i = 0; i < SLOTS_PER_CPU; i++)
			if (__atomic_load_n(&readers[cpu].lock[i], __ATOMIC_ACQUIRE) == l)
				return true;
	return __atomic_load_n(&l->overflow, __ATOMIC_ACQUIRE) != 0;
}

/* ---- Taking. ---- */

static bool try_read(struct rwlock *l)
{
	bool taken;

	if (READ_ONCE(l->writer))
		return false;
	preempt_disable();
	enter(l);
	taken = !__atomic_load_n(&l->writer, __ATOMIC_SEQ_CST);
	if (!taken)
		leave(l);
	preempt_enable();
	return taken;
}

static bool try_announce(struct rwlock *l)
{
	uint32_t none = 0;

	return __atomic_compare_exchange_n(&l->writer, &none, cpu_index() + 1, false,
					   __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

/* ---- Who waits for long. ---- */

struct rw_waiter {
	unsigned cpu;
	bool reads;
	bool granted; /* atomic; set by whoever lets the lock go to it */
};

static bool become_next(struct rwlock *l, struct rw_waiter *me)
{
	struct rw_waiter *none = NULL;

	return __atomic_compare_exchange_n(&l->next, &none, me, false, __ATOMIC_ACQ_REL,
					   __ATOMIC_RELAXED);
}

/* It has the lock by itself. Has it been given it, too? Only a reader: a writer is alone. */
static void be_next_no_more(struct rwlock *l, struct rw_waiter *me)
{
	struct rw_waiter *mine = me;

	if (__atomic_compare_exchange_n(&l->next, &mine, NULL, false, __ATOMIC_ACQ_REL,
					__ATOMIC_RELAXED))
		return;
	while (!__atomic_load_n(&me->granted, __ATOMIC_ACQUIRE))
		preempt_yield(); /* who gives it may be a thread of this CPU */
	leave(l);
}

static void wait_for(struct rwlock *l, bool (*try)(struct rwlock *l), bool reads)
{
	struct rw_waiter me = { .cpu = cpu_index(), .reads = reads };
	bool next = false;

	lock_check_waits();
	__atomic_fetch_add(&l->waiting, 1, __ATOMIC_RELAXED);
	for (unsigned round = 0; !__atomic_load_n(&me.granted, __ATOMIC_ACQUIRE); round++) {
		if (try(l)) {
			if (next)
				be_next_no_more(l, &me);
			break;
		}
		if (!next && round >= PATIENCE)
			next = become_next(l, &me);
		preempt_wait(round);
	}
	__atomic_fetch_sub(&l->waiting, 1, __ATOMIC_RELAXED);
}

/* The writer goes; `next` has the lock from here on, and may be gone at once. */
static void give_to(struct rwlock *l, struct rw_waiter *next)
{
	unsigned cpu = next->cpu;

	if (next->reads)
		__atomic_fetch_add(&l->overflow, 1, __ATOMIC_SEQ_CST);
	__atomic_store_n(&l->writer, next->reads ? 0 : cpu + 1, __ATOMIC_RELEASE);
	__atomic_store_n(&next->granted, true, __ATOMIC_RELEASE);
	preempt_kick(cpu);
}

static void let_writer_go(struct rwlock *l)
{
	struct rw_waiter *next = NULL;

	if (READ_ONCE(l->next))
		next = __atomic_exchange_n(&l->next, NULL, __ATOMIC_ACQ_REL);
	if (next)
		give_to(l, next);
	else
		__atomic_store_n(&l->writer, 0, __ATOMIC_RELEASE);
}

/* ---- Readers. ---- */

void rw_read_lock_at(struct rwlock *l, unsigned nesting, const struct lock_site *site)
{
	might_sleep_at(site);
	lock_check_want(l, l->class, nesting, LOCK_READ, site);
	if (UNLIKELY(!try_read(l)))
		wait_for(l, try_read, true);
	lock_check_taken(l, l->class, nesting, LOCK_READ, site);
}

bool rw_read_trylock_at(struct rwlock *l, const struct lock_site *site)
{
	lock_check_context(l, l->class, site);
	if (!try_read(l))
		return false;
	lock_check_taken(l, l->class, 0, LOCK_READ, site);
	return true;
}

void rw_read_unlock_at(struct rwlock *l, const struct lock_site *site)
{
	lock_check_release(l, l->class, LOCK_READ, site);
	leave(l);
}

/* ---- Writers. ---- */

void rw_write_lock_at(struct rwlock *l, unsigned nesting, const struct lock_site *site)
{
	might_sleep_at(site);
	lock_check_want(l, l->class, nesting, LOCK_WRITE, site);
	if (UNLIKELY(!try_announce(l)))
		wait_for(l, try_announce, false);
	if (has_readers(l)) {
		lock_check_waits();
		__atomic_fetch_add(&l->waiting, 1, __ATOMIC_RELAXED);
		for (unsigned round = 0; has_readers(l); round++)
			preempt_wait(round);
		__atomic_fetch_sub(&l->waiting, 1, __ATOMIC_RELAXED);
	}
	lock_check_taken(l, l->class, nesting, LOCK_WRITE, site);
}

bool rw_write_trylock_at(struct rwlock *l, const struct lock_site *site)
{
	lock_check_context(l, l->class, site);
	if (!try_announce(l))
		return false;
	if (has_readers(l)) {
		let_writer_go(l);
		return false;
	}
	lock_check_taken(l, l->class, 0, LOCK_WRITE, site);
	return true;
}

void rw_write_unlock_at(struct rwlock *l, const struct lock_site *site)
{
	lock_check_release(l, l->class, LOCK_WRITE, site);
	let_writer_go(l);
}
