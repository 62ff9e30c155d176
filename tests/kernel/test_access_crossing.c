/*
 * Accesses that cross a page boundary: both pages are translated and judged each by itself; if the
 * second one faults, CR2 is its first byte and nothing of the first has been written.
 *
 * The manual leaves open whether the first page is marked as used, then, and which page faults if
 * both do: the first one, here and on every CPU known.
 */
#include <arch/trap.h>
#include <lib/string.h>
#include <tests/kernel/access_sweep.h>
#include <tests/kernel/test.h>

#define FIRST_VA 0x00002060605ff000 /* the last page of its level 0 table: all levels to 1 differ */
#define SECOND_VA (FIRST_VA + PAGE_SIZE)
#define DATUM_BYTES 8
#define MOV_BYTES 5 /* the first instruction of access_code */

enum page { FIRST, SECOND, PAGES };

static struct {
	pa_t frame[PAGES];
	uint64_t *slot[PAGES];
	uint64_t done_count, fault_count, failure_count;
} pages;

/* One access and what the model says of each page. */
struct crossing {
	struct access access;
	unsigned first_bytes; /* that lie in the first page */
	struct model_outcome expected[PAGES];
	struct trap_info seen;
	uint8_t before[DATUM_BYTES];
};

static void copy_datum(const struct crossing *c, void *to, const void *from)
{
	uint8_t *first = (uint8_t *)pa_to_ptr(pages.frame[FIRST]) + PAGE_SIZE - c->first_bytes;
	uint8_t *second = pa_to_ptr(pages.frame[SECOND]);

	if (from) {
		memcpy(first, from, c->first_bytes);
		memcpy(second, (const uint8_t *)from + c->first_bytes,
		       DATUM_BYTES - c->first_bytes);
	} else {
		memcpy(to, first, c->first_bytes);
		memcpy((uint8_t *)to + c->first_bytes, second, DATUM_BYTES - c->first_bytes);
	}
}

static bool is_fault_right(const struct crossing *c, enum page page)
{
	bool is_second_instruction = page == SECOND && c->first_bytes >= MOV_BYTES;

	if (c->access.kind == ACCESS_EXEC &&
	    c->seen.rip != c->access.va + (is_second_instruction ? MOV_BYTES : 0))
		return false;
	return c->seen.vector == TRAP_PF &&
	       sweep_is_error_right(c->seen.error, c->expected[page].error) &&
	       c->seen.va == (page == FIRST ? c->access.va : SECOND_VA);
}

/* Are the leaves as they should be? If the second page faults, the first one's A and D are free. */
static bool are_leaves_right(const struct crossing *c)
{
	const struct model_outcome *e = c->expected;
	const struct model_step *first = &e[FIRST].step[e[FIRST].step_count - 1];
	const struct model_step *second = &e[SECOND].step[e[SECOND].step_count - 1];
	bool first_faults = e[FIRST].result != MODEL_DONE;
	uint64_t slack = e[SECOND].result == MODEL_DONE ? 0 : MODEL_A | MODEL_D;

	return !((bed_read(first->slot) ^ first->after) & ~slack) &&
	       bed_read(second->slot) == (first_faults ? second->before : second->after);
}

/* Is the memory, and what was read, right? */
static bool is_datum_right(const struct crossing *c, bool is_done)
{
	uint8_t after[DATUM_BYTES];
	bool is_written = is_done && c->access.kind == ACCESS_WRITE;

	copy_datum(c, after, NULL);
	if (is_done && c->access.kind == ACCESS_EXEC)
		return c->access.value == bed_code_value(c->first_bytes * 8);
	if (is_done)
		return !memcmp(after, &c->access.value, DATUM_BYTES) &&
		       is_written == !!memcmp(after, c->before, DATUM_BYTES);
	return !memcmp(after, c->before, DATUM_BYTES);
}

static const char *compare(const struct crossing *c)
{
	bool is_done = c->expected[FIRST].result == MODEL_DONE &&
		       c->expected[SECOND].result == MODEL_DONE;
	enum page faulting = c->expected[FIRST].result == MODEL_DONE ? SECOND : FIRST;

	if (is_done ? c->seen.vector != TRAP_NONE : !is_fault_right(c, faulting))
		return "outcome";
	if (!is_datum_right(c, is_done))
		return "datum";
	return are_leaves_right(c) ? NULL : "entry";
}

static void print_failure(const struct crossing *c, const char *what)
{
	test_note("%s differs: %s of %#lx", what, sweep_access_name(c->access.kind, c->access.user),
		  c->access.va);
	test_note("  seen: vector %d, error %#lx, CR2 %#lx, rip %#lx", (int)c->seen.vector,
		  c->seen.error, c->seen.va, c->seen.rip);
	for (enum page page = FIRST; page < PAGES; page++) {
		const struct model_outcome *e = &c->expected[page];

		test_note("  page %u: expected result %d, error %#x, leaf %016lx, seen %016lx",
			  page, e->result, e->error, e->step[e->step_count - 1].after,
			  bed_read(e->step[e->step_count - 1].slot));
	}
}

static void cross(unsigned first_bytes, enum access_kind kind, bool user, bool ac)
{
	struct crossing c = { .first_bytes = first_bytes };
	uint64_t random = bed_random();

	c.access = (struct access){
		.va = SECOND_VA - first_bytes,
		.kind = kind,
		.user = user,
		.raw = true,
		.smap_open = ac,
		.value = random,
	};
	if (kind == ACCESS_EXEC)
		access_code(&random, bed_code_value(first_bytes * 8));
	else
		random = ~random;
	copy_datum(&c, NULL, &random);
	copy_datum(&c, c.before, NULL);
	c.expected[FIRST] = sweep_expect(c.access.va, kind, user, ac);
	c.expected[SECOND] = sweep_expect(SECOND_VA, kind, user, ac);
	c.seen = arch_access(&c.access);

	const char *difference = compare(&c);

	if (c.seen.vector == TRAP_NONE)
		pages.done_count++;
	else
		pages.fault_count++;
	if (difference && !pages.failure_count++)
		print_failure(&c, difference);
}

static void set_leaf(enum page page, uint64_t change)
{
	*pages.slot[page] = pages.frame[page].value | (BED_OPEN ^ change);
	arch_tlb_flush_page(page == FIRST ? FIRST_VA : SECOND_VA);
}

/* Every split of the 8 bytes, by every access; with fresh leaves for each. */
static void cross_all(uint64_t first, uint64_t second)
{
	for (unsigned n = 0; n < 9; n++) {
		bool user = n % 3 == 2, ac = n % 3 == 1;
		enum access_kind kind = (enum access_kind)(n / 3);
		unsigned limit = kind == ACCESS_EXEC ? ACCESS_CODE_BYTES : DATUM_BYTES;

		if (ac && !arch_mmu.smap)
			continue;
		for (unsigned first_bytes = 1; first_bytes < limit; first_bytes++) {
			set_leaf(FIRST, first);
			set_leaf(SECOND, second);
			cross(first_bytes, kind, user, ac);
		}
	}
}

/* Each of two neighbouring pages counts for the part of an access that is its. */
TEST(sweep, page_crossing)
{
	memset(&pages, 0, sizeof(pages));
	bed_open(false);
	/* What a page may be like: flags changed in an open leaf; the last is reserved. */
	const uint64_t states[] = {
		0, MODEL_P, MODEL_W, MODEL_U, MODEL_NX, 1ull << bed.cpu.pa_bits
	};

	pages.frame[SECOND] = bed_alloc(1);
	pages.frame[FIRST] = pa_add(pages.frame[SECOND], PAGE_SIZE); /* the other way round */
	pages.slot[FIRST] = bed_slot(FIRST_VA, 0);
	pages.slot[SECOND] = bed_slot(SECOND_VA, 0);
	for (unsigned first = 0; first < ARRAY_SIZE(states); first++)
		for (unsigned second = 0; second < ARRAY_SIZE(states); second++)
			cross_all(states[first], states[second]);
	bed_close();
	test_note("crossings: %lu went through, %lu faulted", pages.done_count, pages.fault_count);
	EXPECT_EQ(pages.failure_count, 0);
	EXPECT(pages.done_count && pages.fault_count);
}

/* An access that crosses the end of the canonical addresses is a general protection fault. */
TEST(sweep, canonical_crossing)
{
	va_t edge = 1ull << (arch_mmu.top_level == 4 ? 56 : 47);
	struct access a = { .user = true, .raw = true };

	bed_open(false);
	*bed_slot(edge - PAGE_SIZE, 0) = bed_alloc(0).value | BED_OPEN;
	for (a.kind = ACCESS_READ; a.kind <= ACCESS_WRITE; a.kind++) {
		for (a.va = edge - 7; a.va < edge; a.va++)
			EXPECT_EQ(arch_access(&a).vector, TRAP_GP);
		a.va = edge - 8;
		EXPECT_EQ(arch_access(&a).vector, TRAP_NONE);
	}
	bed_close();
}
