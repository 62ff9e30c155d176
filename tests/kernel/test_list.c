/*
 * The list, against an array that says what is in it.
 */
#include <lib/list.h>
#include <tests/kernel/test.h>

#define NODE_COUNT 12

struct node {
	unsigned number;
	struct list link;
};

static struct list head = LIST_INIT(head);
static struct node nodes[NODE_COUNT];
static unsigned order[NODE_COUNT]; /* the numbers in the list, first to last */
static unsigned order_count;

static void model_insert(unsigned at, unsigned number)
{
	for (unsigned i = order_count++; i > at; i--)
		order[i] = order[i - 1];
	order[at] = number;
}

static void model_remove(unsigned at)
{
	order_count--;
	for (unsigned i = at; i < order_count; i++)
		order[i] = order[i + 1];
}

static bool list_agrees(void)
{
	struct list *prev = &head;
	struct node *it;
	unsigned count = 0;

	list_for_each(it, &head, link) {
		if (count == order_count || it->number != order[count++] || it->link.prev != prev)
			return false;
		prev = &it->link;
	}
	return count == order_count && head.prev == prev && list_empty(&head) == !count;
}

static void reset(void)
{
	list_init(&head);
	order_count = 0;
	for (unsigned i = 0; i < NODE_COUNT; i++) {
		nodes[i].number = i;
		list_init(&nodes[i].link);
	}
}

// Nodes inserted before any other, or at the end, and removed anywhere, are where the model says.
TEST(list, random_inserts_and_removals)
{
	reset();
	for (unsigned step = 0; step < 5000; step++) {
		struct node *n = &nodes[test_random() % NODE_COUNT];
		unsigned at = test_random() % (order_count + 1);

		if (list_empty(&n->link)) {
			list_add_before(at == order_count ? &head : &nodes[order[at]].link,
					&n->link);
			model_insert(at, n->number);
		} else {
			for (at = 0; order[at] != n->number; at++)
				;
			list_remove(&n->link);
			EXPECT(list_empty(&n->link));
			model_remove(at);
		}
		REQUIRE(list_agrees());
	}
}

// The safe loop visits every node once although its body removes them.
TEST(list, safe_loop_survives_removal)
{
	struct node *it, *tmp;
	unsigned visited_count = 0;

	reset();
	for (unsigned i = 0; i < NODE_COUNT; i++)
		list_add_before(&head, &nodes[i].link);
	list_for_each_safe(it, tmp, &head, link) {
		EXPECT_EQ(it->number, visited_count);
		visited_count++;
		if (it->number % 3)
			list_remove(&it->link);
	}
	EXPECT_EQ(visited_count, (unsigned)NODE_COUNT);
	visited_count = 0;
	list_for_each(it, &head, link)
		visited_count++;
	EXPECT_EQ(visited_count, (unsigned)(NODE_COUNT + 2) / 3);
}
