/* Dumps in Linux's form; see dump.h. */
#include <arch/image.h>
#include <lib/printk.h>
#include <mm/kspace.h>
#include <shell/dump.h>

/* Where a range begins that has a name in the dump. */
static const struct {
	va_t start;
	const char *name;
} marker[] = {
	{ 0, "User Space" },
	{ DIRECT_BASE, "Low Kernel Mapping" },
	{ DYNAMIC_BASE, "vmalloc() Area" },
	{ IMAGE_BASE, "High Kernel Mapping" },
};

/* Neighbours that look the same in this form, not printed yet. */
struct line {
	va_t start, last;
	unsigned level;
	pt_attr_t attr;
	bool any;
	unsigned next_marker;
};

#define SHOWN (PT_RWX | PT_U | PT_UC | PT_GLOBAL)

static void print_markers(struct line *l)
{
	unsigned found = ARRAY_SIZE(marker);

	for (; l->next_marker < ARRAY_SIZE(marker); l->next_marker++) {
		if (l->start < marker[l->next_marker].start)
			break;
		found = l->next_marker;
	}
	if (found < ARRAY_SIZE(marker))
		printk("---[ %s ]---\n", marker[found].name);
}

static void print_line(struct line *l)
{
	static const char *const level[] = { "pte", "pmd", "pud", "p4d", "pgd" };
	uint64_t size = (l->last - l->start + 1) >> 10;
	const char *unit = "KMGTPE";
	pt_attr_t a = l->attr;

	if (!l->any)
		return;
	print_markers(l);
	for (; !(size & 1023) && unit[1]; size >>= 10)
		unit++;
	printk("0x%016lx-0x%016lx   %9lu%c %s%s%s%s%s%s%s%s%s\n", l->start, l->last + 1, size,
	       *unit, a & PT_U ? "USR " : "    ", a & PT_W ? "RW " : "ro ", "    ",
	       a & PT_UC ? "PCD " : "    ", l->level ? "PSE " : "    ", "    ",
	       a & PT_GLOBAL ? "GLB " : "    ", a & PT_X ? "x  " : "NX ", level[l->level]);
}

static void add_span(void *arg, const struct pt_span *s)
{
	struct line *l = arg;

	if (s->kind != PT_LEAF)
		return;
	if (l->any && s->va == l->last + 1 && s->level == l->level &&
	    (s->attr & SHOWN) == l->attr) {
		l->last = s->last;
		return;
	}
	print_line(l);
	l->start = s->va;
	l->last = s->last;
	l->level = s->level;
	l->attr = s->attr & SHOWN;
	l->any = true;
}

void dump_linux(const struct space *s)
{
	struct line line = { .any = false };

	pt_dump(&s->root, s->root.first, s->root.last + 1, add_span, &line);
	print_line(&line);
}
