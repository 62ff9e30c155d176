/* Mirrors in the VT-d format as JSON; see dump.h. */
#define PT_PREFIX vtd_
#define PT_FORMAT_HEADER <dev/vtd_pt_format.h>
#define PT_HOST_HEADER <mm/mirror_host.h>
#include <mm/show_tree.h>
#include <shell/dump_tree.h>

void dump_vtd_json(const struct pt_root *root)
{
	dump_tree_json(root, "vt-d");
}

void dump_vtd_walk(struct mirror *m, va_t va)
{
	show_tree_walk(&m->root, va, mirror_translate(m, va));
}
