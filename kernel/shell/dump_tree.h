/*
 * A tree of tables as JSON (dump.h says what it looks like), for the format whose library the
 * including file has named.
 */
#include <lib/printk.h>
#include <mm/frame.h>
#include <mm/pt/pt.h>
#include <mm/show_attr.h>
#include <shell/dump.h>

static const char *const kind_name[] = { "none", "table", "leaf", "soft", "bad" };

/* How many entries from `index` on are leaves that continue each other. */
static unsigned run_length(pt_t table, unsigned index, unsigned end)
{
	ptv_t first = ptp_get(pt_entry(table, index)), v;
	unsigned count = 1;

	for (; ptv_is_leaf(first) && index + count < end; count++) {
		v = ptp_get(pt_entry(table, index + count));
		if (!ptv_is_leaf(v) || ptv_attr(v) != ptv_attr(first) ||
		    ptv_pa(v).value != ptv_pa(first).value + count * pt_size(table.level))
			break;
	}
	return count;
}

static void print_entry(ptv_t v, unsigned index, unsigned count, bool first)
{
	char attr[32];

	printk("%s{\"index\": %u, \"count\": %u, \"raw\": \"%#lx\", \"kind\": \"%s\"",
	       first ? "" : ", ", index, count, ptv_raw(v), kind_name[ptv_kind(v)]);
	if (ptv_is_table(v) || ptv_is_leaf(v))
		printk(", \"pa\": \"%#lx\", \"attr\": \"%s\"", ptv_pa(v).value,
		       show_attr(ptv_attr(v), attr));
	printk("}");
}

/* The entries [index, end) of a table, then the tables below them. */
static void print_table(pt_t table, unsigned index, unsigned end, bool first)
{
	unsigned start = index, count;
	bool first_entry = true;

	printk("%s{\"pa\": \"%#lx\", \"level\": %u, \"edges\": %u, \"live\": %u, \"entries\": [",
	       first ? " " : ",", table.pa.value, table.level, frame_edges(pa_to_frame(table.pa)),
	       pt_meta(table)->live);
	for (; index < end; index += count) {
		ptv_t v = ptp_get(pt_entry(table, index));

		count = run_length(table, index, end);
		if (ptv_none(v))
			continue;
		print_entry(v, index, count, first_entry);
		first_entry = false;
	}
	printk("]}\n");
	for (index = start; index < end; index++) {
		ptv_t v = ptp_get(pt_entry(table, index));

		if (ptv_is_table(v))
			print_table(ptv_to_table(v), 0, PT_ENTRY_COUNT, false);
	}
}

static void dump_tree_json(const struct pt_root *root, const char *format)
{
	pt_t top = root->top;

	printk("{\"format\": \"%s\", \"levels\": %u, \"root\": \"%#lx\", \"first\": \"%#lx\", "
	       "\"last\": \"%#lx\",\n\"tables\": [\n",
	       format, top.level + 1, top.pa.value, root->first, root->last);
	print_table(top, pt_index(root->first, top.level), pt_index(root->last, top.level) + 1,
		    true);
	printk("]}\n");
}
