/*
 * Iterators over a mirror while other CPUs invalidate and fill it: what is not touched is found
 * once in every round, in order; the table that an entry was found in stays a table.
 *
 *   POSTS pages, a table of their own each, that nobody changes; between two of them
 *   some pages of the post's table that come and go, and a table that comes and goes as a whole
 */
#include <lib/preempt.h>
#include <mm/frame.h>
#include <tests/kernel/mirror_rig.h>
#include <tests/kernel/oracle.h>
#include <tests/kernel/test.h>
#include <tests/kernel/workers.h>

#define POSTS 24
#define POST_PAGES 1024 /* from post to post: two bottom tables */
#define NEXT_TABLE 512  /* the one that comes and goes, */
#define NEAR 16         /* and the pages beside the post */
#define ROUNDS 400
#define LOOKS 20 /* while others go on */

#define POST(i) RIG_PAGE((uint64_t)(i)*POST_PAGES)
#define END POST(POSTS)
#define ENTRY_RIGHTS 0x3ull
#define ENTRY_ADDRESS 0x000ffffffffff000ull

struct crowd {
	struct rig rig;
	pa_t post[POSTS];
	uint64_t failure_count, walks, seen; /* atomic: EXPECT is one thread's */
	unsigned busy;                       /* atomic: those who change things */
	unsigned place; /* atomic: the post behind which a table is due to go */
};

/* A round over the mirror, as far as it has come. */
struct round {
	struct crowd *c;
	va_t next;
	unsigned posts;
};

static void check(struct crowd *c, bool ok)
{
	if (!ok)
		__atomic_add_fetch(&c->failure_count, 1, __ATOMIC_RELAXED);
}

static bool is_over(const struct crowd *c)
{
	return !__atomic_load_n(&c->busy, __ATOMIC_ACQUIRE);
}

static int look_at(void *arg, const struct pt_span *span)
{
	struct round *r = arg;

	check(r->c, span->kind == PT_LEAF && span->level == 0);
	check(r->c, span->va >= r->next && span->va < END);
	if (!((span->va - RIG_BASE) % PAGES(POST_PAGES))) {
		check(r->c, span->va == POST(r->posts));
		check(r->c, r->posts < POSTS && pa_equal(span->pa, r->c->post[r->posts]));
		r->posts++;
	}
	r->next = span->va + PAGE_SIZE;
	__atomic_add_fetch(&r->c->seen, 1, __ATOMIC_RELAXED);
	return 0;
}

/* Between two calls: the slot that the entry was found in is still one of a mirror's table. */
static void look_again(struct crowd *c, const struct mirror_iter *it, va_t va)
{
	const uint64_t *slot = pa_to_ptr(it->it.path[0].pa);
	uint64_t v = __atomic_load_n(&slot[va / PAGE_SIZE % 512], __ATOMIC_ACQUIRE);

	check(c, it->it.level == 0 && !(v & ~(ENTRY_ADDRESS | ENTRY_RIGHTS)));
	check(c, frame_edges(pa_to_frame(it->it.path[0].pa)));
}

/*
 * A round begins where a table is due to go. From the first post on it would never meet one that
 * goes: to unmap is to wait until every CPU has switched threads, and these here do so in between
 * rounds, so that the next table goes just as they begin.
 */
static struct round begin(struct crowd *c)
{
	return (struct round){ .c = c, .posts = __atomic_load_n(&c->place, __ATOMIC_RELAXED) };
}

static void go_over(struct crowd *c)
{
	struct round r = begin(c);
	struct mirror_iter it;
	struct pt_span span;

	check(c, !mirror_iter_init(&it, c->rig.m, POST(r.posts), END));
	while (mirror_iter_next(&it, &span)) {
		look_at(&r, &span);
		for (unsigned i = 0; i < LOOKS; i++)
			look_again(c, &it, span.va);
	}
	mirror_iter_fini(&it);
	check(c, r.posts == POSTS);
}

static void call_back(struct crowd *c)
{
	struct round r = begin(c);

	check(c, !mirror_walk(c->rig.m, POST(r.posts), END, look_at, &r));
	check(c, r.posts == POSTS);
}

static void iterate(struct crowd *c, bool by_callback)
{
	do {
		if (by_callback)
			call_back(c);
		else
			go_over(c);
		__atomic_add_fetch(&c->walks, 1, __ATOMIC_RELAXED);
		preempt_yield();
	} while (!is_over(c));
}

static void fault_in(struct crowd *c, va_t start, uint64_t pages)
{
	int err;

	do { /* others' sections may be in the way */
		err = mirror_fault(c->rig.m, start, start + PAGES(pages), RW);
	} while (err == -EAGAIN);
	check(c, !err);
}

/* Memory that is unmapped takes its table along. */
static void unmap_and_map(struct crowd *c)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		unsigned place = i * 7 % POSTS;
		va_t start = POST(place) + PAGES(NEXT_TABLE);
		struct area_spec spec = { .start = start, .end = start + PAGES(8), .rights = RW };

		__atomic_store_n(&c->place, place, __ATOMIC_RELAXED);
		fault_in(c, start, 8);
		check(c, !space_unmap(c->rig.space, start, start + PAGES(8)));
		check(c, !space_add_area(c->rig.space, &spec));
	}
}

/* Memory that is protected loses its entries, but not the table, which a post has, too. */
static void protect(struct crowd *c)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		va_t start = POST(i * 5 % POSTS) + PAGES(1);

		fault_in(c, start, NEAR);
		check(c, !space_protect(c->rig.space, start, start + PAGES(NEAR), PT_R));
		check(c, !space_protect(c->rig.space, start, start + PAGES(NEAR), RW));
	}
}

static void take_part(struct worker *w)
{
	struct crowd *c = w->arg;

	if (w->number < 2) {
		iterate(c, w->number);
		return;
	}
	if (w->number == 2)
		unmap_and_map(c);
	else
		protect(c);
	__atomic_sub_fetch(&c->busy, 1, __ATOMIC_RELEASE);
}

// Whatever comes and goes on other CPUs, an iterator and a callback walk find every page that stays
// exactly once and in order, and nothing outside the range; what was found stays an entry.
TEST(mirror_cpus, iterators_under_invalidation)
{
	struct crowd c = { .busy = 2 };

	rig_open(&c.rig, POSTS * POST_PAGES, 0);
	for (unsigned i = 0; i < POSTS; i++) {
		fault_in(&c, POST(i), 1);
		c.post[i] = mirror_translate(c.rig.m, POST(i)).pa;
	}
	EXPECT(workers_run(4, take_part, &c));
	EXPECT_EQ(c.failure_count, 0u);
	EXPECT_OP(c.walks, >=, 2);
	test_note("%lu walks saw %lu pages, of which %u stay", c.walks, c.seen, POSTS);
	rig_close(&c.rig);
}
