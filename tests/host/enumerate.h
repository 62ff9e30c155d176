/*
 * Every sequence of operations on the library in a small geometry, checked against a model.
 *
 * The including file chooses SMALL_TABLE_BITS and SMALL_LEVEL_COUNT, and says with ENUMERATE which
 * depth to search. From the empty root all operations are applied to all states, breadth first;
 * what N operations can lead to has been seen after N rounds. Two states are one if their trees are
 * equal (entries, empty tables, summaries; not where tables lie in memory), as nothing else is left
 * of the past. Each operation is also tried with each of its allocations failing.
 *
 * The alphabet: map every range of pages to one of two memories, one of which fits huge leaves,
 * with one of two rights; unmap it, protect it with either right; merge it; cut at every page;
 * reserve and make soft every page. The plain alphabet, which gets further, has the one memory and
 * no soft pages, and forgets A and D after each operation.
 *
 * After each operation, read from the words themselves (WORD_TYPE below): every page translates as
 * the model says, live counts, summaries, levels and table counts are right, leaves are aligned and
 * legal, no table is lost, and the result is the model's.
 *
 * A model of a state is its pages, as they were found right after the operation before.
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PT_API static __attribute__((unused))
#define PT_FORMAT_HEADER <tests/kernel/pt/pt_format_small.h>
#define PT_HOST_HEADER <tests/host/enumerate_host.h>
#include <mm/pt/pt_ops.c>

#include <tests/kernel/test.h>

#define TOP (SMALL_LEVEL_COUNT - 1)
#define PAGES (1u << (SMALL_TABLE_BITS * SMALL_LEVEL_COUNT))
#define STATE_BYTES_MAX 1024
#define RW (PT_R | PT_W)

/* ---- Words, taken apart without the format. ---- */

enum cell_kind { CELL_NONE, CELL_MEMORY, CELL_SOFT };

/* What a page is: to the model all of it, and nothing else. */
struct cell {
	uint8_t kind, memory, rights;
};

#define WORD_TYPE(w) (((w) >> 7 & 1) | ((w) >> 10 & 2)) /* 0 none, 1 table, 2 leaf, 3 soft */
#define WORD_ADDRESS(w) ((w) >> 12)

/* Page numbers of memory 0, which is where huge leaves fit, and of memory 1, a page off. */
static uint64_t memory_page(unsigned memory, unsigned page)
{
	return memory ? (1ull << 30) + page + 1 : (1ull << 20) + page;
}

static unsigned level_pages(unsigned level)
{
	return 1u << level * SMALL_TABLE_BITS;
}

/* ---- The search. ---- */

static struct search {
	struct pt_root root;
	struct pt_owner owner;
	struct pt_batch batch;
	struct cell before[PAGES], after[PAGES], expected[PAGES];
	bool wrong; /* something about the tree */
	bool plain; /* the alphabet is */
	bool complained;
	clock_t begun;
	/* all states, one behind the other, each with its length in front */
	uint8_t *bytes;
	size_t used, room;
	size_t *offset; /* of each state */
	uint32_t *hash; /* of state numbers, plus one */
	size_t count, hash_size;
	uint64_t transitions, failures;
} search;

/* ---- States as bytes. ---- */

/* One byte an entry: kind and attributes. What a leaf shows follows from its page. */
static uint8_t entry_byte(uint64_t w, unsigned page)
{
	unsigned attr = (w & RW) | (w & PT_YOUNG ? 4 : 0) | (w & PT_DIRTY ? 8 : 0);

	if (search.plain)
		attr &= RW;
	if (WORD_TYPE(w) < 2)
		return WORD_TYPE(w);
	if (WORD_TYPE(w) == 3)
		return 2;
	return 0x80 | (WORD_ADDRESS(w) != memory_page(0, page)) << 4 | attr;
}

/* A table: its summary, its entries, then the tables below. */
static uint8_t *write_state(uint8_t *to, unsigned table, unsigned level, unsigned page)
{
	*to++ = host.meta[table].summary;
	for (unsigned i = 0; i < HOST_ENTRIES; i++)
		*to++ = entry_byte(host.word[table][i], page + i * level_pages(level));
	for (unsigned i = 0; i < HOST_ENTRIES; i++)
		if (WORD_TYPE(host.word[table][i]) == 1)
			to = write_state(to, WORD_ADDRESS(host.word[table][i]), level - 1,
					 page + i * level_pages(level));
	return to;
}

static uint64_t entry_word(uint8_t byte, unsigned page)
{
	unsigned attr = (byte & RW) | (byte & 4 ? PT_YOUNG : 0) | (byte & 8 ? PT_DIRTY : 0);

	if (byte & 0x80)
		return memory_page(byte >> 4 & 1, page) << 12 | 1 << 11 | attr;
	return byte == 2 ? (uint64_t)page << 12 | 1 << 11 | 1 << 7 : 0;
}

static const uint8_t *read_state(const uint8_t *from, unsigned table, unsigned level, unsigned page)
{
	const uint8_t *entry = from + 1;
	unsigned live = 0;

	search.owner.table_count[level]++;
	host.used[table] = true;
	host.used_count++;
	from += 1 + HOST_ENTRIES;
	host.meta[table] = (struct pt_meta){ .summary = entry[-1], .level = (uint8_t)level };
	for (unsigned i = 0; i < HOST_ENTRIES; i++) {
		unsigned at = page + i * level_pages(level);

		live += entry[i] != 0;
		host.word[table][i] = entry_word(entry[i], at);
		if (entry[i] != 1)
			continue;
		host.word[table][i] = (uint64_t)host.used_count << 12 | 1 << 7 |
				      search.root.table_rights;
		from = read_state(from, host.used_count, level - 1, at);
	}
	host.meta[table].live = (uint16_t)live;
	return from;
}

/* Make the tree of a state, and nothing else. */
static void restore(size_t number)
{
	memset(host.used, 0, sizeof(host.used));
	host.used_count = host.next = host.alloc_count = host.fail_at = 0;
	memset(&search.owner, 0, sizeof(search.owner));
	read_state(search.bytes + search.offset[number] + 2, 0, TOP, 0);
}

static uint64_t hash_bytes(const uint8_t *p, size_t length)
{
	uint64_t h = 0xcbf29ce484222325ull;

	while (length--)
		h = (h ^ *p++) * 0x100000001b3ull;
	return h ^ h >> 29;
}

static void grow(void)
{
	search.hash_size *= 2;
	search.hash = realloc(search.hash, search.hash_size * sizeof(*search.hash));
	search.offset = realloc(search.offset, search.hash_size * sizeof(*search.offset));
	memset(search.hash, 0, search.hash_size * sizeof(*search.hash));
	for (size_t n = 0; n < search.count; n++) {
		const uint8_t *s = search.bytes + search.offset[n];
		size_t i = hash_bytes(s + 2, s[0] | s[1] << 8);

		while (search.hash[i & (search.hash_size - 1)])
			i++;
		search.hash[i & (search.hash_size - 1)] = (uint32_t)n + 1;
	}
}

/* The tree as it is now is a state: a new one, or one that is known. */
static void note_state(void)
{
	uint8_t state[STATE_BYTES_MAX];
	size_t length = (size_t)(write_state(state, 0, TOP, 0) - state), i;

	for (i = hash_bytes(state, length);; i++) {
		uint32_t n = search.hash[i & (search.hash_size - 1)];
		const uint8_t *s = n ? search.bytes + search.offset[n - 1] : NULL;

		if (!n)
			break;
		if ((size_t)(s[0] | s[1] << 8) == length && !memcmp(s + 2, state, length))
			return;
	}
	if (search.used + length + 2 > search.room)
		search.bytes = realloc(search.bytes, search.room = 2 * (search.room + length + 2));
	search.bytes[search.used] = (uint8_t)length;
	search.bytes[search.used + 1] = (uint8_t)(length >> 8);
	memcpy(search.bytes + search.used + 2, state, length);
	search.hash[i & (search.hash_size - 1)] = (uint32_t)search.count + 1;
	search.offset[search.count++] = search.used;
	search.used += length + 2;
	if (2 * search.count > search.hash_size)
		grow();
}

/* ---- Looking at a tree. ---- */

static void look_leaf(struct cell *cell, uint64_t w, unsigned level, unsigned page)
{
	unsigned memory = WORD_ADDRESS(w) != memory_page(0, page);

	search.wrong |= WORD_ADDRESS(w) != memory_page(memory, page) || level == TOP ||
			(WORD_ADDRESS(w) & (level_pages(level) - 1));
	for (unsigned i = 0; i < level_pages(level); i++)
		cell[page + i] = (struct cell){ CELL_MEMORY, (uint8_t)memory, w & RW };
}

/* Returns the number of tables. */
static unsigned look_table(struct cell *cell, unsigned table, unsigned level, unsigned page,
			   uint64_t count[PT_LEVEL_MAX])
{
	const struct pt_meta *meta = &host.meta[table];
	unsigned live = 0, tables = 1;

	count[level]++;
	search.wrong |= !host.used[table] || meta->level != level;
	for (unsigned i = 0; i < HOST_ENTRIES; i++) {
		uint64_t w = host.word[table][i];
		unsigned at = page + i * level_pages(level);

		live += w != 0;
		search.wrong |= w && !(meta->summary >> i & 1);
		if (WORD_TYPE(w) == 1)
			tables += look_table(cell, WORD_ADDRESS(w), level - 1, at, count);
		else if (WORD_TYPE(w) == 2)
			look_leaf(cell, w, level, at);
		for (unsigned j = 0; WORD_TYPE(w) == 3 && j < level_pages(level); j++)
			cell[at + j].kind = CELL_SOFT;
	}
	search.wrong |= meta->live != live || (!live && meta->summary);
	return tables;
}

/* The pages of the tree; search.wrong if it is not in order. */
static void look(struct cell *cell)
{
	uint64_t count[PT_LEVEL_MAX] = { 0 };

	memset(cell, 0, PAGES * sizeof(*cell));
	search.wrong = look_table(cell, 0, TOP, 0, count) != host.used_count;
	search.wrong |= memcmp(count, search.owner.table_count, sizeof(count)) != 0;
}

/* ---- Operations, and what they must do. ---- */

enum op_kind { OP_MAP, OP_UNMAP, OP_PROTECT, OP_MERGE, OP_CUT, OP_RESERVE, OP_SOFT };

struct op {
	enum op_kind kind;
	unsigned first, last, memory, rights;
};

static int op_soft(va_t start)
{
	int err = pt_reserve(&search.root, start, start + 4096, 0);
	ptv_t v;
	ptp_t p;

	if (err)
		return err;
	p = pt_find(&search.root, start, &v);
	if (ptv_none(v) && p.level == 0)
		ptp_change(p, ptv_make_soft(start >> 12, 0));
	return 0;
}

static int op_do(const struct op *op)
{
	va_t start = (va_t)op->first << 12, end = (va_t)(op->last + 1) << 12;

	switch (op->kind) {
	case OP_MAP:
		return pt_map(&search.root, start, PA(memory_page(op->memory, op->first) << 12),
			      end - start, op->rights, &search.batch);
	case OP_UNMAP:
		return pt_unmap(&search.root, start, end, NULL, &search.batch);
	case OP_PROTECT:
		return pt_protect(&search.root, start, end, RW & ~op->rights, op->rights);
	case OP_MERGE:
		return pt_merge(&search.root, start, end, &search.batch) < 0 ? -EINVAL : 0;
	case OP_CUT:
		return pt_cut(&search.root, start);
	case OP_RESERVE:
		return pt_reserve(&search.root, start, end, 0);
	case OP_SOFT:
		return op_soft(start);
	}
	return -EINVAL;
}

/* The model's turn: `cell` becomes what must be; returns what must be returned. */
static int op_expect(const struct op *op, struct cell *cell)
{
	for (unsigned i = op->first; i <= op->last && op->kind == OP_MAP; i++)
		if (cell[i].kind != CELL_NONE)
			return -EEXIST;
	for (unsigned i = op->first; i <= op->last; i++) {
		if (op->kind == OP_MAP)
			cell[i] = (struct cell){ CELL_MEMORY, op->memory, op->rights };
		else if (op->kind == OP_UNMAP)
			cell[i] = (struct cell){ CELL_NONE, 0, 0 };
		else if (op->kind == OP_PROTECT && cell[i].kind == CELL_MEMORY)
			cell[i].rights = op->rights;
		else if (op->kind == OP_SOFT && cell[i].kind == CELL_NONE)
			cell[i].kind = CELL_SOFT;
	}
	return 0;
}

static bool complain(const char *what, size_t state, const struct op *op, int err)
{
	test_note("%s: state %zu, operation %u on pages %u-%u, memory %u, rights %x, failing "
		  "allocation %u: returned %d",
		  what, state, op->kind, op->first, op->last, op->memory, op->rights, host.fail_at,
		  err);
	search.complained = true;
	return false;
}

/* One operation on one state, its `fail`-th allocation failing. *more: it had one. */
static bool try_op(size_t state, const struct op *op, unsigned fail, bool *more)
{
	int err, expected;

	restore(state);
	host.fail_at = fail;
	search.batch.count = 0;
	err = op_do(op);
	for (unsigned i = 0; i < search.batch.count; i++)
		host_release(search.batch.table[i]);
	*more = fail && host.alloc_count >= fail;
	memcpy(search.expected, search.before, sizeof(search.expected));
	expected = *more && err == -ENOMEM ? -ENOMEM : op_expect(op, search.expected);
	search.transitions++;
	search.failures += *more;
	look(search.after);
	if (err != expected)
		return complain("result", state, op, err);
	if (search.wrong)
		return complain("books", state, op, err);
	if (memcmp(search.after, search.expected, sizeof(search.after)))
		return complain("translations", state, op, err);
	note_state();
	return true;
}

static bool try_all(size_t state, const struct op *op)
{
	bool more = true, ok = try_op(state, op, 0, &more);

	more = host.alloc_count > 0;
	for (unsigned fail = 1; ok && more; fail++)
		ok = try_op(state, op, fail, &more);
	return ok;
}

/* Every operation there is, on one state. */
static bool expand(size_t state)
{
	bool ok = true;

	restore(state);
	look(search.before);
	for (unsigned first = 0; first < PAGES && ok; first++) {
		ok = try_all(state, &(struct op){ OP_CUT, first, first, 0, 0 }) &&
		     try_all(state, &(struct op){ OP_RESERVE, first, first, 0, 0 }) &&
		     (search.plain || try_all(state, &(struct op){ OP_SOFT, first, first, 0, 0 }));
		for (unsigned last = first; last < PAGES && ok; last++) {
			for (unsigned i = 0; i < (search.plain ? 2 : 4) && ok; i++)
				ok = try_all(state, &(struct op){ OP_MAP, first, last, i >> 1,
								  i & 1 ? RW : PT_R });
			ok = ok && try_all(state, &(struct op){ OP_UNMAP, first, last, 0, 0 }) &&
			     try_all(state, &(struct op){ OP_PROTECT, first, last, 0, PT_R }) &&
			     try_all(state, &(struct op){ OP_PROTECT, first, last, 0, RW }) &&
			     try_all(state, &(struct op){ OP_MERGE, first, last, 0, 0 });
		}
	}
	return ok;
}

/* What a search may take behind the depth that it is told: of the CPU's time, and of memory. */
#define STATES_BYTES_MAX (2ull << 30)

static bool search_may_go_on(void)
{
	const char *seconds = getenv("SMALL_SECONDS");

	return seconds && search.used < STATES_BYTES_MAX &&
	       clock() - search.begun < strtoll(seconds, NULL, 0) * CLOCKS_PER_SEC;
}

/* All operations on all states that there are: one operation more. False: not on all of them. */
static bool expand_round(size_t *begin, bool bounded)
{
	for (size_t end = search.count; *begin < end; ++*begin) {
		if ((bounded && !search_may_go_on()) || !expand(*begin))
			return false;
	}
	return true;
}

static void search_init(bool plain)
{
	memset(&search, 0, sizeof(search));
	search.begun = clock();
	search.plain = plain;
	search.hash_size = 1 << 16;
	search.hash = calloc(search.hash_size, sizeof(*search.hash));
	search.offset = calloc(search.hash_size, sizeof(*search.offset));
	memset(&host, 0, sizeof(host));
	EXPECT_EQ(pt_root_init(&search.root, &search.owner, TOP, 0, ((va_t)PAGES << 12) - 1), 0);
	search.root.table_rights = PT_RWX | PT_U;
	note_state();
}

/* Search that many operations deep, or until there is nothing new; and deeper, if the environment
 * says DEEPER=operations or SMALL_SECONDS=seconds. */
static void enumerate(unsigned depth, bool plain)
{
	const char *more = getenv("DEEPER");
	size_t begin = 0, known = 0;
	unsigned round = 0;

	search_init(plain);
	depth += more ? (unsigned)atoi(more) : 0;
	while (begin < search.count && (round < depth || search_may_go_on())) {
		known = search.count;
		if (!expand_round(&begin, round >= depth))
			break;
		round++;
	}
	EXPECT(!search.complained);
	test_note("%u levels of %u entries, %s alphabet: all sequences of %s%u operations: %zu "
		  "states, %llu operations tried, %llu of them with a failed allocation",
		  SMALL_LEVEL_COUNT, HOST_ENTRIES, plain ? "plain" : "full",
		  begin == search.count ? "any length, at " : "", round, search.count,
		  (unsigned long long)search.transitions, (unsigned long long)search.failures);
	if (begin < known)
		test_note("and one operation more on %zu of the %zu states", begin, known);
	free(search.hash);
	free(search.offset);
	free(search.bytes);
}
