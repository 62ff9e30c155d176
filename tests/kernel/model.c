/* The specification; see model.h. Errors are named as POSIX does, and nothing else is shared. */
#include <lib/string.h>
#include <mm/pt/pt_types.h>
#include <tests/kernel/model.h>

void model_reset(struct model *m)
{
	memset(m, 0, sizeof(*m));
}

bool model_has_room(const struct model *m, unsigned space)
{
	const struct model_space *s = &m->space[space];

	return s->area_count + 3 <= MODEL_AREAS && s->own.count < MODEL_PAGES &&
	       m->object_count < MODEL_OBJECTS;
}

/* ---- Pages. ---- */

/* The index of the first page at or behind this one. */
static unsigned pages_find(const struct model_pages *p, uint64_t page)
{
	unsigned i = 0;

	while (i < p->count && p->page[i].page < page)
		i++;
	return i;
}

static struct model_page *pages_at(const struct model_pages *p, uint64_t page)
{
	unsigned i = pages_find(p, page);

	return i < p->count && p->page[i].page == page ? (struct model_page *)&p->page[i] : NULL;
}

/* The page's entry, made if need be. NULL: no room, and then nobody has touched it. */
static struct model_page *pages_make(struct model_pages *p, uint64_t page)
{
	struct model_page *found = pages_at(p, page);
	unsigned at = pages_find(p, page);

	if (found || p->count == MODEL_PAGES)
		return found;
	for (unsigned i = p->count++; i > at; i--)
		p->page[i] = p->page[i - 1];
	p->page[at] = (struct model_page){ page, 0, MODEL_ABSENT };
	return &p->page[at];
}

static void pages_remove(struct model_pages *p, uint64_t first, uint64_t last)
{
	unsigned from = pages_find(p, first), to = from;

	while (to < p->count && p->page[to].page <= last)
		to++;
	for (unsigned i = to; i < p->count; i++)
		p->page[from + i - to] = p->page[i];
	p->count -= to - from;
}

/* ---- Areas. ---- */

static unsigned area_find(const struct model_space *s, uint64_t page)
{
	unsigned i = 0;

	while (i < s->area_count && s->area[i].last < page)
		i++;
	return i;
}

const struct model_area *model_area(const struct model *m, unsigned space, uint64_t page)
{
	const struct model_space *s = &m->space[space];
	unsigned i = area_find(s, page);

	return i < s->area_count && s->area[i].first <= page ? &s->area[i] : NULL;
}

static void area_insert_at(struct model_space *s, unsigned at, struct model_area area)
{
	for (unsigned i = s->area_count++; i > at; i--)
		s->area[i] = s->area[i - 1];
	s->area[at] = area;
}

/* No area reaches from before the page into it afterwards. */
static void area_cut(struct model_space *s, uint64_t page)
{
	unsigned i = area_find(s, page);
	struct model_area upper;

	if (i == s->area_count || s->area[i].first >= page)
		return;
	upper = s->area[i];
	upper.base += page - upper.first;
	upper.first = page;
	s->area[i].last = page - 1;
	area_insert_at(s, i + 1, upper);
}

/* Areas end at both borders. The index of the first one inside. */
static unsigned area_cut_range(struct model_space *s, uint64_t first, uint64_t last)
{
	area_cut(s, first);
	area_cut(s, last + 1);
	return area_find(s, first);
}

int model_map(struct model *m, unsigned space, uint64_t first, uint64_t last, unsigned flags,
	      unsigned rights)
{
	struct model_space *s = &m->space[space];
	unsigned at = area_find(s, first);
	struct model_area area = { first, last, flags, rights, 0, 0 };

	if (at < s->area_count && s->area[at].first <= last)
		return -EEXIST;
	if (flags & MODEL_SHARED)
		area.object = m->object_count++;
	area_insert_at(s, at, area);
	return 0;
}

int model_unmap(struct model *m, unsigned space, uint64_t first, uint64_t last)
{
	struct model_space *s = &m->space[space];
	unsigned from = area_cut_range(s, first, last), to = from;

	while (to < s->area_count && s->area[to].last <= last)
		to++;
	for (unsigned i = to; i < s->area_count; i++)
		s->area[from + i - to] = s->area[i];
	s->area_count -= to - from;
	pages_remove(&s->own, first, last);
	return 0;
}

static bool area_covers(const struct model_space *s, uint64_t first, uint64_t last)
{
	for (unsigned i = area_find(s, first); i < s->area_count && s->area[i].first <= first;
	     i++) {
		if (s->area[i].last >= last)
			return true;
		first = s->area[i].last + 1;
	}
	return false;
}

int model_protect(struct model *m, unsigned space, uint64_t first, uint64_t last, unsigned rights)
{
	struct model_space *s = &m->space[space];

	if (!area_covers(s, first, last))
		return -ENOENT;
	for (unsigned i = area_cut_range(s, first, last);
	     i < s->area_count && s->area[i].last <= last; i++)
		s->area[i].rights = rights;
	return 0;
}

/* ---- Spaces. ---- */

void model_create(struct model *m, unsigned space)
{
	memset(&m->space[space], 0, sizeof(m->space[space]));
	m->space[space].alive = true;
}

void model_exit(struct model *m, unsigned space)
{
	m->space[space].alive = false;
}

void model_fork(struct model *m, unsigned from, unsigned to)
{
	const struct model_space *parent = &m->space[from];

	m->space[to] = *parent;
	for (unsigned i = 0; i < parent->area_count; i++)
		if (parent->area[i].flags & MODEL_NOFORK)
			model_unmap(m, to, parent->area[i].first, parent->area[i].last);
}

/* ---- Accesses. ---- */

bool model_may(const struct model *m, unsigned space, uint64_t page, unsigned access)
{
	const struct model_area *a = model_area(m, space, page);

	return a && (a->rights & access) == access;
}

bool model_may_all(const struct model *m, unsigned space, uint64_t first, uint64_t last,
		   unsigned access)
{
	const struct model_space *s = &m->space[space];

	if (!area_covers(s, first, last))
		return false;
	for (unsigned i = area_find(s, first); i < s->area_count && s->area[i].first <= last; i++)
		if ((s->area[i].rights & access) != access)
			return false;
	return true;
}

/* Where the page's content is kept: with the space, or with the object that it shows. */
static struct model_pages *pages_of(const struct model *m, unsigned space, uint64_t *page)
{
	const struct model_area *a = model_area(m, space, *page);

	if (!a || !(a->flags & MODEL_SHARED))
		return (struct model_pages *)&m->space[space].own;
	*page += a->base - a->first;
	return (struct model_pages *)&m->object[a->object];
}

uint64_t model_value(const struct model *m, unsigned space, uint64_t page)
{
	const struct model_pages *pages = pages_of(m, space, &page);
	const struct model_page *p = pages_at(pages, page);

	return p ? p->value : 0;
}

void model_touch(struct model *m, unsigned space, uint64_t page)
{
	struct model_pages *pages = pages_of(m, space, &page);
	struct model_page *p = pages_make(pages, page);

	if (p && p->where == MODEL_ABSENT)
		p->where = MODEL_ZERO;
	else if (p && p->where == MODEL_OUT)
		p->where = MODEL_IN;
}

void model_write(struct model *m, unsigned space, uint64_t page, uint64_t value)
{
	struct model_pages *pages = pages_of(m, space, &page);
	struct model_page *p = pages_make(pages, page);

	if (p)
		*p = (struct model_page){ page, value, MODEL_IN };
}

/* ---- Where a page is. ---- */

enum model_where model_where(const struct model *m, unsigned space, uint64_t page)
{
	const struct model_area *a = model_area(m, space, page);
	const struct model_page *p = pages_at(&m->space[space].own, page);

	if (a && a->flags)
		return MODEL_MAYBE; /* an object's page, or a part of something larger */
	return p ? p->where : MODEL_ABSENT;
}

void model_swap_out(struct model *m, unsigned space, uint64_t page)
{
	struct model_page *p = pages_at(&m->space[space].own, page);

	if (p)
		p->where = MODEL_OUT;
}

void model_forget(struct model *m, unsigned space, uint64_t page)
{
	struct model_page *p = pages_make(&m->space[space].own, page);

	if (p)
		p->where = MODEL_MAYBE;
}
