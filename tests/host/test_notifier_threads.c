/*
 * The notifier between threads, one at a time as a seed decides: who leaves waits for those who
 * are just calling him.
 */
#include <tests/host/host_turns.h>
#include <tests/kernel/recorder.h>
#include <tests/kernel/test.h>
#include <tests/kernel/workers.h>

#define A 0x10000ull
#define B 0x20000ull
#define SEEDS 20
#define PAUSES 40

struct leaving {
	struct notifier n;
	struct recorder r;
	uint32_t called, returned; /* atomic */
	bool waited;
};

static struct leaving l;

/* The callback takes its time: others come on meanwhile. */
static void hook_slow(struct recorder *r)
{
	(void)r;
	__atomic_store_n(&l.called, 1, __ATOMIC_RELEASE);
	for (unsigned i = 0; i < PAUSES; i++)
		arch_pause();
	__atomic_store_n(&l.returned, 1, __ATOMIC_RELEASE);
}

static void call_or_leave(struct worker *w)
{
	if (w->number == 0) {
		notifier_page(&l.n, A, B, NOTIFY_COW);
		return;
	}
	while (!__atomic_load_n(&l.called, __ATOMIC_ACQUIRE))
		arch_pause();
	notifier_unregister(&l.r.subscriber);
	l.waited = __atomic_load_n(&l.returned, __ATOMIC_ACQUIRE);
}

// Who unregisters while another thread is in his callback goes on when that has returned, and is
// called no more.
TEST(notifier_threads, leaving_waits_for_the_call)
{
	uint64_t before = host_turns_seed;

	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		l = (struct leaving){ .called = 0 };
		notifier_init(&l.n);
		recorder_init(&l.r);
		EXPECT_EQ(recorder_register(&l.r, &l.n), 0);
		l.r.hook = hook_slow;
		host_turns_seed = seed;
		workers_run(2, call_or_leave, NULL);
		host_turns_seed = before;
		EXPECT(l.waited);
		EXPECT(!spin_word_is_held(&l.n.lock));
		EXPECT(list_empty(&l.n.calls) && list_empty(&l.n.subscribers));
		notifier_page(&l.n, A, B, NOTIFY_COW);
		EXPECT_EQ(l.r.count, 1u);
	}
}
