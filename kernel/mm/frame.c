/*
 * Handing out blocks, counting their edges, and taking them back with the last one.
 *
 * An edge is counted by one atomic addition, which also tells whether the block was in use at all:
 * free and reserved frames and the insides of blocks have no edges. Nothing else is looked at.
 */
#include <arch/shadow.h>
#include <lib/printk.h>
#include <lib/string.h>
#include <lib/trace.h>
#include <mm/frame_internal.h>

static const char *const kind_name[FRAME_KIND_COUNT] = {
	[FRAME_RESERVED] = "reserved", [FRAME_FREE] = "free",   [FRAME_TAIL] = "tail",
	[FRAME_DATA] = "data",         [FRAME_TABLE] = "table", [FRAME_KERNEL] = "kernel",
};

void frame_bug(const struct frame *f, const char *what, const char *file, int line)
{
	uint8_t kind = READ_ONCE(f->kind);

	printk("frame %#lx: %s, order %u, %u edges, last handed out or freed at %s:%d\n",
	       frame_to_pa(f).value, kind < FRAME_KIND_COUNT ? kind_name[kind] : "?", f->order,
	       frame_edges(f), frame_site_file(f), frame_site_line(f));
	assert_failed(file, line, what, frame_to_pa(f).value, frame_edges(f));
}

void frame_edge_bug(struct frame *f, uint32_t undo, const char *what, const char *file, int line)
{
	__atomic_fetch_add(&f->edges, undo, __ATOMIC_RELAXED);
	frame_bug(f, what, file, line);
}

void block_release(struct frame *f)
{
	unsigned order = f->order;

	trace(TRACE_FREE, frame_to_pa(f).value, order);
	poison_fill(f, order);
	frame_shadow_free(pa_to_ptr(frame_to_pa(f)), block_frames(order) << PAGE_SHIFT);
	buddy_give(f, order);
}

struct frame *frame_alloc_at(unsigned order, enum frame_kind kind, const char *file, int line)
{
	struct frame *f;

	if (order > FRAME_ORDER_MAX || kind < FRAME_DATA || kind >= FRAME_KIND_COUNT)
		assert_failed(file, line, "frame_alloc: order and kind", order, kind);
	f = buddy_take(order, kind);
	if (!f)
		return NULL;
	frame_shadow_alloc(pa_to_ptr(frame_to_pa(f)), block_frames(order) << PAGE_SHIFT);
	if (!poison_intact(f, order, true)) {
		block_release(f);
		frame_bug(f, "frame_alloc: the block was written to while it was free", file, line);
	}
	f->flags = 0;
	f->owner[0] = 0;
	f->owner[1] = 0;
	frame_set_site(f, file, line);
	trace(TRACE_ALLOC, frame_to_pa(f).value, order);
	__atomic_store_n(&f->edges, 1, __ATOMIC_RELEASE);
	return f;
}

struct frame *frame_alloc_zeroed_at(unsigned order, enum frame_kind kind, const char *file,
				    int line)
{
	struct frame *f = frame_alloc_at(order, kind, file, line);

	if (f)
		memset(pa_to_ptr(frame_to_pa(f)), 0, block_frames(order) << PAGE_SHIFT);
	return f;
}

void frame_get_at(struct frame *f, const char *file, int line)
{
	uint32_t old = __atomic_fetch_add(&f->edges, 1, __ATOMIC_RELAXED) & ~FRAME_LOCKED;

	if (UNLIKELY(old == 0))
		frame_edge_bug(f, -1u, "frame_get: the block is not in use", file, line);
	if (UNLIKELY(old == FRAME_LOCKED - 1))
		frame_edge_bug(f, -1u, "frame_get: too many edges", file, line);
}

void frame_check_edges(struct frame *f)
{
	if (!frame_edges(f))
		frame_edge_bug(f, -1u, "frame_get: too many edges", __FILE__, __LINE__);
}

bool frame_put_at(struct frame *f, const char *file, int line)
{
	uint32_t old = __atomic_fetch_sub(&f->edges, 1, __ATOMIC_ACQ_REL) & ~FRAME_LOCKED;

	if (UNLIKELY(old == 0))
		frame_edge_bug(f, 1, "frame_put: the block is not in use", file, line);
	if (old != 1)
		return false;
	frame_set_site(f, file, line);
	block_release(f);
	return true;
}

void frame_free_at(struct frame *f, const char *file, int line)
{
	uint32_t edges = frame_edges(f);

	if (UNLIKELY(edges != 1))
		frame_bug(f,
			  edges ? "frame_free: the block has other edges"
				: "frame_free: the block is not in use",
			  file, line);
	frame_put_at(f, file, line);
}
