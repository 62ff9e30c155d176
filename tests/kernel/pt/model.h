/*
 * What a range of addresses is mapped to, as a plain sorted array of ranges: the specification that
 * the library is held against. Knows nothing of levels, tables or leaves; everything is in pages.
 *
 * Invariant: ranges are sorted, do not overlap and are not empty.
 */
#pragma once

#include <tests/kernel/test.h>

#define MODEL_MAX 1024

enum model_kind { MODEL_MEMORY, MODEL_SOFT, MODEL_BAD };

struct model_range {
	uint64_t first, last; /* pages, inclusive */
	enum model_kind kind;
	uint64_t value; /* of the first page: its frame number, or its data; counts up */
	uint32_t attr;
};

struct model {
	unsigned count;
	struct model_range range[MODEL_MAX];
};

/* The index of the first range that ends at or behind the page. */
static unsigned model_find(const struct model *m, uint64_t page)
{
	unsigned low = 0, high = m->count;

	while (low < high) {
		unsigned mid = (low + high) / 2;

		if (m->range[mid].last < page)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool model_overlaps(const struct model *m, uint64_t first, uint64_t last)
{
	unsigned i = model_find(m, first);

	return i < m->count && m->range[i].first <= last;
}

static void model_open(struct model *m, unsigned at)
{
	for (unsigned i = m->count++; i > at; i--)
		m->range[i] = m->range[i - 1];
}

static void model_insert(struct model *m, struct model_range r)
{
	unsigned i = model_find(m, r.first);

	if (!EXPECT(m->count < MODEL_MAX) || !EXPECT(!model_overlaps(m, r.first, r.last)))
		return;
	model_open(m, i);
	m->range[i] = r;
}

/* No range reaches from before the page into it afterwards. */
static void model_cut(struct model *m, uint64_t page)
{
	unsigned i = model_find(m, page);

	if (i == m->count || m->range[i].first >= page || !EXPECT(m->count < MODEL_MAX))
		return;
	model_open(m, i);
	m->range[i].last = page - 1;
	m->range[i + 1].value += page - m->range[i + 1].first;
	m->range[i + 1].first = page;
}

static void model_remove(struct model *m, uint64_t first, uint64_t last)
{
	unsigned from, to;

	model_cut(m, first);
	model_cut(m, last + 1);
	from = model_find(m, first);
	for (to = from; to < m->count && m->range[to].last <= last; to++)
		;
	for (unsigned i = to; i < m->count; i++)
		m->range[from + i - to] = m->range[i];
	m->count -= to - from;
}

static void model_protect(struct model *m, uint64_t first, uint64_t last, uint32_t clear,
			  uint32_t set)
{
	model_cut(m, first);
	model_cut(m, last + 1);
	for (unsigned i = model_find(m, first); i < m->count && m->range[i].last <= last; i++)
		if (m->range[i].kind == MODEL_MEMORY)
			m->range[i].attr = (m->range[i].attr & ~clear) | set;
}

/* The range that holds the page, or NULL. */
static const struct model_range *model_at(const struct model *m, uint64_t page)
{
	unsigned i = model_find(m, page);

	return i < m->count && m->range[i].first <= page ? &m->range[i] : NULL;
}

/* Add a range behind all others; one that goes on where the last ends becomes part of it. */
static void model_append(struct model *m, struct model_range r)
{
	struct model_range *last = m->count ? &m->range[m->count - 1] : NULL;

	if (last && last->last + 1 == r.first && last->kind == r.kind && last->attr == r.attr &&
	    last->value + (r.first - last->first) == r.value) {
		last->last = r.last;
		return;
	}
	if (EXPECT(m->count < MODEL_MAX) && EXPECT(!last || last->last < r.first))
		m->range[m->count++] = r;
}

/* A model with ranges that go on seamlessly made one. */
static const struct model *model_join(struct model *joined, const struct model *m)
{
	joined->count = 0;
	for (unsigned i = 0; i < m->count; i++)
		model_append(joined, m->range[i]);
	return joined;
}

static bool model_range_equal(const struct model_range *a, const struct model_range *b)
{
	return a->first == b->first && a->last == b->last && a->kind == b->kind &&
	       a->value == b->value && a->attr == b->attr;
}

/* The index of the first range that differs; -1 if both say the same. */
static int model_difference(const struct model *a, const struct model *b, struct model joined[2])
{
	a = model_join(&joined[0], a);
	b = model_join(&joined[1], b);
	for (unsigned i = 0; i < a->count && i < b->count; i++)
		if (!model_range_equal(&a->range[i], &b->range[i]))
			return (int)i;
	return a->count == b->count ? -1 : (int)(a->count < b->count ? a->count : b->count);
}

static void model_note(const char *what, const struct model *m, int index)
{
	const struct model_range *r = &m->range[index];

	if ((unsigned)index < m->count)
		test_note("%s: pages %#llx-%#llx kind %d value %#llx attributes %#x", what,
			  (unsigned long long)r->first, (unsigned long long)r->last, r->kind,
			  (unsigned long long)r->value, r->attr);
	else
		test_note("%s: nothing more", what);
}

/* Do both say the same? */
static bool model_equal(const struct model *a, const struct model *b)
{
	static struct model joined[2];

	return model_difference(a, b, joined) < 0;
}

/* The check that they do; the first difference is printed. */
static bool model_expect(const struct model *found, const struct model *expected)
{
	static struct model joined[2];
	int at = model_difference(found, expected, joined);

	if (at >= 0) {
		model_note("found", &joined[0], at);
		model_note("expected", &joined[1], at);
	}
	return EXPECT(at < 0);
}
