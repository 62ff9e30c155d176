/*
 * The path of an address as text, for the format whose library the including file has named.
 * Takes no lock and changes nothing.
 */
#include <lib/printk.h>
#include <mm/pt/pt.h>
#include <mm/show_attr.h>

static void show_entry(ptp_t p, ptv_t v)
{
	static const char *const kind[] = { "none", "table", "leaf", "soft", "bad" };
	char attr[32];

	printk("  level %u [%3u] 0x%016lx %-5s", p.level, ptp_index(p), ptv_raw(v),
	       kind[ptv_kind(v)]);
	if (ptv_is_table(v) || ptv_is_leaf(v))
		printk(" pa 0x%012lx %s", ptv_pa(v).value, show_attr(ptv_attr(v), attr));
	else if (ptv_is_soft(v))
		printk(" data %#lx", ptv_soft_data(v));
	printk("\n");
}

/* `span`: what it comes to. */
static void show_tree_walk(const struct pt_root *root, va_t va, struct pt_span span)
{
	char attr[32];
	ptp_t p;
	ptv_t v;

	printk("walk of 0x%016lx, top table at pa %#lx\n", va, root->top.pa.value);
	if (!pt_root_covers(root, va, va)) {
		printk("  this root does not translate it\n");
		return;
	}
	p = pt_top(root, va);
	v = ptp_get(p);
	show_entry(p, v);
	while (ptv_is_table(v)) {
		p = pt_walk(v, va);
		v = ptp_get(p);
		show_entry(p, v);
	}
	if (span.kind == PT_LEAF)
		printk("  => pa %#lx, effective %s\n", span.pa.value, show_attr(span.attr, attr));
	else
		printk("  => not mapped\n");
}
