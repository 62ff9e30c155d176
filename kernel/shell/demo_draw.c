/*
 * Drawing paths: see demo.h. Reads tables through the library, changes nothing.
 *
 *            parent: may r--u                    child: may r--u
 *   level 4   0x1ffd3000 [  0] r-xu               0x1ffc1000 [  0] r-xu
 *                    |                                   |
 *                    +-----------------+-----------------+
 *                                      |
 *   level 3                     0x1ffd2000 [ 36] rwxu  2 edges
 *   ...
 *   page                        0x1ee00000 holds 1, 1 edge
 */
#include <lib/printk.h>
#include <mm/frame.h>
#include <mm/show.h>
#include <shell/demo.h>

#define COLUMN 36 /* characters a path */
#define TEXT_BYTES (COLUMN + 4)

static const char rule[] =
	"============================================================================";

void demo_title(const char *fmt, ...)
{
	__builtin_va_list args;
	char text[76];
	int length;

	__builtin_va_start(args, fmt);
	length = kvsnprintf(text, sizeof(text), fmt, args);
	__builtin_va_end(args);
	printk("\n== %s %.*s\n\n", text, length < 76 ? 76 - length : 0, rule);
}

/* One path: at each level the entry that was read, and the table that it lies in. */
struct path {
	unsigned top, bottom; /* levels */
	struct {
		pt_t table;
		unsigned index;
		ptv_t v;
	} step[PT_LEVEL_MAX];
	struct pt_span span;
};

static struct path read_path(const struct space *s, va_t va)
{
	const struct pt_root *root = &s->root;
	struct path path = { .top = root->top.level, .span = pt_translate(root, va) };
	unsigned level = path.top;
	pt_t table = root->top;
	ptp_t p = pt_top(root, va);
	ptv_t v = ptp_get(p);

	for (;; table = ptv_to_table(v), p = pt_walk(v, va), v = ptp_get(p), level--) {
		path.step[level].table = table;
		path.step[level].index = ptp_index(p);
		path.step[level].v = v;
		if (!ptv_is_table(v))
			break;
	}
	path.bottom = level;
	return path;
}

static bool is_page(const struct path *path)
{
	return path->span.kind == PT_LEAF;
}

static const char *rights_of(pt_attr_t attr, char text[static 32])
{
	return show_attr(attr & (PT_RWX | PT_U), text);
}

static void format_step(char text[static TEXT_BYTES], const struct path *path, unsigned level)
{
	pt_t table = path->step[level].table;
	ptv_t v = path->step[level].v;
	uint32_t edges = frame_edges(pa_to_frame(table.pa));
	char attr[32];
	int length;

	text[0] = '\0';
	if (level < path->bottom)
		return;
	length = ksnprintf(text, TEXT_BYTES, "%#11lx [%3u] %s", table.pa.value,
			   path->step[level].index,
			   ptv_none(v) ? "none" : rights_of(ptv_attr(v), attr));
	if (level < path->top && edges > 1)
		ksnprintf(text + length, TEXT_BYTES - (size_t)length, "  %u edges", edges);
}

static void format_page(char text[static TEXT_BYTES], const struct path *path)
{
	pa_t pa = path->span.pa;
	uint32_t edges;

	text[0] = '\0';
	if (!is_page(path))
		return;
	edges = frame_edges(pa_to_frame(pa));
	ksnprintf(text, TEXT_BYTES, "%#11lx holds %lu, %u edge%s", pa.value,
		  *(uint64_t *)pa_to_ptr(pa), edges, edges == 1 ? "" : "s");
}

static void print_head(const char *name, const struct path *path, int width)
{
	char attr[32], text[TEXT_BYTES];

	ksnprintf(text, sizeof(text), "%s: may %s", name,
		  rights_of(is_page(path) ? path->span.attr : 0, attr));
	printk("%-*s", width, text);
}

static void print_join(void)
{
	printk("%18s%36s\n", "|", "|");
	printk("%18s%.17s+%.17s+\n", "+", "-----------------", "-----------------");
	printk("%36s\n", "|");
}

/* A drawing in progress; `right` may be NULL. */
struct drawing {
	const struct path *left, *right;
	bool joined;
};

/* One row: two texts while the paths are apart, the left one in the middle when they have met. */
static void print_row(struct drawing *d, bool same, const char *label, const char *left,
		      const char *right)
{
	if (same && !d->joined)
		print_join();
	d->joined = same;
	if (same)
		printk("  %-8s %17s%s\n", label, "", left);
	else if (d->right)
		printk("  %-8s %-*s%s\n", label, COLUMN, left, right);
	else
		printk("  %-8s %s\n", label, left);
}

static void draw_step(struct drawing *d, unsigned level)
{
	char label[12], left[TEXT_BYTES], right[TEXT_BYTES] = "";
	bool same = d->right && level >= d->right->bottom &&
		    pa_equal(d->left->step[level].table.pa, d->right->step[level].table.pa);

	ksnprintf(label, sizeof(label), "level %u", level);
	format_step(left, d->left, level);
	if (d->right)
		format_step(right, d->right, level);
	print_row(d, same, label, left, right);
}

static void draw_page(struct drawing *d)
{
	char left[TEXT_BYTES], right[TEXT_BYTES] = "";
	bool same = d->right && is_page(d->left) && is_page(d->right) &&
		    pa_equal(d->left->span.pa, d->right->span.pa);

	format_page(left, d->left);
	if (d->right)
		format_page(right, d->right);
	print_row(d, same, "page", left, right);
}

void demo_draw_paths(const struct space *left, const char *left_name, const struct space *right,
		     const char *right_name, va_t va)
{
	struct path l = read_path(left, va), r = { 0 };
	struct drawing d = { .left = &l };

	printk("%11s", "");
	print_head(left_name, &l, right ? COLUMN : 0);
	if (right) {
		r = read_path(right, va);
		d.right = &r;
		print_head(right_name, &r, 0);
	}
	printk("\n");
	for (unsigned level = l.top + 1; level-- > l.bottom;)
		draw_step(&d, level);
	draw_page(&d);
	printk("\n");
}
