/* Spaces as JSON; see dump.h. */
#include <mm/space.h>
#include <shell/dump_tree.h>

void dump_json(const struct space *s)
{
	dump_tree_json(&s->root, "x86-64");
}
