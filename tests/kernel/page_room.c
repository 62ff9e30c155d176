/* See page_room.h. */
#include <mm/fault.h>
#include <mm/swap.h>
#include <tests/kernel/oracle.h>
#include <tests/kernel/page_room.h>
#include <tests/kernel/test.h>

#define LAST_WORD (PAGE_SIZE - sizeof(uint64_t))

struct space *room_create(uint64_t page_count, unsigned flags)
{
	struct area_spec spec = {
		.start = ROOM_START,
		.end = ROOM_PAGE(page_count),
		.kind = AREA_ANON,
		.flags = flags,
		.rights = PT_R | PT_W,
	};
	struct space *space = space_create();

	if (space && space_add_area(space, &spec)) {
		space_destroy(space);
		return NULL;
	}
	return space;
}

struct space *room_create_filled(uint64_t page_count, uint64_t slot_count)
{
	struct space *space = room_create(page_count, 0);

	if (!EXPECT(space != NULL))
		return NULL;
	EXPECT_EQ(swap_init(slot_count), 0);
	for (uint64_t i = 0; i < page_count; i++)
		EXPECT(room_fill(space, ROOM_PAGE(i), i));
	return space;
}

void room_close_filled(struct space *space)
{
	EXPECT_EQ(oracle_check(), 0);
	space_destroy(space);
	EXPECT_EQ(swap_used(), 0);
	swap_fini();
}

struct area *room_area(const struct space *space)
{
	return space_find_area(space, ROOM_START);
}

/* The word at va after one access of this kind, or NULL. */
static uint64_t *room_access(struct space *space, va_t va, pt_attr_t access)
{
	pt_attr_t marks = access & PT_W ? PT_YOUNG | PT_DIRTY : PT_YOUNG;
	va_t page = va & ~pt_mask(0);
	struct pt_span span = pt_translate(&space->root, va);

	if (span.kind != PT_LEAF || !(span.attr & access)) {
		if (space_fault(space, va, access))
			return NULL;
		span = pt_translate(&space->root, va);
	}
	if ((span.attr & marks) != marks &&
	    pt_protect(&space->root, page, page + PAGE_SIZE, 0, marks))
		return NULL;
	return pa_to_ptr(span.pa);
}

bool room_read(struct space *space, va_t va, uint64_t *value)
{
	const uint64_t *word = room_access(space, va, PT_R);

	if (word)
		*value = *word;
	return word;
}

bool room_write(struct space *space, va_t va, uint64_t value)
{
	uint64_t *word = room_access(space, va, PT_W);

	if (word)
		*word = value;
	return word;
}

bool room_fill(struct space *space, va_t va, uint64_t value)
{
	return room_write(space, va, value) && room_write(space, va + LAST_WORD, value);
}

bool room_holds(struct space *space, va_t va, uint64_t value)
{
	uint64_t first, last;

	return room_read(space, va, &first) && room_read(space, va + LAST_WORD, &last) &&
	       first == value && last == value;
}

bool room_counts(const struct space *space, int64_t anon, int64_t swap)
{
	const struct area *area = room_area(space);

	return !oracle_check() && area->mapped[MAPPED_ANON] == anon &&
	       area->mapped[MAPPED_SWAP] == swap;
}

enum pt_kind room_kind(const struct space *space, va_t va)
{
	return pt_translate(&space->root, va).kind;
}

bool room_is_young(const struct space *space, va_t va)
{
	return pt_translate(&space->root, va).attr & PT_YOUNG;
}
