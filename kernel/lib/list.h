/*
 * Intrusive doubly linked list with a head that is itself a node.
 *
 * Invariant: a node is in at most one list; a node that is in none points to itself.
 * Locking: the owner of the list. Talks to nobody.
 */
#pragma once

#include <lib/compiler.h>

struct list {
	struct list *next, *prev;
};

#define LIST_INIT(name)          \
	{                        \
		&(name), &(name) \
	}

static inline void list_init(struct list *l)
{
	l->next = l->prev = l;
}

static inline bool list_empty(const struct list *l)
{
	return l->next == l;
}

/* Insert `node` right before `pos`; with a head for `pos` this appends. */
static inline void list_add_before(struct list *pos, struct list *node)
{
	node->next = pos;
	node->prev = pos->prev;
	pos->prev->next = node;
	pos->prev = node;
}

static inline void list_remove(struct list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	list_init(node);
}

#define LIST_ENTRY(ptr, type, member) CONTAINER_OF(ptr, type, member)

#define list_for_each(it, head, member)                                                     \
	for (it = LIST_ENTRY((head)->next, __typeof__(*it), member); &it->member != (head); \
	     it = LIST_ENTRY(it->member.next, __typeof__(*it), member))

/* The same when the body may remove `it`; `tmp` is a second variable of its type. */
#define list_for_each_safe(it, tmp, head, member)                       \
	for (it = LIST_ENTRY((head)->next, __typeof__(*it), member),    \
	    tmp = LIST_ENTRY(it->member.next, __typeof__(*it), member); \
	     &it->member != (head);                                     \
	     it = tmp, tmp = LIST_ENTRY(tmp->member.next, __typeof__(*tmp), member))
