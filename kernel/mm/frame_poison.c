/*
 * Finding writes to free memory: what is freed is filled with FRAME_POISON, and looked at when it
 * is handed out again. Test builds only.
 *
 * FRAME_POISONED in each frame says that it was filled, so memory fresh from firmware needs no
 * filling and merging blocks needs no care. Of a block above POISON_ORDER_WHOLE only that much is
 * filled: a gigabyte would take a second under emulation, and the emulator's host that memory.
 *
 * Locking: none; the block is the caller's, or (frame_check) nobody's for the moment.
 */
#if PTOLEMY_TEST

#include <lib/printk.h>
#include <mm/frame_internal.h>

#define POISON_ORDER_WHOLE 9
#define POISON_WORDS (PAGE_SIZE / sizeof(uint64_t))

/* The checker reads what AddressSanitizer forbids everybody else. */
#define MAY_READ_FREE __attribute__((no_sanitize("address")))

void poison_fill(struct frame *f, unsigned order)
{
	struct frame *end;

	if (order > POISON_ORDER_WHOLE)
		order = POISON_ORDER_WHOLE;
	end = f + block_frames(order);
	for (struct frame *it = f; it < end; it++) {
		uint64_t *word = pa_to_ptr(frame_to_pa(it));

		for (unsigned i = 0; i < POISON_WORDS; i++)
			word[i] = FRAME_POISON;
		it->site = f->site;
		it->flags = FRAME_POISONED;
	}
}

/* The first word of the page that is not poison, or POISON_WORDS. */
static MAY_READ_FREE unsigned first_violation(const uint64_t *word)
{
	unsigned i = 0;

	while (i < POISON_WORDS && word[i] == FRAME_POISON)
		i++;
	return i;
}

static MAY_READ_FREE bool page_intact(const struct frame *f)
{
	const uint64_t *word = pa_to_ptr(frame_to_pa(f));
	unsigned i = first_violation(word);

	if (LIKELY(i == POISON_WORDS))
		return true;
	printk("frame %#lx: offset %#zx holds %#lx although free since %s:%d\n",
	       frame_to_pa(f).value, i * sizeof(*word), word[i], frame_site_file(f),
	       frame_site_line(f));
	return false;
}

bool poison_intact(struct frame *f, unsigned order, bool clear)
{
	struct frame *end = f + block_frames(order);
	bool intact = true;

	for (; f < end; f++) {
		if (!(f->flags & FRAME_POISONED))
			continue;
		intact = intact && page_intact(f);
		if (clear)
			f->flags = 0;
	}
	return intact;
}

#endif
