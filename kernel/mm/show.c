/* Tables as text; see show.h. */
#include <lib/printk.h>
#include <mm/kspace.h>
#include <mm/show.h>
#include <mm/show_tree.h>

const char *show_attr(pt_attr_t attr, char buf[static 32])
{
	static const struct {
		pt_attr_t bit;
		const char *text;
	} flag[] = { { PT_GLOBAL, " global" }, { PT_UC, " uc" },      { PT_YOUNG, " A" },
		     { PT_DIRTY, " D" },       { PT_DEVMAP, " dev" }, { PT_MARK, " mark" } };
	int length = ksnprintf(buf, 32, "%c%c%c%c", attr & PT_R ? 'r' : '-',
			       attr & PT_W ? 'w' : '-', attr & PT_X ? 'x' : '-',
			       attr & PT_U ? 'u' : '-');

	for (unsigned i = 0; i < ARRAY_SIZE(flag); i++) {
		if (attr & flag[i].bit)
			length += ksnprintf(buf + length, 32 - (size_t)length, "%s", flag[i].text);
	}
	return buf;
}

void show_walk(const struct pt_root *root, va_t va)
{
	show_tree_walk(root, va, pt_translate(root, va));
}

/* The root of one half of the tables that this CPU walks. */
static struct pt_root show_current_root(va_t va)
{
	struct pt_root root = kernel_space.root;

	root.top.pa = arch_root_current();
	if (va < root.first) {
		root.last = ~root.first;
		root.first = 0;
	}
	return root;
}

void show_current_walk(va_t va)
{
	struct pt_root root = show_current_root(va);

	show_walk(&root, va);
}

struct show_dump {
	unsigned span_count;
};

static void show_span(void *arg, const struct pt_span *s)
{
	char attr[32];

	((struct show_dump *)arg)->span_count++;
	printk("0x%016lx-0x%016lx %11lu KiB level %u ", s->va, s->last, (s->last - s->va + 1) >> 10,
	       s->level);
	if (s->kind == PT_LEAF)
		printk("pa 0x%012lx %s\n", s->pa.value, show_attr(s->attr, attr));
	else if (s->kind == PT_SOFT)
		printk("soft %#lx\n", s->soft);
	else
		printk("bad\n");
}

unsigned show_dump(const struct pt_root *root, va_t start, va_t end)
{
	struct show_dump dump = { 0 };

	return pt_dump(root, start, end, show_span, &dump) ? 0 : dump.span_count;
}
