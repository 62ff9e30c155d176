/* Pools of small objects; see pool.h. */
#include <lib/printk.h>
#include <lib/string.h>
#include <mm/frame.h>
#include <mm/pool.h>

struct pool_page {
	struct list link; /* in pool->pages while there is a free object */
	struct pool_slot *free;
	unsigned used_count, capacity;
};

struct pool_slot {
	struct pool_slot *next;
};

static struct pool_page *pool_page_of(const void *object)
{
	return (void *)ALIGN_DOWN((uintptr_t)object, PAGE_SIZE);
}

static struct pool_page *pool_page_new(size_t object_bytes)
{
	struct frame *f = frame_alloc(0, FRAME_KERNEL);
	struct pool_page *page;
	char *at;

	if (!f)
		return NULL;
	page = pa_to_ptr(frame_to_pa(f));
	*page = (struct pool_page){ .free = NULL };
	list_init(&page->link);
	at = (char *)page + ALIGN_UP(sizeof(*page), 16);
	for (; at + object_bytes <= (char *)page + PAGE_SIZE; at += object_bytes) {
		struct pool_slot *slot = (void *)at;

		slot->next = page->free;
		page->free = slot;
		page->capacity++;
	}
	return page;
}

void *pool_alloc(struct pool *pool)
{
	struct pool_page *page;
	struct pool_slot *slot = NULL;

	spin_lock(&pool->lock);
	if (list_empty(&pool->pages)) {
		page = pool_page_new(pool->object_bytes);
		if (!page)
			goto out;
		list_add_before(&pool->pages, &page->link);
	}
	page = LIST_ENTRY(pool->pages.next, struct pool_page, link);
	slot = page->free;
	page->free = slot->next;
	pool->used_count++;
	if (++page->used_count == page->capacity)
		list_remove(&page->link);
	memset(slot, 0, pool->object_bytes);
out:
	spin_unlock(&pool->lock);
	return slot;
}

void pool_free(struct pool *pool, void *object)
{
	struct pool_page *page = pool_page_of(object);
	struct pool_slot *slot = object;

	if (!object)
		return;
	spin_lock(&pool->lock);
	slot->next = page->free;
	page->free = slot;
	pool->used_count--;
	if (page->used_count-- == page->capacity)
		list_add_before(&pool->pages, &page->link);
	if (page->used_count == 0) {
		list_remove(&page->link);
		frame_put(pa_to_frame(ptr_to_pa(page)));
	}
	spin_unlock(&pool->lock);
}
