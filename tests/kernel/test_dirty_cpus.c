/*
 * What CPUs write while another one takes the pages away: each such page is reported dirty. On the
 * host each thread is a CPU, and the turns reach into the window.
 *
 * Three CPUs write to a page each, the first time by a walk that sets D. The first CPU takes W, or
 * the whole entry, at any moment, and flushes; from then on nobody can write. A page whose content
 * has changed since the last time must have D. Then it gets its entry back, clean.
 */
#include <mm/fault.h>
#include <mm/flush.h>
#include <mm/pagetable.h>
#include <tests/kernel/cpu_work.h>

#define ROUNDS 5000
#define TIME_NS (2 * CLOCK_S) /* or as many as a host that is busy has time for, ... */
#define ROUNDS_LEAST 50       /* ... and these */
#define DELAYS 16             /* so that the writers are anywhere when the pages go */

struct harvest {
	struct work work;
	uint64_t seen[CPUS]; /* what a page held when it was clean */
	uint64_t rounds, written, dirty, lost;
};

static va_t page_of(unsigned cpu)
{
	return BASE + PAGES(cpu);
}

static ptp_t entry_of(struct space *s, unsigned cpu, ptv_t *v)
{
	return pt_find(&s->root, page_of(cpu), v);
}

static void write_on(struct worker *w)
{
	struct work *k = w->arg;
	uint64_t value = 0;

	while (!work_is_over(k)) {
		value += touch_write_raw(k->space[0], page_of(w->number), value + 1);
		preempt_yield(); /* on the host, to somebody else's turn */
	}
	k->done[w->number] = value;
	touch_done();
}

/* W of a page goes, or its whole entry, which is returned: the flush is still to come. */
static ptv_t take_page(struct space *s, unsigned cpu, bool whole, struct pt_batch *batch)
{
	va_t va = page_of(cpu);
	ptv_t v;
	ptp_t p = entry_of(s, cpu, &v);

	flush_add_range(batch, va, va | pt_mask(0), 0);
	if (whole)
		return ptp_exchange(p, ptv_make_none(0));
	EXPECT_EQ(pt_protect(&s->root, va, va + PAGE_SIZE, PT_W, 0), 0);
	return v;
}

/* Back, clean, and to write to. */
static void give_page(struct space *s, unsigned cpu, ptv_t old)
{
	ptv_t v;

	ptp_exchange(entry_of(s, cpu, &v),
		     ptv_make_leaf(ptv_pa(old), (ptv_attr(old) | PT_W) & ~PT_DIRTY, 0));
}

/* After the flush nobody writes, and what is said of the page is final. */
static void judge_page(struct harvest *h, unsigned cpu, ptv_t old)
{
	uint64_t datum = __atomic_load_n((uint64_t *)pa_to_ptr(ptv_pa(old)), __ATOMIC_RELAXED);
	bool dirty = ptv_attr(old) & PT_DIRTY, written = datum != h->seen[cpu];

	h->written += written;
	h->dirty += dirty;
	h->lost += written && !dirty;
	h->seen[cpu] = datum;
	give_page(h->work.space[0], cpu, old);
}

static void harvest_once(struct harvest *h, bool whole)
{
	struct space *s = h->work.space[0];
	FLUSH_BATCH(batch);
	ptv_t old[CPUS], v;

	flush_begin(&batch, s);
	for (unsigned cpu = 1; cpu < CPUS; cpu++)
		old[cpu] = take_page(s, cpu, whole, &batch);
	flush_end(&batch);
	for (unsigned cpu = 1; cpu < CPUS; cpu++)
		judge_page(h, cpu, whole ? old[cpu] : ptp_get(entry_of(s, cpu, &v)));
	h->rounds++;
}

static void harvest_all(struct worker *w)
{
	struct harvest *h = CONTAINER_OF((struct work *)w->arg, struct harvest, work);
	uint64_t start = clock_now();

	while (h->rounds < ROUNDS &&
	       (h->rounds < ROUNDS_LEAST || !h->written || clock_now() - start < TIME_NS)) {
		harvest_once(h, h->rounds & 1);
		for (uint64_t i = test_random() % DELAYS; i; i--)
			preempt_yield();
	}
	work_stop(&h->work);
}

static void play(struct worker *w)
{
	if (w->number)
		write_on(w);
	else
		harvest_all(w);
}

// Every page that another CPU writes, up to the last moment before it loses W or its entry, is
// reported dirty.
TEST(dirty_cpus, every_write_in_the_window_is_reported)
{
	struct harvest h = { .work = work_begin(CPUS) };

	for (unsigned cpu = 1; cpu < CPUS; cpu++)
		EXPECT_EQ(space_fault(h.work.space[0], page_of(cpu), PT_W), 0);
	harvest_once(&h, false);
	work_run(&h.work, play);
	test_note("%lu pages taken while others wrote %lu times: %lu were written, %lu dirty, "
		  "%lu lost",
		  h.rounds * (CPUS - 1), h.work.done[1] + h.work.done[2] + h.work.done[3],
		  h.written, h.dirty, h.lost);
	EXPECT_LE(1ull, h.written);
	EXPECT_EQ(h.lost, 0ull);
	work_end(&h.work);
}
