/*
 * The oracle; see oracle.h. One pass over all tables, then one over the frames.
 */
#include <lib/printk.h>
#include <lib/string.h>
#include <mm/kspace.h>
#include <mm/mirror.h>
#include <tests/kernel/oracle.h>
#include <tests/kernel/oracle_books.h>
#include <tests/kernel/oracle_list.h>
#include <tests/kernel/oracle_report.h>
#include <tests/kernel/touch.h>

struct oracle {
	struct books books;
	bool all;                           /* kernel and frames, too */
	uint64_t table_count[PT_LEVEL_MAX]; /* of the family or mirror that is being walked */
	const struct oracle_root *root;     /* that is being walked */
	struct space *space;                /* whose it is; NULL: a mirror's */
	const struct area *area;            /* that the walk came to last */
	int64_t mapped[MAPPED_KIND_COUNT];  /* of the space */
};

/* Where the walk is: what the path above says. */
struct oracle_path {
	va_t va;
	bool writable;  /* every entry above grants W */
	bool exclusive; /* every table above has one edge */
	bool again;     /* the table was seen by another way: entries below are counted already */
};

/* ---- Entries. ---- */

/* A leaf is an edge to each block that it covers, intact or exploded. */
static void oracle_count_leaf(struct oracle *o, const struct oracle_entry *e, unsigned level)
{
	struct frame *f = pa_to_frame(PA(e->value)), *end = f + (1ull << level * 9);

	for (; f < end; f += 1ull << f->order)
		books_add(&o->books, (uint64_t)(f - frame_array));
}

/* The area that holds va. Walks come by in order, so it is mostly that of last time. */
static const struct area *oracle_area(struct oracle *o, va_t va)
{
	if (!o->area || va < o->area->start || va >= o->area->end)
		o->area = space_find_area(o->space, va);
	return o->area;
}

static enum mapped_kind oracle_kind(const struct area *area, const struct oracle_entry *e)
{
	if (e->kind == PT_SOFT)
		return MAPPED_SWAP;
	if (area->kind == AREA_DEVICE)
		return MAPPED_DEVICE;
	if (e->attr & PT_DEVMAP)
		return MAPPED_ZERO;
	return pa_to_frame(PA(e->value))->flags & FRAME_FLAG_OBJECT ? MAPPED_OBJECT : MAPPED_ANON;
}

/* Rule 2, for a leaf of a user space; and the books of its area. */
static void oracle_check_area(struct oracle *o, const struct oracle_entry *e, unsigned level,
			      const struct oracle_path *path)
{
	va_t last = oracle_entry_last(o->root->format, path->va, level);
	const struct area *area = oracle_area(o, path->va);

	if (!area || area->end - 1 < last) {
		if (o->space != &kernel_space)
			oracle_violation(o->root, 6, path->va, last, "an entry lies in no area");
		return;
	}
	o->mapped[oracle_kind(area, e)] += 1ll << level * 9;
	if (e->kind != PT_LEAF)
		return;
	if (e->attr & PT_RWX & ~area->rights)
		oracle_violation(o->root, 2, path->va, last, "a leaf grants more than its area");
	if ((e->attr & PT_DEVMAP) || !area_is_cow(area) || !path->writable || !(e->attr & PT_W))
		return;
	if (!path->exclusive || !frame_span_exclusive(pa_to_frame(PA(e->value)), level * 9))
		oracle_violation_of(o->root, 2, path->va, last, e->value,
				    "private memory is writable and not exclusive");
}

static void oracle_table(struct oracle *o, uint64_t table, unsigned level, struct oracle_path path);

static void oracle_table_entry(struct oracle *o, const struct oracle_entry *e, unsigned level,
			       struct oracle_path path)
{
	uint32_t edges = frame_edges(pa_to_frame(PA(e->value)));

	path.writable &= !!(e->attr & PT_W);
	path.exclusive &= edges == 1;
	if (!path.again)
		path.again = books_add(&o->books, e->value >> PAGE_SHIFT) > 0;
	if (o->space && o->space->user && (e->attr & PT_W) && edges != 1)
		oracle_violation_of(o->root, 2, path.va,
				    oracle_entry_last(o->root->format, path.va, level), e->value,
				    "an entry grants W to a shared table");
	oracle_table(o, e->value, level - 1, path);
}

static void oracle_entry(struct oracle *o, uint64_t bits, unsigned level,
			 const struct oracle_path *path)
{
	struct oracle_entry e = o->root->format->decode(bits, level);
	va_t last = oracle_entry_last(o->root->format, path->va, level);

	if (e.kind == PT_BAD)
		oracle_violation(o->root, 1, path->va, last, "a bad entry");
	else if (e.kind == PT_TABLE)
		oracle_table_entry(o, &e, level, *path);
	else if (!o->space)
		oracle_check_mirrored(o->root, path->va, last);
	else
		oracle_check_area(o, &e, level, path);
	if (e.kind == PT_LEAF && o->space && !(e.attr & PT_DEVMAP) && !path->again)
		oracle_count_leaf(o, &e, level);
}

/* ---- Tables. ---- */

/* Rule 3. `live` entries were found, in the groups of `summary`. */
static void oracle_check_meta(const struct oracle_root *root, uint64_t table, unsigned level,
			      const struct oracle_path *path, unsigned live, uint64_t summary)
{
	const struct pt_meta *meta = &pa_to_frame(PA(table))->meta;
	va_t last = oracle_entry_last(root->format, path->va, level + 1);

	if (meta->live != live)
		oracle_violation(root, 3, path->va, last,
				 "table %#lx, level %u: %u live entries, booked %u", table, level,
				 live, meta->live);
	if ((summary & ~meta->summary) || (!live && meta->summary))
		oracle_violation(root, 3, path->va, last,
				 "table %#lx, level %u: summary %#lx, found %#lx", table, level,
				 meta->summary, summary);
}

unsigned oracle_check_table(const struct frame *table)
{
	const struct oracle_path path = { .va = 0 };
	const struct oracle_root root = { &oracle_x86, frame_to_pa(table).value, table->meta.level,
					  0, ~0ull };
	const uint64_t *word = pa_to_ptr(frame_to_pa(table));
	unsigned live = 0;
	uint64_t summary = 0;

	oracle_report_begin();
	for (unsigned i = 0; i < 512; i++) {
		live += word[i] != 0;
		summary |= (uint64_t)(word[i] != 0) << (i >> 3);
	}
	oracle_check_meta(&root, root.top, root.level, &path, live, summary);
	return oracle_report.count;
}

static void oracle_table(struct oracle *o, uint64_t table, unsigned level, struct oracle_path path)
{
	const uint64_t *word = pa_to_ptr(PA(table));
	const bool top = level == o->root->level;
	struct oracle_path at = path;
	unsigned live = 0;
	uint64_t summary = 0;

	o->table_count[level] += !path.again;
	for (unsigned i = 0; i < 512; i++) {
		if (!(i & 7) && !(word[i] | word[i + 1] | word[i + 2] | word[i + 3] | word[i + 4] |
				  word[i + 5] | word[i + 6] | word[i + 7])) {
			i += 7;
			continue;
		}
		if (!word[i])
			continue;
		live++;
		summary |= 1ull << (i >> 3);
		at.va = path.va + ((uint64_t)i << oracle_shift(o->root->format, level));
		if (!top || (at.va >= o->root->first && at.va <= o->root->last))
			oracle_entry(o, word[i], level, &at);
		else if (o->all) /* the other half: the kernel's tables */
			books_add(&o->books, (word[i] & 0x000ffffffffff000ull) >> PAGE_SHIFT);
	}
	oracle_check_meta(o->root, table, level, &path, live, summary);
}

static void oracle_walk(struct oracle *o, const struct oracle_root *root)
{
	struct oracle_path path = { .writable = true, .exclusive = true };

	o->root = root;
	if (root->first >> 63) /* so that the first entry comes to the kernel half */
		path.va = ~((1ull << oracle_shift(root->format, root->level + 1)) - 1);
	books_add(&o->books, root->top >> PAGE_SHIFT);
	oracle_table(o, root->top, root->level, path);
}

/* ---- Spaces and families. ---- */

/* Rule 6 for one space, after its walk. */
static void oracle_check_mapped(struct oracle *o)
{
	for (unsigned i = 0; i < MAPPED_KIND_COUNT; i++) {
		if (space_mapped(o->space, i) != o->mapped[i])
			oracle_violation(o->root, 6, o->root->first, o->root->last,
					 "%ld pages of kind %u, booked %ld", o->mapped[i], i,
					 space_mapped(o->space, i));
	}
}

/* Rule 6 for the tables of one family, or of a mirror. */
static void oracle_check_tables(struct oracle *o, const struct pt_owner *owner)
{
	for (unsigned i = 0; i < PT_LEVEL_MAX; i++) {
		if (owner->table_count[i] != o->table_count[i])
			oracle_violation(o->root, 6, o->root->first, o->root->last,
					 "%lu tables of level %u, booked %lu", o->table_count[i], i,
					 owner->table_count[i]);
	}
}

static void oracle_space(struct oracle *o, struct space *s)
{
	static struct oracle_root root;

	root = oracle_root_of(s);
	o->space = s;
	o->area = NULL;
	memset(o->mapped, 0, sizeof(o->mapped));
	oracle_walk(o, &root);
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
	oracle_check_tables(o, &first->family->owner);
}

/* Rule 5, and rules 1, 3 and 6 for its tables. */
static void oracle_mirror(struct oracle *o, struct mirror *m)
{
	struct oracle_root root = oracle_root_of_mirror(m);

	o->space = NULL;
	memset(o->table_count, 0, sizeof(o->table_count));
	oracle_mirrored_space = m->space;
	oracle_walk(o, &root);
	oracle_check_tables(o, &m->owner);
}

/* ---- Frames: rule 1. ---- */

static void oracle_check_frame(const struct frame *f, uint32_t found)
{
	uint32_t expected = found + (f->kind == FRAME_DATA && (f->flags & FRAME_FLAG_OBJECT));

	if (frame_edges(f) != expected)
		oracle_violation_of(NULL, 1, 0, 0, frame_to_pa(f).value,
				    "frame %#lx, kind %u: %u edges, %u found", frame_to_pa(f).value,
				    f->kind, frame_edges(f), expected);
}

/* Of the frames that entries lead to; and of those that should have one, but have none. */
static void oracle_check_frames(struct oracle *o)
{
	const struct book *b = &o->books.book[o->books.newest];

	for (uint32_t left = o->books.used; left; left--, b = &o->books.book[b->before])
		oracle_check_frame(&frame_array[b->pfn], b->edges);
	for (pfn_t i = 0; o->all && i < frame_limit; i++) {
		const struct frame *f = &frame_array[i];

		if ((f->kind == FRAME_TABLE || f->kind == FRAME_DATA) &&
		    !books_find(&o->books, i)->edges)
			oracle_check_frame(f, 0);
	}
}

/* ---- All of it. ---- */

static void oracle_run(struct oracle *o)
{
	struct space *s;
	struct mirror *m;

	if (o->all) {
		oracle_space(o, &kernel_space);
		oracle_check_tables(o, &kernel_space.family->owner);
	}
	list_for_each(s, &space_list, link)
		oracle_family(o, s);
	list_for_each(m, &mirror_list, link)
		oracle_mirror(o, m);
	oracle_check_frames(o);
}

/* The usual room for the books, or a larger one, in *room, if more frames are in use. */
static bool oracle_open_books(struct books *books, struct frame **room)
{
	static struct book usual[BOOKS_STATIC];
	static uint32_t check;
	uint64_t entries = 2 * (frame_total_count() - frame_free_count());
	unsigned order = 0;

	*books = (struct books){ usual, BOOKS_STATIC - 1, ++check, 0, 0 };
	*room = NULL;
	if (entries <= BOOKS_STATIC)
		return true;
	while (PAGE_SIZE << order < entries * sizeof(struct book))
		order++;
	*room = frame_alloc_zeroed(order, FRAME_KERNEL);
	if (!*room)
		return false;
	books->book = pa_to_ptr(frame_to_pa(*room));
	books->mask = 0;
	while ((2ull * books->mask + 2) * sizeof(struct book) <= PAGE_SIZE << order)
		books->mask = 2 * books->mask + 1;
	return true;
}

static unsigned oracle_do_check(bool all)
{
	struct oracle o = { .all = all };
	struct frame *room;

	oracle_report_begin();
	if (!oracle_open_books(&o.books, &room)) {
		printk("oracle: no memory for its own books\n");
		return ++oracle_report.count;
	}
	oracle_run(&o);
	if (room)
		frame_put(room);
	return oracle_report.count;
}

unsigned oracle_check(void)
{
	return oracle_do_check(true);
}

unsigned oracle_check_spaces(void)
{
	return oracle_do_check(false);
}
