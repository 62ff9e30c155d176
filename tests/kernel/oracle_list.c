/* Reading tables without the library; see oracle_list.h. */
#include <lib/printk.h>
#include <mm/frame.h>
#include <mm/show.h>
#include <tests/kernel/oracle_list.h>

#define LIST_AD (PT_YOUNG | PT_DIRTY)
#define LIST_RIGHTS (PT_RWX | PT_U)

/* ---- The formats, from the manuals. ---- */

static const uint64_t *list_frame_table(uint64_t pa)
{
	return pa_to_ptr(PA(pa));
}

#define BIT(bits, n, attr) ((bits) >> (n)&1 ? (attr) : 0)
#define LIST_ADDRESS 0x000ffffffffff000ull

/* SDM vol. 3, 4.5; of what is not present: bit 11 soft, bit 3 a leaf without R. */
static struct oracle_entry list_decode_x86(uint64_t v, unsigned level)
{
	bool present = v & 1, huge = level && (v >> 7 & 1);
	struct oracle_entry e = {
		.kind = level && !huge ? PT_TABLE : PT_LEAF,
		.attr = BIT(v, 0, PT_R) | BIT(v, 1, PT_W) | BIT(v, 2, PT_U) | BIT(~v, 63, PT_X),
		.value = v & LIST_ADDRESS,
	};

	if (!v)
		return (struct oracle_entry){ PT_NONE, 0, 0 };
	if (!present && (v >> 11 & 1))
		return (struct oracle_entry){ v & 0x7ff ? PT_BAD : PT_SOFT, 0, v >> 12 };
	if ((v >> 52 & 0x7ff) || (!present && (!(v >> 3 & 1) || e.kind == PT_TABLE)))
		return (struct oracle_entry){ PT_BAD, 0, v };
	if (e.kind == PT_LEAF)
		e.attr |= BIT(v, 4, PT_UC) | BIT(v, 5, PT_YOUNG) | BIT(v, 6, PT_DIRTY) |
			  BIT(v, 8, PT_GLOBAL) | BIT(v, 9, PT_DEVMAP) | BIT(v, 10, PT_MARK);
	return e;
}

/* VT-d specification, 9.8; the unit knows R and W, we note U and X in bits that it ignores. */
static struct oracle_entry list_decode_vtd(uint64_t v, unsigned level)
{
	bool present = v & 3, huge = level && (v >> 7 & 1);
	struct oracle_entry e = {
		.kind = level && !huge ? PT_TABLE : PT_LEAF,
		.attr = BIT(v, 0, PT_R) | BIT(v, 1, PT_W) | BIT(v, 54, PT_X) | BIT(v, 55, PT_U),
		.value = v & LIST_ADDRESS,
	};

	if (!v)
		return (struct oracle_entry){ PT_NONE, 0, 0 };
	if (!present && (v >> 11 & 1))
		return (struct oracle_entry){ v & 0x7ff ? PT_BAD : PT_SOFT, 0, v >> 12 };
	if (v >> 62 || (!present && (!(v >> 10 & 1) || e.kind == PT_TABLE)))
		return (struct oracle_entry){ PT_BAD, 0, v };
	if (e.kind == PT_LEAF)
		e.attr |= BIT(v, 8, PT_YOUNG) | BIT(v, 9, PT_DIRTY) | BIT(v, 52, PT_MARK) |
			  BIT(v, 53, PT_DEVMAP) | BIT(v, 56, PT_UC) | BIT(v, 57, PT_GLOBAL);
	return e;
}

const struct oracle_format oracle_x86 = { "cpu", 12, 9, list_frame_table, list_decode_x86 };
const struct oracle_format oracle_vtd = { "vtd", 12, 9, list_frame_table, list_decode_vtd };

/* ---- The list. ---- */

static bool range_continues(const struct oracle_format *f, const struct oracle_range *a,
			    const struct oracle_range *b)
{
	uint64_t bytes = b->va - a->va;

	return a->last + 1 == b->va && a->kind == b->kind && a->attr == b->attr &&
	       a->kind != PT_BAD &&
	       a->value + (a->kind == PT_LEAF ? bytes : bytes >> f->page_shift) == b->value;
}

static void list_append(struct oracle_list *list, const struct oracle_format *f,
			const struct oracle_range *r)
{
	if (list->count && range_continues(f, &list->range[list->count - 1], r))
		list->range[list->count - 1].last = r->last;
	else if (list->count < ORACLE_RANGES)
		list->range[list->count++] = *r;
	else
		list->overflow = true;
}

static pt_attr_t effective(pt_attr_t attr, pt_attr_t rights)
{
	return attr & (rights | ~LIST_RIGHTS) & ~LIST_AD;
}

/* One table, the entry for `base` at index 0; only what lies in the root's addresses. */
static void list_table(struct oracle_list *list, const struct oracle_root *root, uint64_t table,
		       unsigned level, va_t base, pt_attr_t rights)
{
	const struct oracle_format *f = root->format;
	const uint64_t *word = f->table(table);

	for (unsigned i = 0; i < 1u << f->table_bits; i++) {
		va_t va = base + ((uint64_t)i << oracle_shift(f, level));
		struct oracle_entry e = f->decode(word[i], level);
		struct oracle_range r = { va, oracle_entry_last(f, va, level), e.kind,
					  effective(e.attr, rights), e.value };

		if (e.kind == PT_NONE || va < root->first || va > root->last)
			continue;
		if (e.kind == PT_TABLE)
			list_table(list, root, e.value, level - 1, va, rights & e.attr);
		else
			list_append(list, f, &r);
	}
}

/* The address of the top table's first entry: above the root's addresses, sign and all. */
static va_t root_base(const struct oracle_root *root)
{
	unsigned bits = oracle_shift(root->format, root->level) + root->format->table_bits;

	return bits < 64 ? root->first >> bits << bits : 0;
}

void oracle_list_read(struct oracle_list *list, const struct oracle_root *root)
{
	list->count = 0;
	list->overflow = false;
	list_table(list, root, root->top, root->level, root_base(root), LIST_RIGHTS);
}

struct oracle_range oracle_translate(const struct oracle_root *root, va_t va)
{
	const struct oracle_format *f = root->format;
	pt_attr_t rights = LIST_RIGHTS;
	uint64_t table = root->top;

	for (unsigned level = root->level;; level--) {
		unsigned index = va >> oracle_shift(f, level) & ((1u << f->table_bits) - 1);
		struct oracle_entry e = f->decode(f->table(table)[index], level);
		va_t last = oracle_entry_last(f, va, level);
		uint64_t inside = va & ((1ull << oracle_shift(f, level)) - 1);

		if (e.kind != PT_TABLE)
			return (struct oracle_range){ va, last, e.kind, effective(e.attr, rights),
						      e.kind == PT_LEAF ? e.value + inside
									: e.value };
		rights &= e.attr;
		table = e.value;
	}
}

/* ---- Comparing. ---- */

/* What is left of the list from va on; behind its end a range of nothing. */
static struct oracle_range list_at(const struct oracle_list *list, unsigned *i, va_t va)
{
	struct oracle_range r = { va, ~0ull, PT_NONE, 0, 0 };

	while (*i < list->count && list->range[*i].last < va)
		++*i;
	if (*i == list->count)
		return r;
	if (list->range[*i].va > va) {
		r.last = list->range[*i].va - 1;
		return r;
	}
	r = list->range[*i];
	r.value += r.kind == PT_LEAF ? va - r.va : 0;
	r.va = va;
	return r;
}

bool oracle_list_differ(const struct oracle_list *a, const struct oracle_list *b, va_t *va,
			va_t *last)
{
	unsigned i = 0, j = 0;

	for (va_t at = 0;; at = *last + 1) {
		struct oracle_range x = list_at(a, &i, at), y = list_at(b, &j, at);

		*va = at;
		*last = x.last < y.last ? x.last : y.last;
		if (x.kind != y.kind || x.attr != y.attr ||
		    (x.kind == PT_LEAF && x.value != y.value))
			return true;
		if (*last == ~0ull)
			return false;
	}
}

/* ---- Printing. ---- */

static void print_entry(const struct oracle_entry *e, unsigned level, unsigned index, uint64_t bits)
{
	static const char *const kind[] = { "none", "table", "leaf", "soft", "bad" };
	char attr[32];

	printk("oracle:   level %u [%3u] %#018lx %s", level, index, bits, kind[e->kind]);
	if (e->kind == PT_TABLE || e->kind == PT_LEAF)
		printk(" %#lx %s, %u edges", e->value, show_attr(e->attr, attr),
		       pa_has_frame(PA(e->value)) ? frame_edges(pa_to_frame(PA(e->value))) : 0);
	printk("\n");
}

void oracle_print_walk(const struct oracle_root *root, va_t va)
{
	const struct oracle_format *f = root->format;
	uint64_t table = root->top;

	printk("oracle:  %s, top table %#lx, %#lx:\n", f->name, table, va);
	for (unsigned level = root->level;; level--) {
		unsigned index = va >> oracle_shift(f, level) & ((1u << f->table_bits) - 1);
		uint64_t bits = f->table(table)[index];
		struct oracle_entry e = f->decode(bits, level);

		print_entry(&e, level, index, bits);
		if (e.kind != PT_TABLE)
			return;
		table = e.value;
	}
}

/* Does the leaf or table entry lead to the address? */
static bool leads_to(const struct oracle_format *f, const struct oracle_entry *e, unsigned level,
		     uint64_t pa)
{
	if (e->kind == PT_TABLE)
		return e->value == pa;
	return e->kind == PT_LEAF && pa - e->value < 1ull << oracle_shift(f, level);
}

static unsigned print_paths(const struct oracle_root *root, uint64_t table, unsigned level,
			    va_t base, uint64_t pa, unsigned max)
{
	const struct oracle_format *f = root->format;
	unsigned found = 0;

	for (unsigned i = 0; i < 1u << f->table_bits && found < max; i++) {
		va_t va = base + ((uint64_t)i << oracle_shift(f, level));
		struct oracle_entry e = f->decode(f->table(table)[i], level);

		if (e.kind == PT_NONE || va < root->first || va > root->last)
			continue;
		if (leads_to(f, &e, level, pa)) {
			oracle_print_walk(root, va);
			found++;
		} else if (e.kind == PT_TABLE) {
			found += print_paths(root, e.value, level - 1, va, pa, max - found);
		}
	}
	return found;
}

unsigned oracle_print_paths(const struct oracle_root *root, uint64_t pa, unsigned max)
{
	return print_paths(root, root->top, root->level, root_base(root), pa, max);
}
