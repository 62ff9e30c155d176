/*
 * Flush batches; see flush.h. Invariant: a frame in the batch keeps the edge that its entry had, so
 * that nobody can be handed it before the flush.
 *
 * Who is flushed, with one round of calls: the CPUs that run in the space, and if tables go, those
 * that have kept its root; all, for the kernel's own. tlb.h says why the others need none.
 */
#include <arch/mmu.h>
#include <arch/smp.h>
#include <lib/broken.h>
#include <lib/preempt.h>
#include <lib/printk.h>
#include <lib/string.h>
#include <lib/trace.h>
#include <mm/flush.h>
#include <mm/grace.h>
#include <mm/share.h>
#include <mm/space.h>
#include <mm/tlb.h>

#define FLUSH_MAGIC 0xf1a5bacc

struct flush_stats flush_stats;
#define FLUSH_COUNT(what, n) ((void)__atomic_add_fetch(&flush_stats.what, n, __ATOMIC_RELAXED))

void flush_begin(struct pt_batch *b, struct space *space)
{
	b->magic = FLUSH_MAGIC;
	b->pending = b->tables = false;
	b->step = ~0ull;
	b->space = space;
	b->pages = NULL;
	b->frame_count = 0;
}

#if PTOLEMY_TEST
void flush_check_ended(struct pt_batch *b)
{
	ASSERT(b->magic != FLUSH_MAGIC || !(b->pending || b->tables || b->frame_count || b->pages));
}
#endif

void flush_add_range(struct pt_batch *b, va_t start, va_t last, unsigned level)
{
	uint64_t step = PAGE_SIZE << (9 * level);

	ASSERT_EQ(b->magic, FLUSH_MAGIC);
	if (!b->pending || start < b->start)
		b->start = start;
	if (!b->pending || last > b->last)
		b->last = last;
	if (step < b->step)
		b->step = step;
	b->pending = true;
}

static uint64_t flush_page_count(const struct pt_batch *b)
{
	return (b->last - b->start) / b->step + 1;
}

static bool flush_is_full(const struct pt_batch *b)
{
	return !b->pending || flush_page_count(b) > FLUSH_PAGES_MAX;
}

static void flush_all_here(const struct pt_batch *b)
{
	if (b->space)
		arch_root_load(arch_root_current());
	else
		arch_tlb_flush_all();
}

/* On each CPU that is flushed, interrupts disabled. */
static void flush_here(void *arg)
{
	const struct pt_batch *b = arg;
	bool full = flush_is_full(b);
	va_t va = b->start;

	if (b->space && !tlb_look(b->space, b->number, &full))
		return;
	if (full) {
		flush_all_here(b);
		return;
	}
	for (uint64_t count = flush_page_count(b); count; count--, va += b->step)
		arch_tlb_flush_page(va);
}

static void flush_count(const struct pt_batch *b)
{
	FLUSH_COUNT(rounds, 1);
	if (flush_is_full(b)) {
		FLUSH_COUNT(full, 1);
		return;
	}
	FLUSH_COUNT(ranges, 1);
	FLUSH_COUNT(pages, flush_page_count(b));
}

/* Whom it concerns: space or kernel. The caller's CPU is in the set, or not. */
static void flush_choose(struct pt_batch *b, struct cpu_set *set)
{
	if (b->space) {
		b->number = tlb_begin_flush(b->space, b->tables, set);
		return;
	}
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	cpu_set_others(set);
	cpu_set_add(set, cpu_index());
}

static void flush_this_cpu(struct pt_batch *b)
{
	uint64_t flags = arch_irq_save();

	flush_here(b);
	arch_irq_restore(flags);
}

/* Flush every CPU that may use something stale, with one round of calls at the most. */
static void flush_cpus(struct pt_batch *b)
{
	struct cpu_set set;

	if (BROKEN(no_flush))
		return;
	preempt_disable();
	flush_choose(b, &set);
	if (cpu_set_has(&set, cpu_index()))
		flush_this_cpu(b);
	cpu_set_remove(&set, cpu_index());
	if (cpu_set_count(&set)) {
		FLUSH_COUNT(calls, 1);
		cpu_call(&set, flush_here, b, true);
	}
	preempt_enable();
	trace(TRACE_FLUSH, b->pending ? b->start : 0, b->pending ? b->last : ~0ull);
	flush_count(b);
}

static void flush_let_go(struct pt_batch *b, const struct flush_frame *which)
{
	struct frame *f = which->frame;

	if (which->shared_table)
		share_drop_table(b->space->root.owner, (pt_t){ frame_to_pa(f), f->meta.level });
	else
		frame_put_span(f, which->order);
}

/* What a batch had no room for. */
struct flush_page {
	struct flush_page *next;
	struct flush_frame frame[FLUSH_FRAMES_MAX];
};
_Static_assert(sizeof(struct flush_page) <= PAGE_SIZE, "one frame holds it");

static void flush_let_pages_go(struct pt_batch *b)
{
	struct flush_page *page;

	while ((page = b->pages) != NULL) {
		b->pages = page->next;
		for (unsigned i = 0; i < FLUSH_FRAMES_MAX; i++)
			flush_let_go(b, &page->frame[i]);
		frame_free(pa_to_frame(ptr_to_pa(page)));
	}
}

/* A full batch has room again. */
static void flush_make_room(struct pt_batch *b)
{
	struct frame *f = frame_alloc(0, FRAME_KERNEL);
	struct flush_page *page;

	if (!f) {
		flush_now(b);
		return;
	}
	page = pa_to_ptr(frame_to_pa(f));
	page->next = b->pages;
	memcpy(page->frame, b->frame, sizeof(page->frame));
	b->pages = page;
	b->frame_count = 0;
}

void flush_ipi(void)
{
	arch_tlb_flush_all();
}

static void flush_let_all_go(struct pt_batch *b)
{
	flush_let_pages_go(b);
	for (unsigned i = 0; i < b->frame_count; i++)
		flush_let_go(b, &b->frame[i]);
	b->frame_count = 0;
}

void flush_now(struct pt_batch *b)
{
	ASSERT_EQ(b->magic, FLUSH_MAGIC);
	if (BROKEN(free_before_flush))
		flush_let_all_go(b);
	if (b->pending || b->tables)
		flush_cpus(b);
	if (b->tables)
		grace_wait();
	flush_let_all_go(b);
	b->pending = b->tables = false;
	b->step = ~0ull;
}

void flush_add_frame(struct pt_batch *b, struct frame *f, unsigned order)
{
	ASSERT_EQ(b->magic, FLUSH_MAGIC);
	if (b->frame_count == FLUSH_FRAMES_MAX)
		flush_make_room(b);
	b->frame[b->frame_count].frame = f;
	b->frame[b->frame_count].shared_table = false;
	b->frame[b->frame_count++].order = (uint16_t)order;
}

void flush_add_table(struct pt_batch *b, struct frame *f)
{
	flush_add_frame(b, f, 0);
	b->tables = true;
}

void flush_add_shared_table(struct pt_batch *b, pt_t table)
{
	flush_add_table(b, pa_to_frame(table.pa));
	b->frame[b->frame_count - 1].shared_table = true;
}

void flush_end(struct pt_batch *b)
{
	flush_now(b);
	b->magic = 0;
}
