/*
 * The oracle's own books: for each frame that a walk has come to, how many entries led there.
 *
 * A hash table by page frame number. Its usual room is static, so a check after every operation
 * costs what it finds and no more; a check that may find more frames brings a larger one. Entries
 * carry the number of the check, so nothing has to be cleared. Part of oracle.c.
 */
#pragma once

#include <mm/frame.h>

#define BOOKS_STATIC 8192 /* a power of two */

struct book {
	uint32_t pfn, check; /* valid if `check` is the books' */
	uint32_t edges;
	uint32_t before; /* the place of the one that was made before it */
};

struct books {
	struct book *book;
	uint32_t mask, check;
	uint32_t used;   /* frames found */
	uint32_t newest; /* of them; valid if there are any */
};

/* The frame's book; made, with no edges, if there is none yet. */
static struct book *books_find(struct books *b, uint64_t pfn)
{
	uint32_t i = (uint32_t)pfn * 0x9e3779b1u >> 8;

	for (;; i++) {
		struct book *book = &b->book[i & b->mask];

		if (book->check != b->check) {
			*book = (struct book){ (uint32_t)pfn, b->check, 0, b->newest };
			b->newest = i & b->mask;
			b->used++;
			ASSERT_OP(b->used, <=, b->mask);
			return book;
		}
		if (book->pfn == pfn)
			return book;
	}
}

/* One entry more leads to the frame. Returns how many did before. */
static uint32_t books_add(struct books *b, uint64_t pfn)
{
	return books_find(b, pfn)->edges++;
}
