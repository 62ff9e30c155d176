/*
 * Leaves that cover several frames, and exploding the blocks under them.
 *
 * Spaces that share a block share no lock, so one may explode it (it splits its own huge leaf)
 * while another copies or drops a leaf over all of it. What must not happen: an edge that lands on
 * the head alone although the parts have become blocks, or one that a part inherits twice. So, for
 * a head of order > 0, to look at the order *and* change the edges is one step under FRAME_LOCKED,
 * a bit lock in `edges` itself:
 *
 *   span:     lock head; read order; change edges; unlock; go on behind the 2^order frames
 *   explode:  lock head; give every part the edges; lower the order; unlock
 *
 * An edge is thus counted at the head before the explosion, and inherited, or on each part after
 * it. Order 0 stays order 0 as long as the block has an edge, so single frames need no lock; and
 * since they are counted by addition, a lock bit that is set at that moment stays set.
 *
 * Locking: one FRAME_LOCKED at a time, a leaf, with preemption disabled: who comes next on this CPU
 * may be in no position to let the holder go on. Not for interrupt handlers.
 */
#include <lib/preempt.h>
#include <mm/frame_internal.h>

static void block_lock(struct frame *f)
{
	preempt_disable();
	while (__atomic_fetch_or(&f->edges, FRAME_LOCKED, __ATOMIC_ACQUIRE) & FRAME_LOCKED)
		arch_pause();
}

static void block_unlock(struct frame *f)
{
	__atomic_fetch_and(&f->edges, ~FRAME_LOCKED, __ATOMIC_RELEASE);
	preempt_enable();
}

/* Why a leaf of 2^order frames cannot begin at `f`; NULL if it can. The block is locked. */
static const char *span_fault(const struct frame *f, unsigned order)
{
	if (!frame_edges(f))
		return "span: it does not begin at a block in use";
	if (f->order > order)
		return "span: the block is larger than the leaf, explode it first";
	return NULL;
}

/*
 * Add `change` (1 or -1) to the edges of the one block at `f`.
 * Returns its order; *left is what it has then.
 */
static unsigned block_change(struct frame *f, unsigned span_order, uint32_t change, uint32_t *left,
			     const char *file, int line)
{
	const char *fault;
	unsigned order;

	block_lock(f);
	order = f->order;
	fault = span_fault(f, span_order);
	if (!fault)
		*left = (__atomic_add_fetch(&f->edges, change, __ATOMIC_ACQ_REL)) & ~FRAME_LOCKED;
	block_unlock(f);
	if (UNLIKELY(fault))
		frame_bug(f, fault, file, line);
	return order;
}

void frame_get_span_at(struct frame *f, unsigned order, const char *file, int line)
{
	struct frame *end = f + block_frames(order);
	uint32_t left;

	while (f < end) {
		if (READ_ONCE(f->order) == 0) {
			frame_get_at(f++, file, line);
			continue;
		}
		f += block_frames(block_change(f, order, 1, &left, file, line));
	}
}

void frame_put_span_at(struct frame *f, unsigned order, const char *file, int line)
{
	struct frame *end = f + block_frames(order);

	while (f < end) {
		struct frame *head = f;
		uint32_t left;

		if (READ_ONCE(f->order) == 0) {
			frame_put_at(f++, file, line);
			continue;
		}
		f += block_frames(block_change(f, order, -1u, &left, file, line));
		if (left)
			continue;
		frame_set_site(head, file, line);
		block_release(head);
	}
}

/* The parts behind the first become blocks like it. The block is locked. */
static void block_split(struct frame *f, unsigned order)
{
	struct frame *end = f + block_frames(f->order);

	for (struct frame *part = f + block_frames(order); part < end;
	     part += block_frames(order)) {
		part->flags = f->flags;
		part->owner[0] = f->owner[0];
		part->owner[1] = f->owner[1];
		part->site = f->site;
		WRITE_ONCE(part->order, order);
		WRITE_ONCE(part->kind, f->kind);
		__atomic_store_n(&part->edges, frame_edges(f), __ATOMIC_RELEASE);
	}
	WRITE_ONCE(f->order, order);
}

void frame_explode_at(struct frame *f, unsigned order, const char *file, int line)
{
	bool in_use;

	block_lock(f);
	in_use = frame_edges(f) != 0;
	if (in_use && f->order > order)
		block_split(f, order);
	block_unlock(f);
	if (UNLIKELY(!in_use))
		frame_bug(f, "frame_explode: the block is not in use", file, line);
}

bool frame_span_exclusive(const struct frame *f, unsigned order)
{
	const struct frame *end = f + block_frames(order);

	for (; f < end; f += block_frames(READ_ONCE(f->order)))
		if (frame_edges(f) != 1)
			return false;
	return true;
}
