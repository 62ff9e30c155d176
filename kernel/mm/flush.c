/*
 * Flush batches: a space's on this CPU, the kernel's on all. Invariant: a frame in the batch keeps the edge that its entry had,
 * so that nobody can be handed it before the flush. See flush.h for the protocol.
 */
#include <arch/mmu.h>
#include <arch/smp.h>
#include <lib/preempt.h>
#include <lib/printk.h>
#include <mm/flush.h>
#include <mm/grace.h>
#include <mm/share.h>

#define FLUSH_MAGIC 0xf1a5bacc

struct flush_stats flush_stats;
#define FLUSH_COUNT(what, n) ((void)__atomic_add_fetch(&flush_stats.what, n, __ATOMIC_RELAXED))

void flush_begin(struct pt_batch *b, struct space *space)
{
	b->magic = FLUSH_MAGIC;
	b->pending = b->tables = false;
	b->step = ~0ull;
	b->space = space;
	b->frame_count = 0;
}

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

static void flush_pages(const struct pt_batch *b)
{
	uint64_t count = (b->last - b->start) / b->step + 1;
	va_t va = b->start;

	if (count > FLUSH_PAGES_MAX) {
		FLUSH_COUNT(full, 1);
		arch_tlb_flush_all();
		return;
	}
	FLUSH_COUNT(ranges, 1);
	FLUSH_COUNT(pages, count);
	for (; count; count--, va += b->step)
		arch_tlb_flush_page(va);
}

static void flush_let_go(struct pt_batch *b, unsigned i)
{
	struct frame *f = b->frame[i].frame;

	if (b->frame[i].shared_table)
		share_drop_table(b->space->root.owner, (pt_t){ frame_to_pa(f), f->meta.level });
	else
		frame_put_span(f, b->frame[i].order);
}

void flush_ipi(void)
{
	arch_tlb_flush_all();
}

static void flush_here(void *unused)
{
	(void)unused;
	arch_tlb_flush_all();
}

/* The kernel's addresses are every CPU's. */
static void flush_others(void)
{
	struct cpu_set others;

	preempt_disable();
	cpu_set_others(&others);
	cpu_call(&others, flush_here, NULL, true);
	preempt_enable();
}

void flush_now(struct pt_batch *b)
{
	ASSERT_EQ(b->magic, FLUSH_MAGIC);
	if (b->pending)
		flush_pages(b);
	else if (b->tables)
		arch_tlb_flush_all();
	if (b->pending || b->tables)
		FLUSH_COUNT(rounds, 1);
	if ((b->pending || b->tables) && !b->space && cpu_count() > 1)
		flush_others();
	if (b->tables)
		grace_wait();
	for (unsigned i = 0; i < b->frame_count; i++)
		flush_let_go(b, i);
	b->pending = b->tables = false;
	b->step = ~0ull;
	b->frame_count = 0;
}

void flush_add_frame(struct pt_batch *b, struct frame *f, unsigned order)
{
	ASSERT_EQ(b->magic, FLUSH_MAGIC);
	if (b->frame_count == FLUSH_FRAMES_MAX)
		flush_now(b);
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
