/* What each operation does, to the implementation and to the model; see model_ops.h. */
#include <dev/vtd_table.h>
#include <mm/copy.h>
#include <mm/flush.h>
#include <mm/reclaim.h>
#include <mm/swap.h>
#include <tests/kernel/model_ops.h>
#include <tests/kernel/touch.h>

#define MIRROR_TOP_LEVEL 3
#define OBJECT_PAGES_MAX 1024 /* of a shared area: its object has an array of them */
#define DEVICE_PAGES_MAX 16   /* of a range that a device asks for at once */

/* ---- Places. ---- */

/* Borders of every level. The last four depend on the depth: two at a border of level 4 (or far
 * up, if there is none), and the last page of all. */
uint64_t play_page(unsigned place)
{
	static const uint64_t page[] = { 0x10,    0x11,      0x1ff,    0x200,   0x201,
					 0x3ff,   0x400,     0x3ffff,  0x40000, 0x40001,
					 0x40200, 0x7ffffff, 0x8000000 };
	bool deep = arch_mmu.top_level > 3;

	if (place < ARRAY_SIZE(page))
		return page[place];
	if (place == PLAY_PLACES - 1)
		return (pt_mask(arch_mmu.top_level + 1) >> 1) >> PAGE_SHIFT;
	return (deep ? 0xfffffffffull : 0x5ffffffffull) + (place - ARRAY_SIZE(page));
}

static va_t place_va(unsigned place)
{
	return play_page(place) << PAGE_SHIFT;
}

/* ---- Players. ---- */

void player_enter(unsigned i, struct space *space)
{
	struct player *p = &play.player[i];

	ASSERT(space);
	p->space = space;
	soft_device_init(&p->dev, i & 1);
	p->dev.mirror = mirror_create(space, &vtd_mirror_format, MIRROR_TOP_LEVEL, &p->dev.ops);
	ASSERT(p->dev.mirror);
}

void player_leave(unsigned i)
{
	struct player *p = &play.player[i];

	mirror_destroy(p->dev.mirror);
	space_destroy(p->space);
	p->space = NULL;
}

/* ---- What an operation works on. ---- */

struct job {
	const struct play_op *op;
	unsigned i;
	struct space *s;
	struct soft_device *dev;
	uint64_t first, last; /* pages */
	va_t start, end;
	uint64_t alloc_before;
};

/* Was it the injected failure? Then the model stays as it is. */
static bool is_injected(const struct job *j, int err)
{
	return err == -ENOMEM && j->op->inject &&
	       frame_alloc_calls() - j->alloc_before >= j->op->inject;
}

static void check_result(const struct job *j, int err, int expected)
{
	play_stats.refused += expected != 0;
	if (err != expected)
		play_fail("%s returned %d, not %d", play_kind_name(j->op->kind), err, expected);
}

/* ---- Areas. ---- */

static void do_map(struct job *j)
{
	static const unsigned flags[] = { 0, 0, 0, 0, MODEL_SHARED, MODEL_NOFORK, 0, MODEL_HUGE };
	unsigned f = flags[j->op->arg & 7];
	unsigned rights = MODEL_R | (j->op->arg & 8 ? 0 : MODEL_W);
	struct area_spec spec = {
		.start = j->start,
		.end = j->end,
		.kind = AREA_ANON,
		.flags = (f & MODEL_SHARED ? AREA_SHARED : 0) |
			 (f & MODEL_NOFORK ? AREA_NOFORK : 0) | (f & MODEL_HUGE ? AREA_HUGE : 0),
		.rights = PT_R | (rights & MODEL_W ? PT_W : 0),
	};
	int err;

	if (!model_has_room(&play.model, j->i))
		return;
	if ((f & MODEL_SHARED) && j->last - j->first > OBJECT_PAGES_MAX) {
		j->last = j->first;
		spec.end = spec.start + PAGE_SIZE;
	}
	err = space_add_area(j->s, &spec);
	if (!is_injected(j, err))
		check_result(j, err, model_map(&play.model, j->i, j->first, j->last, f, rights));
}

static void do_unmap(struct job *j)
{
	int err;

	if (!model_has_room(&play.model, j->i))
		return;
	err = space_unmap(j->s, j->start, j->end);
	if (!is_injected(j, err))
		check_result(j, err, model_unmap(&play.model, j->i, j->first, j->last));
}

static void do_protect(struct job *j)
{
	static const unsigned choice[] = { 0, MODEL_R, MODEL_R | MODEL_W, MODEL_R | MODEL_W };
	unsigned rights = choice[j->op->arg & 3];
	int err;

	if (!model_has_room(&play.model, j->i))
		return;
	err = space_protect(j->s, j->start, j->end,
			    (rights & MODEL_R ? PT_R : 0) | (rights & MODEL_W ? PT_W : 0));
	if (!is_injected(j, err))
		check_result(j, err, model_protect(&play.model, j->i, j->first, j->last, rights));
}

/* ---- Accesses by the CPU. ---- */

/* Something that is new in this sequence. */
static uint64_t fresh_value(void)
{
	return 0x100000 + play.step;
}

/* The planted defect: what the page's oldest relative sees, changes too. */
static void plant_defect(struct job *j, uint64_t value)
{
	for (unsigned i = 0; i < j->i && play_defect; i++) {
		struct pt_span span;

		if (!play.player[i].space)
			continue;
		span = pt_translate(&play.player[i].space->root, j->start);
		if (span.kind == PT_LEAF && !(span.attr & PT_DEVMAP))
			*(uint64_t *)pa_to_ptr(span.pa) = value;
	}
}

static void do_write(struct job *j)
{
	bool may = model_may(&play.model, j->i, j->first, MODEL_W);
	uint64_t value = fresh_value(), seen;
	bool ok = touch_write(j->s, j->start, value);

	play_stats.refused += !may;
	if (!ok && is_injected(j, -ENOMEM))
		return;
	if (ok != may)
		play_fail("write to page %#lx: %s", j->first, ok ? "allowed" : "refused");
	if (!ok || !may)
		return;
	model_write(&play.model, j->i, j->first, value);
	plant_defect(j, value);
	if (!touch_read_raw(j->s, j->start, &seen) || seen != value)
		play_fail("page %#lx was written, and cannot be read", j->first);
}

static void check_read(struct job *j, bool ok, uint64_t value)
{
	uint64_t expected = model_value(&play.model, j->i, j->first);

	if (!ok)
		return;
	if (value != expected)
		play_fail("page %#lx reads %#lx, not %#lx", j->first, value, expected);
	model_touch(&play.model, j->i, j->first);
}

static void do_read(struct job *j)
{
	bool may = model_may(&play.model, j->i, j->first, MODEL_R);
	uint64_t value;
	bool ok = touch_read(j->s, j->start, &value);

	play_stats.refused += !may;
	if (!ok && is_injected(j, -ENOMEM))
		return;
	if (ok != may)
		play_fail("read of page %#lx: %s", j->first, ok ? "allowed" : "refused");
	check_read(j, ok, value);
}

/* Without help the CPU may always refuse; but not allow what must not be. */
static void do_raw_read(struct job *j)
{
	uint64_t value;
	bool ok = touch_read_raw(j->s, j->start, &value);

	if (ok && !model_may(&play.model, j->i, j->first, MODEL_R))
		play_fail("raw read of page %#lx: allowed", j->first);
	check_read(j, ok, value);
}

static void do_raw_write(struct job *j)
{
	uint64_t value = fresh_value();

	if (!touch_write_raw(j->s, j->start, value))
		return;
	if (!model_may(&play.model, j->i, j->first, MODEL_W))
		play_fail("raw write to page %#lx: allowed", j->first);
	model_write(&play.model, j->i, j->first, value);
}

/* ---- Spaces. ---- */

static void do_fork(struct job *j)
{
	unsigned to = (j->op->arg & 3) % MODEL_SPACES;
	struct space *child;

	if (play.player[to].space)
		return;
	if (j->op->arg & 8)
		fork_shares_tables = !fork_shares_tables;
	child = space_fork(j->s);
	if (j->op->arg & 8)
		fork_shares_tables = !fork_shares_tables;
	if (!child && is_injected(j, -ENOMEM))
		return;
	frame_fail_after(0, 0);
	if (!child) {
		play_fail("fork returned nothing");
		return;
	}
	player_enter(to, child);
	model_fork(&play.model, j->i, to);
}

static void do_exit(struct job *j)
{
	unsigned others = 0;

	for (unsigned i = 0; i < MODEL_SPACES; i++)
		others += i != j->i && play.player[i].space;
	if (!others)
		return;
	touch_done();
	player_leave(j->i);
	model_exit(&play.model, j->i);
}

static void do_create(struct job *j)
{
	unsigned to = (j->op->arg & 3) % MODEL_SPACES;
	struct space *s;

	if (play.player[to].space)
		return;
	s = space_create();
	if (!s && is_injected(j, -ENOMEM))
		return;
	frame_fail_after(0, 0);
	player_enter(to, s);
	model_create(&play.model, to);
}

/* ---- Swap. ---- */

static void do_swap_out(struct job *j)
{
	static const int expected[] = { -EFAULT, -EBUSY, 0, -EFAULT };
	enum model_where where = model_where(&play.model, j->i, j->first);
	int err = space_swap_out(j->s, j->start);

	if (is_injected(j, err) || (err == -ENOSPC && swap_used() == PLAY_SLOTS))
		return;
	if (where == MODEL_MAYBE && err && err != -EFAULT && err != -EBUSY)
		play_fail("swap_out returned %d", err);
	else if (where != MODEL_MAYBE)
		check_result(j, err, expected[where]);
	if (!err)
		model_swap_out(&play.model, j->i, j->first);
}

static void do_reclaim(struct job *j)
{
	unsigned count = space_reclaim(j->s, j->op->arg);

	if (count > j->op->arg)
		play_fail("reclaim took %u pages, not %u", count, j->op->arg);
	for (unsigned place = 0; place < PLAY_PLACES; place++) {
		if (model_where(&play.model, j->i, play_page(place)) == MODEL_IN)
			model_forget(&play.model, j->i, play_page(place));
	}
}

/* ---- Huge leaves: what the space says does not change. ---- */

static void do_split(struct job *j)
{
	struct pt_batch batch;
	int err;

	rw_write_lock(&j->s->layout);
	rw_write_lock(&j->s->lock);
	flush_begin(&batch, j->s);
	err = pt_cut(&j->s->root, j->start);
	flush_add_range(&batch, j->start, j->end - 1, 0);
	flush_end(&batch);
	rw_write_unlock(&j->s->lock);
	rw_write_unlock(&j->s->layout);
	if (!is_injected(j, err))
		check_result(j, err, 0);
}

/* Of one area: a leaf never reaches across the border of two. */
static void do_merge(struct job *j)
{
	struct pt_batch batch;
	struct area *area;
	int err = 0;

	rw_write_lock(&j->s->layout);
	rw_write_lock(&j->s->lock);
	area = space_find_area(j->s, j->start);
	flush_begin(&batch, j->s);
	if (area) {
		err = pt_merge(&j->s->root, area->start, area->end, &batch);
		flush_add_range(&batch, area->start, area->end - 1, 0);
	}
	flush_end(&batch);
	rw_write_unlock(&j->s->lock);
	rw_write_unlock(&j->s->layout);
	if (err < 0 && !is_injected(j, err))
		play_fail("merge returned %d", err);
}

/* ---- The device. ---- */

/* What a device's access must come to. */
static int device_expected(const struct job *j, uint64_t last, unsigned access)
{
	if (last << PAGE_SHIFT > j->dev->mirror->root.last)
		return -ERANGE;
	return model_may_all(&play.model, j->i, j->first, last, access) ? 0 : -EFAULT;
}

/* A failed access may have brought its page before it failed. */
static void forget_range(const struct job *j)
{
	for (unsigned place = j->op->from; place <= j->op->to; place++) {
		if (model_area(&play.model, j->i, play_page(place)))
			model_forget(&play.model, j->i, play_page(place));
	}
}

static void do_device_write(struct job *j)
{
	uint64_t value = fresh_value();
	int err = soft_device_write(j->dev, j->start, value);

	if (is_injected(j, err)) {
		forget_range(j);
		return;
	}
	check_result(j, err, device_expected(j, j->first, MODEL_W));
	if (!err)
		model_write(&play.model, j->i, j->first, value);
}

static void do_device_read(struct job *j)
{
	uint64_t value;
	int err = soft_device_read(j->dev, j->start, &value);

	if (is_injected(j, err)) {
		forget_range(j);
		return;
	}
	check_result(j, err, device_expected(j, j->first, MODEL_R));
	check_read(j, !err, value);
}

/* The part of the range that is not too long to be asked for page by page. */
static va_t device_end(struct job *j)
{
	if (j->last - j->first >= DEVICE_PAGES_MAX)
		j->last = j->first;
	return (j->last + 1) << PAGE_SHIFT;
}

static void do_mirror_fault(struct job *j)
{
	bool write = j->op->arg & 1;
	va_t end = device_end(j);
	int err = mirror_fault(j->dev->mirror, j->start, end, write ? PT_R | PT_W : PT_R);

	forget_range(j);
	if (!is_injected(j, err))
		check_result(j, err, device_expected(j, j->last, write ? MODEL_W : MODEL_R));
}

static void do_snapshot(struct job *j)
{
	va_t end = device_end(j);
	int err = mirror_snapshot(j->dev->mirror, j->start, end);

	if (!is_injected(j, err))
		check_result(j, err, (end - 1) > j->dev->mirror->root.last ? -ERANGE : 0);
}

/* While a section is open the mirror has nothing of the range, and gets nothing. */
static void do_invalidate(struct job *j)
{
	struct notifier_section section;
	struct pt_span span = { .kind = PT_NONE };
	int expected = device_expected(j, j->first, MODEL_R), err;

	notifier_start(&j->s->notifier, &section, j->start, j->end, NOTIFY_MIGRATE, true);
	if (expected != -ERANGE)
		span = mirror_translate(j->dev->mirror, j->start);
	if (span.kind != PT_NONE)
		play_fail("page %#lx is still in the mirror", j->first);
	err = mirror_fault(j->dev->mirror, j->start, j->start + PAGE_SIZE, PT_R);
	forget_range(j);
	if (!is_injected(j, err))
		check_result(j, err, expected ? expected : -EAGAIN);
	notifier_end(&j->s->notifier, &section);
}

static void do_age(struct job *j)
{
	int err = mirror_harvest(j->dev->mirror, j->start, device_end(j));

	if (err && err != -ERANGE)
		play_fail("harvest returned %d", err);
	notifier_test_young(&j->s->notifier, j->start, j->end, true);
}

/* ---- All of them. ---- */

#define PLAY_FUNCTION(name, function) do_##function,
static void (*const function[])(struct job *j) = { PLAY_OPS(PLAY_FUNCTION) };

void play_do(const struct play_op *op)
{
	struct job j = {
		.op = op,
		.i = op->space,
		.s = play.player[op->space].space,
		.dev = &play.player[op->space].dev,
		.first = play_page(op->from),
		.last = play_page(op->to),
		.start = place_va(op->from),
		.end = place_va(op->to) + PAGE_SIZE,
		.alloc_before = frame_alloc_calls(),
	};

	if (!j.s || op->kind >= PLAY_KIND_COUNT)
		return;
	function[op->kind](&j);
	play_stats.done[op->kind]++;
	play_stats.total++;
}
