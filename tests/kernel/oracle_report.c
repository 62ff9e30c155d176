/* Saying what the oracle found, and the rules that compare two walks; see oracle_report.h. */
#include <lib/printk.h>
#include <mm/kspace.h>
#include <mm/mirror.h>
#include <tests/kernel/oracle_report.h>
#include <tests/kernel/touch.h>

#define PRINT_MAX 8 /* violations */
#define WALKS_MAX 2 /* violations with their walks */
#define PATHS_MAX 4 /* walks to one frame */

struct oracle_report oracle_report;
bool oracle_is_quiet;
const struct space *oracle_mirrored_space;

struct oracle_root oracle_root_of(const struct space *s)
{
	return (struct oracle_root){ &oracle_x86, s->root.top.pa.value, s->root.top.level,
				     s->root.first, s->root.last };
}

struct oracle_root oracle_root_of_mirror(const struct mirror *m)
{
	return (struct oracle_root){ &oracle_vtd, m->root.top.pa.value, m->root.top.level,
				     m->root.first, m->root.last };
}

void oracle_report_begin(void)
{
	oracle_report = (struct oracle_report){ .count = 0 };
}

/* Count it; say it, if there have not been too many. */
static bool PRINTF_LIKE(4, 0)
	report(unsigned rule, va_t va, va_t last, const char *fmt, __builtin_va_list args)
{
	if (oracle_report.count++ == 0) {
		oracle_report.rule = rule;
		oracle_report.va = va;
		oracle_report.last = last;
	}
	oracle_report.by_rule[rule]++;
	if (oracle_is_quiet || oracle_report.count > PRINT_MAX)
		return false;
	printk("oracle: rule %u: %#lx-%#lx: ", rule, va, last);
	vprintk(fmt, args);
	printk("\n");
	return oracle_report.count <= WALKS_MAX;
}

void oracle_violation(const struct oracle_root *root, unsigned rule, va_t va, va_t last,
		      const char *fmt, ...)
{
	__builtin_va_list args;

	__builtin_va_start(args, fmt);
	if (report(rule, va, last, fmt, args))
		oracle_print_walk(root, va);
	__builtin_va_end(args);
}

static void print_all_paths(uint64_t pa)
{
	unsigned left = PATHS_MAX;
	struct space *s;

	list_for_each(s, &space_list, link) {
		struct oracle_root root = oracle_root_of(s);

		left -= oracle_print_paths(&root, pa, left);
	}
}

void oracle_violation_of(const struct oracle_root *root, unsigned rule, va_t va, va_t last,
			 uint64_t pa, const char *fmt, ...)
{
	__builtin_va_list args;

	(void)root;
	__builtin_va_start(args, fmt);
	if (report(rule, va, last, fmt, args))
		print_all_paths(pa);
	__builtin_va_end(args);
}

/* ---- Rule 5. ---- */

/* Does the space say of m->va what the mirror says, with no less right? */
static bool says_the_same(const struct oracle_range *m, const struct oracle_range *s)
{
	return m->kind == PT_LEAF && s->kind == PT_LEAF && m->value == s->value &&
	       !(m->attr & (PT_R | PT_W) & ~s->attr);
}

void oracle_check_mirrored(const struct oracle_root *mirror, va_t va, va_t last)
{
	struct oracle_root space;

	if (!oracle_mirrored_space) {
		oracle_violation(mirror, 5, va, last, "the space is gone");
		return;
	}
	space = oracle_root_of(oracle_mirrored_space);
	for (;;) {
		struct oracle_range m = oracle_translate(mirror, va);
		struct oracle_range s = oracle_translate(&space, va);
		va_t end = m.last < s.last ? m.last : s.last;

		if (!says_the_same(&m, &s)) {
			oracle_violation(mirror, 5, va, end,
					 "mirror %#lx, rights %x; space %#lx, "
					 "rights %x",
					 m.value, m.attr & PT_RWX, s.value, s.attr & PT_RWX);
			if (!oracle_is_quiet && oracle_report.count <= WALKS_MAX)
				oracle_print_walk(&space, va);
		}
		if (end >= last)
			return;
		va = end + 1;
	}
}

/* ---- Rule 4. ---- */

/* One page: what the tables refuse, the CPU must refuse; what it reads must lie where they say. */
static void check_page(struct space *s, const struct oracle_root *root, va_t va)
{
	struct oracle_range r = oracle_translate(root, va);
	pt_attr_t rights = r.kind == PT_LEAF ? r.attr : 0;
	uint64_t value = 0, there = 0;
	bool read = touch_read_raw(s, va, &value);

	if (read && !(rights & PT_R))
		oracle_violation(root, 4, va, va | (PAGE_SIZE - 1),
				 "the CPU reads what is not there");
	else if (read && pa_has_frame(PA(r.value)))
		there = *(uint64_t *)pa_to_ptr(PA(r.value));
	if (read && (rights & PT_R) && value != there)
		oracle_violation(root, 4, va, va | (PAGE_SIZE - 1),
				 "the CPU reads %#lx, the tables lead to %#lx", value, there);
	if (read && !(rights & PT_W) && touch_write_raw(s, va, value))
		oracle_violation(root, 4, va, va | (PAGE_SIZE - 1),
				 "the CPU writes read-only memory");
}

unsigned oracle_check_tlb(struct space *s, const va_t *page, unsigned count)
{
	struct oracle_root root = oracle_root_of(s);

	oracle_report_begin();
	for (unsigned i = 0; i < count; i++)
		check_page(s, &root, page[i]);
	return oracle_report.count;
}
