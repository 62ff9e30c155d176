/* Playing sequences; see model_play.h. What the operations do is in model_ops.c. */
#include <lib/printk.h>
#include <lib/string.h>
#include <mm/swap.h>
#include <tests/kernel/model_ops.h>
#include <tests/kernel/oracle.h>
#include <tests/kernel/oracle_report.h>
#include <tests/kernel/test.h>
#include <tests/kernel/touch.h>

struct play play;
struct play_stats play_stats;
bool play_injected, play_defect;

/* ---- Operations as numbers. ---- */

uint32_t play_encode(struct play_op op)
{
	return op.kind | op.space << 5 | op.from << 7 | op.to << 11 | op.arg << 15 |
	       op.inject << 19;
}

struct play_op play_decode(uint32_t code)
{
	struct play_op op = {
		.kind = code & 31,
		.space = code >> 5 & 3,
		.from = code >> 7 & 15,
		.to = code >> 11 & 15,
		.arg = code >> 15 & 15,
		.inject = code >> 19 & PLAY_INJECT_MAX,
	};

	if (op.to < op.from) {
		op.to = code >> 7 & 15;
		op.from = code >> 11 & 15;
	}
	op.space %= MODEL_SPACES;
	return op;
}

#define PLAY_NAME(name, function) #function,
static const char *const kind_name[] = { PLAY_OPS(PLAY_NAME) };

const char *play_kind_name(enum play_kind kind)
{
	return kind < PLAY_KIND_COUNT ? kind_name[kind] : "nothing";
}

void play_note(unsigned number, uint32_t code)
{
	struct play_op op = play_decode(code);

	test_note("%3u  %-12s space %u, pages %#lx-%#lx, arg %u%s", number, play_kind_name(op.kind),
		  op.space, play_page(op.from), play_page(op.to), op.arg,
		  op.inject ? ", an allocation fails" : "");
}

/* ---- Failing. ---- */

void play_fail(const char *fmt, ...)
{
	__builtin_va_list args;

	if (play.result.failed)
		return;
	play.result.failed = true;
	play.result.at = play.step;
	__builtin_va_start(args, fmt);
	kvsnprintf(play.result.what, sizeof(play.result.what), fmt, args);
	__builtin_va_end(args);
}

/* ---- After each operation. ---- */

/* What the tables may say of a page, by what the model knows of it. */
static bool kind_fits(enum model_where where, const struct oracle_range *r)
{
	switch (where) {
	case MODEL_ABSENT:
		return r->kind == PT_NONE;
	case MODEL_ZERO:
		return r->kind == PT_LEAF && (r->attr & PT_DEVMAP);
	case MODEL_IN:
		return r->kind == PT_LEAF && !(r->attr & PT_DEVMAP);
	case MODEL_OUT:
		return r->kind == PT_SOFT;
	case MODEL_MAYBE:
		return r->kind != PT_BAD;
	}
	return false;
}

static void compare_leaf(const char *whose, unsigned space, uint64_t page,
			 const struct oracle_range *r)
{
	const struct model_area *a = model_area(&play.model, space, page);
	uint64_t value = *(uint64_t *)pa_to_ptr(PA(r->value));
	uint64_t expected = model_value(&play.model, space, page);

	if (!a)
		play_fail("%s %u: page %#lx is there, and should not", whose, space, page);
	else if (r->attr & (PT_R | PT_W) & ~a->rights)
		play_fail("%s %u: page %#lx grants %x, more than %x", whose, space, page,
			  r->attr & (PT_R | PT_W), a->rights);
	else if (value != expected)
		play_fail("%s %u: page %#lx holds %#lx, not %#lx", whose, space, page, value,
			  expected);
}

static void compare_place(unsigned space, const struct oracle_root *root,
			  const struct oracle_root *mirror, uint64_t page)
{
	struct oracle_range r = oracle_translate(root, page << PAGE_SHIFT);
	enum model_where where = model_where(&play.model, space, page);

	if (!kind_fits(where, &r))
		play_fail("space %u: page %#lx is of kind %u, and to the model %u", space, page,
			  r.kind, where);
	if (r.kind == PT_LEAF)
		compare_leaf("space", space, page, &r);
	if (page << PAGE_SHIFT > mirror->last)
		return;
	r = oracle_translate(mirror, page << PAGE_SHIFT);
	if (r.kind == PT_LEAF)
		compare_leaf("mirror of", space, page, &r);
	else if (r.kind != PT_NONE)
		play_fail("mirror of %u: page %#lx is of kind %u", space, page, r.kind);
}

static void compare_all(void)
{
	for (unsigned i = 0; i < MODEL_SPACES; i++) {
		struct oracle_root root, mirror;

		if (!play.player[i].space)
			continue;
		root = oracle_root_of(play.player[i].space);
		mirror = oracle_root_of_mirror(play.player[i].dev.mirror);
		for (unsigned place = 0; place < PLAY_PLACES && !play.result.failed; place++)
			compare_place(i, &root, &mirror, play_page(place));
	}
}

static void ask_oracle(const struct play_op *op)
{
	struct space *s = play.player[op->space].space;
	va_t pages[] = { play_page(op->from) << PAGE_SHIFT, play_page(op->to) << PAGE_SHIFT };

	if (oracle_check_spaces())
		play_fail("the oracle found %u violations, first of rule %u", oracle_report.count,
			  oracle_report.rule);
	else if (s && oracle_check_tlb(s, pages, pages[0] == pages[1] ? 1 : 2))
		play_fail("the oracle found a stale translation");
}

/* ---- One operation. ---- */

static void play_op(const struct play_op *op)
{
	uint64_t before = frame_alloc_calls();

	if (op->inject)
		frame_fail_after(op->inject - 1, 1);
	play_do(op);
	frame_fail_after(0, 0);
	if (op->inject && frame_alloc_calls() - before >= op->inject) {
		play_injected = true;
		play_stats.injected++;
	}
}

/* The same, and a bug that it runs into is a failure like any other; but then what the spaces have
 * is lost. */
static void play_op_safely(const struct play_op *op)
{
	if (!__builtin_setjmp(test_bug_begin())) {
		play_op(op);
		compare_all();
		if (!play.result.failed)
			ask_oracle(op);
		test_bug_end();
	} else {
		test_bug_end();
		frame_fail_after(0, 0);
		play.wrecked = true;
		play_fail("a bug: %s", test_bug_text());
	}
}

/* ---- Sequences. ---- */

static void take_down(void)
{
	touch_done();
	for (unsigned i = 0; i < MODEL_SPACES; i++)
		if (play.player[i].space)
			player_leave(i);
	if (play.swap_is_ours)
		swap_fini();
}

/* Nobody can take it down any more; nobody is to come by it either. */
static void abandon(void)
{
	touch_done();
	for (unsigned i = 0; i < MODEL_SPACES; i++) {
		if (!play.player[i].space)
			continue;
		list_remove(&play.player[i].space->link);
		list_remove(&play.player[i].dev.mirror->link);
		play.player[i].space = NULL;
	}
}

/* A failed sequence may have left anything. */
static void take_down_safely(void)
{
	if (play.wrecked) {
		abandon();
	} else if (!__builtin_setjmp(test_bug_begin())) {
		take_down();
		test_bug_end();
	} else {
		test_bug_end();
		play_fail("a bug when it was taken down: %s", test_bug_text());
		abandon();
	}
}

struct play_result play_run(const uint32_t *code, unsigned count)
{
	uint64_t free_before = frame_free_count();
	bool shares = fork_shares_tables;

	model_reset(&play.model);
	play.result = (struct play_result){ .failed = false };
	play.wrecked = play_injected = false;
	play.swap_is_ours = swap_init(PLAY_SLOTS) == 0;
	player_enter(0, space_create());
	model_create(&play.model, 0);
	for (play.step = 0; play.step < count && !play.result.failed; play.step++) {
		struct play_op op = play_decode(code[play.step]);

		play_op_safely(&op);
	}
	take_down_safely();
	fork_shares_tables = shares;
	if (!play.result.failed && frame_free_count() != free_before)
		play_fail("%ld frames leaked", (int64_t)(free_before - frame_free_count()));
	return play.result;
}
