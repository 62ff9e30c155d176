/* The oracle; see oracle.h. One pass over all tables, then one over all frames. */
#include <lib/printk.h>
#include <lib/string.h>
#include <mm/kspace.h>
#include <mm/mirror.h>
#include <tests/kernel/oracle.h>

#define ORACLE_PRINT_MAX 8

struct oracle {
	uint32_t *edges; /* by page frame number: entries found so far */
	unsigned violation_count;
	uint64_t table_count[PT_LEVEL_MAX]; /* of the family that is being walked */
	/* of the space that is being walked */
	struct space *space;
	int64_t mapped[MAPPED_KIND_COUNT];
};

/* Where the walk is: what the path above says. */
struct oracle_path {
	va_t va;
	bool writable;  /* every entry above grants W */
	bool exclusive; /* every table above has one edge */
	bool again;     /* the table was seen by another way: entries below are counted already */
};

#define VIOLATION(o, rule, ...)                                  \
	do {                                                     \
		if ((o)->violation_count++ < ORACLE_PRINT_MAX) { \
			printk("oracle: rule %u: ", rule);       \
			printk(__VA_ARGS__);                     \
			printk("\n");                            \
		}                                                \
	} while (0)

/* A leaf is an edge to each block that it covers, intact or exploded. */
static void oracle_count_leaf(struct oracle *o, ptv_t v)
{
	struct frame *f = pa_to_frame(ptv_pa(v)), *end = f + (1ull << (v.level * PT_TABLE_BITS));

	for (; f < end; f += 1ull << f->order)
		o->edges[f - frame_array]++;
}

/* Rule 2, for a leaf of a user space; and the books of its area. */
static void oracle_check_area(struct oracle *o, ptv_t v, const struct oracle_path *path)
{
	const struct area *area = space_find_area(o->space, path->va);
	uint64_t pages = pt_size(v.level) >> PAGE_SHIFT;
	bool leaf = ptv_is_leaf(v), counted = leaf && !(ptv_attr(v) & PT_DEVMAP);

	if (!area || area->end - 1 < (path->va | pt_mask(v.level))) {
		if (o->space != &kernel_space)
			VIOLATION(o, 6, "entry at %#lx lies in no area", path->va);
		return;
	}
	o->mapped[leaf ? area_leaf_kind(area, v) : MAPPED_SWAP] += pages;
	if (leaf && (ptv_attr(v) & PT_RWX & ~area->rights))
		VIOLATION(o, 2, "leaf at %#lx grants more than its area", path->va);
	if (!counted || !area_is_cow(area) || !path->writable || !(ptv_attr(v) & PT_W))
		return;
	if (!path->exclusive ||
	    !frame_span_exclusive(pa_to_frame(ptv_pa(v)), v.level * PT_TABLE_BITS))
		VIOLATION(o, 2, "page at %#lx is writable and not exclusive", path->va);
}

static void oracle_table(struct oracle *o, pt_t table, struct oracle_path path);

static void oracle_entry(struct oracle *o, ptv_t v, struct oracle_path path)
{
	switch (ptv_kind(v)) {
	case PT_TABLE:
		path.writable &= !!(ptv_attr(v) & PT_W);
		if (!path.again)
			path.again = o->edges[ptv_pfn(v)]++ > 0;
		path.exclusive &= frame_edges(pa_to_frame(ptv_pa(v))) == 1;
		if (o->space->user && (ptv_attr(v) & PT_W) &&
		    frame_edges(pa_to_frame(ptv_pa(v))) != 1)
			VIOLATION(o, 2, "entry at %#lx, level %u, grants W to a shared table",
				  path.va, v.level);
		oracle_table(o, ptv_to_table(v), path);
		break;
	case PT_LEAF:
		if (!(ptv_attr(v) & PT_DEVMAP) && !path.again)
			oracle_count_leaf(o, v);
		oracle_check_area(o, v, &path);
		break;
	case PT_SOFT:
		oracle_check_area(o, v, &path);
		break;
	case PT_BAD:
		VIOLATION(o, 1, "bad entry at %#lx, level %u", path.va, v.level);
		break;
	case PT_NONE:
		break;
	}
}

/* Rule 3. `live` entries were found, in the groups of `summary`. */
static void oracle_check_meta(struct oracle *o, pt_t table, unsigned live, uint64_t summary)
{
	const struct pt_meta *meta = pt_meta(table);

	if (meta->live != live)
		VIOLATION(o, 3, "table %#lx, level %u: %u live entries, booked %u", table.pa.value,
			  table.level, live, meta->live);
	if ((summary & ~meta->summary) || (!live && meta->summary))
		VIOLATION(o, 3, "table %#lx, level %u: summary %#lx, found %#lx", table.pa.value,
			  table.level, meta->summary, summary);
}

static void oracle_table(struct oracle *o, pt_t table, struct oracle_path path)
{
	const struct pt_root *root = &o->space->root;
	bool top = table.level == root->top.level;
	unsigned live = 0, first = top ? pt_index(root->first, table.level) : 0;
	unsigned last = top ? pt_index(root->last, table.level) : PT_ENTRY_COUNT - 1;
	uint64_t summary = 0;
	va_t base = path.va;

	if (!path.again)
		o->table_count[table.level]++;
	for (unsigned i = 0; i < PT_ENTRY_COUNT; i++) {
		ptv_t v = ptp_get(pt_entry(table, i));

		if (ptv_none(v))
			continue;
		live++;
		summary |= 1ull << (i >> PT_GROUP_SHIFT);
		path.va = base + ((uint64_t)i << pt_shift(table.level));
		if (i >= first && i <= last)
			oracle_entry(o, v, path);
		else if (!path.again) /* the other half: the kernel's tables */
			o->edges[ptv_pfn(v)]++;
	}
	oracle_check_meta(o, table, live, summary);
}

/* Rule 6 for one space, after its walk. */
static void oracle_check_mapped(struct oracle *o)
{
	for (unsigned i = 0; i < MAPPED_KIND_COUNT; i++) {
		if (space_mapped(o->space, i) != o->mapped[i])
			VIOLATION(o, 6, "%ld pages of kind %u, booked %ld", o->mapped[i], i,
				  space_mapped(o->space, i));
	}
}

/* Rule 6 for one family, after the walks of all its spaces. */
static void oracle_check_tables(struct oracle *o, const struct family *family)
{
	for (unsigned i = 0; i < PT_LEVEL_MAX; i++) {
		if (family->owner.table_count[i] != o->table_count[i])
			VIOLATION(o, 6, "%lu tables of level %u, booked %lu", o->table_count[i], i,
				  family->owner.table_count[i]);
	}
}

static void oracle_space(struct oracle *o, struct space *s)
{
	const struct pt_root *root = &s->root;
	struct oracle_path path = { .writable = true, .exclusive = true };

	o->space = s;
	memset(o->mapped, 0, sizeof(o->mapped));
	if (s == &kernel_space) /* so that its first entry comes to the kernel half */
		path.va = ~pt_mask(root->top.level + 1);
	o->edges[root->top.pa.value >> PAGE_SHIFT]++;
	oracle_table(o, root->top, path);
	oracle_check_mapped(o);
}

/* The family of a space, if the space is its first in the list: so each family comes once. */
static void oracle_family(struct oracle *o, struct space *first)
{
	struct space *s;

	list_for_each(s, &space_list, link) {
		if (s->family == first->family)
			break;
	}
	if (s != first)
		return;
	memset(o->table_count, 0, sizeof(o->table_count));
	list_for_each(s, &space_list, link) {
		if (s->family == first->family)
			oracle_space(o, s);
	}
	oracle_check_tables(o, first->family);
}

/* Rules 1 and 3 for a mirror's tables. */
static void oracle_mirror_table(void *arg, pt_t table, unsigned live, uint64_t summary)
{
	struct oracle *o = arg;

	o->edges[table.pa.value >> PAGE_SHIFT]++;
	oracle_check_meta(o, table, live, summary);
}

/* Rule 5: the space says the same of every page of the leaf, with no less right. */
static int oracle_mirror_leaf(void *arg, const struct pt_span *leaf)
{
	struct oracle *o = arg;

	for (va_t va = leaf->va; va <= leaf->last; va += PAGE_SIZE) {
		struct pt_span s = pt_translate(&o->space->root, va);

		if (s.kind != PT_LEAF || (leaf->attr & PT_RWX & ~s.attr) ||
		    s.pa.value != leaf->pa.value + (va - leaf->va))
			VIOLATION(o, 5, "%#lx: mirror %#lx, rights %x; space %#lx, rights %x", va,
				  leaf->pa.value + (va - leaf->va), leaf->attr & PT_RWX, s.pa.value,
				  s.attr & PT_RWX);
	}
	return 0;
}

static void oracle_mirror(struct oracle *o, struct mirror *m)
{
	m->format->each_table(&m->root, oracle_mirror_table, o);
	o->space = m->space;
	if (m->space)
		mirror_walk(m, m->root.first, m->root.last + 1, oracle_mirror_leaf, o);
}

/* Rule 1, for every frame there is. */
static void oracle_check_frames(struct oracle *o)
{
	for (pfn_t i = 0; i < frame_limit; i++) {
		const struct frame *f = &frame_array[i];
		uint32_t expected = o->edges[i];

		if (f->kind == FRAME_DATA && (f->flags & FRAME_FLAG_OBJECT))
			expected++;
		else if (f->kind != FRAME_TABLE && f->kind != FRAME_DATA && !expected)
			continue;
		if (frame_edges(f) != expected)
			VIOLATION(o, 1, "frame %#lx, kind %u: %u edges, %u found", i << PAGE_SHIFT,
				  f->kind, frame_edges(f), expected);
	}
}

unsigned oracle_check(void)
{
	struct oracle o = { .violation_count = 0 };
	struct frame *room;
	struct space *s;
	struct mirror *m;
	unsigned order = 0;

	while ((PAGE_SIZE << order) < frame_limit * sizeof(*o.edges))
		order++;
	room = frame_alloc_zeroed(order, FRAME_KERNEL);
	if (!room) {
		printk("oracle: no memory for its own books\n");
		return 1;
	}
	o.edges = pa_to_ptr(frame_to_pa(room));
	oracle_space(&o, &kernel_space);
	oracle_check_tables(&o, kernel_space.family);
	list_for_each(s, &space_list, link)
		oracle_family(&o, s);
	list_for_each(m, &mirror_list, link)
		oracle_mirror(&o, m);
	oracle_check_frames(&o);
	frame_put(room);
	return o.violation_count;
}
