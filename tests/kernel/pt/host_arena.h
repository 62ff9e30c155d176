/*
 * The library's host for tests: tables from an arena, at made-up physical addresses near the top of
 * what the format can hold. Named in PT_HOST_HEADER together with pt_format_hooked.h; one arena for
 * each file that includes it.
 *
 * It counts, fails on demand, and is strict: memory and metadata of a fresh table are garbage
 * except where the contract says otherwise; a table that is reached at the wrong level, after it
 * was freed, or through an address that is no table's, is a failed check, and the access goes to a
 * table that is nobody's.
 */
#pragma once

#include <mm/pt/pt_types.h>
#include <tests/kernel/test.h>

#ifndef HOST_TABLE_COUNT
#define HOST_TABLE_COUNT 320
#endif
#define HOST_TABLE_BYTES (1ull << (PT_TABLE_BITS + PT_SLOT_SHIFT))
#define HOST_GARBAGE 0xdb
#define HOST_REPORT_MAX 8

_Static_assert(HOST_TABLE_BYTES <= 1ull << PT_PAGE_SHIFT, "a table fits a page");

enum host_state { HOST_FREE, HOST_USED, HOST_PENDING };

struct host_table {
	struct pt_meta meta;
	uint8_t state;
	uint8_t level;
	bool linked; /* some entry has pointed to it */
	bool shared; /* a test says that others see it, too */
	unsigned hold_count;
};

/* Tables that wait for a flush. The bit of table i is in pending[i / 64]. */
struct pt_batch {
	uint64_t pending[(HOST_TABLE_COUNT + 63) / 64];
	unsigned count;
};

struct host_report {
	unsigned level;
	va_t va;
	uint64_t bits;
};

static struct host {
	struct host_table table[HOST_TABLE_COUNT + 1]; /* the last is nobody's */
	unsigned used_count;                           /* used or pending */
	uint64_t alloc_count, free_count;              /* calls; successful or not */
	uint64_t fail_skip, fail_count;                /* let so many pass, then fail so many */
	void (*on_alloc)(void);                        /* somebody is faster: called once */
	unsigned report_count;
	struct host_report report[HOST_REPORT_MAX];
	unsigned split_count;
} host;

static uint8_t host_memory[HOST_TABLE_COUNT + 1][HOST_TABLE_BYTES]
	__attribute__((aligned(HOST_TABLE_BYTES)));

#define PT_HOST_HOOKS
#define PT_ASSERT(cond) ((void)test_check(cond, __FILE__, __LINE__, #cond, 0, 0))
#define PT_HOST_REPORT_BAD(p, va, v) host_report_bad((p).level, va, ptv_raw(v))
#define PT_HOST_SPLIT(v) ((void)(v), host.split_count++)
#define PT_HOST_LINK ptp_compare_exchange
#define PT_HOST_HOLD(t) (host.table[host_index((t).pa)].hold_count++)
#define PT_HOST_DROP(t) (host.table[host_index((t).pa)].hold_count--)
#define PT_HOST_DEAD(t) (host.table[host_index((t).pa)].state != HOST_USED)
#define PT_HOST_SHARED(v) (ptv_is_table(v) && host.table[host_index(ptv_pa(v))].shared)
#define PT_HOST_EXCLUSIVE(root, p) host_make_exclusive(root, p)

static inline pa_t host_pa(unsigned index)
{
	return PA(HOST_PA_BASE + ((uint64_t)index << PT_PAGE_SHIFT));
}

/* The table at an address; the one that is nobody's, and a failed check, if none is there. */
static inline unsigned host_index(pa_t pa)
{
	uint64_t offset = pa.value - HOST_PA_BASE;
	uint64_t index = offset >> PT_PAGE_SHIFT;

	if (index < HOST_TABLE_COUNT && host_pa(index).value == pa.value &&
	    host.table[index].state != HOST_FREE)
		return index;
	test_check(false, __FILE__, __LINE__, "walked to a table that is none", pa.value, 0);
	return HOST_TABLE_COUNT;
}

static inline void *pt_host_ptr(pa_t table)
{
	return host_memory[host_index(table)];
}

static inline unsigned host_index_of(const void *slot)
{
	size_t offset = (const uint8_t *)slot - host_memory[0];
	size_t index = offset / HOST_TABLE_BYTES;

	return index < HOST_TABLE_COUNT ? index : HOST_TABLE_COUNT;
}

static inline struct pt_meta *pt_host_meta(const void *ptr)
{
	return &host.table[host_index_of(ptr)].meta;
}

/* Below: a copy of the shared table takes its place, if there is memory for one. */
struct pt_root;
static int host_make_exclusive(const struct pt_root *root, ptp_t p);

static inline void host_report_bad(unsigned level, va_t va, uint64_t bits)
{
	if (host.report_count < HOST_REPORT_MAX)
		host.report[host.report_count] = (struct host_report){ level, va, bits };
	host.report_count++;
}

/* ---- Allocation. ---- */

static bool host_fails(void)
{
	if (host.fail_skip) {
		host.fail_skip--;
		return false;
	}
	if (!host.fail_count)
		return false;
	host.fail_count--;
	return true;
}

static unsigned host_find_free(void)
{
	static unsigned next;

	for (unsigned i = 0; i < HOST_TABLE_COUNT; i++) {
		next = (next + 1) % HOST_TABLE_COUNT;
		if (host.table[next].state == HOST_FREE)
			return next;
	}
	return HOST_TABLE_COUNT;
}

struct pt_owner;
static inline pa_t pt_host_alloc(struct pt_owner *owner, unsigned level)
{
	void (*on_alloc)(void) = host.on_alloc;
	unsigned index;

	(void)owner;
	host.on_alloc = NULL;
	if (on_alloc)
		on_alloc();
	host.alloc_count++;
	index = host_fails() ? HOST_TABLE_COUNT : host_find_free();
	if (index == HOST_TABLE_COUNT)
		return PA_NONE;
	__builtin_memset(&host.table[index].meta, HOST_GARBAGE, sizeof(struct pt_meta));
	__builtin_memset(host_memory[index], 0, HOST_TABLE_BYTES);
	host.table[index].state = HOST_USED;
	host.table[index].level = level;
	host.table[index].linked = host.table[index].shared = false;
	host.table[index].hold_count = 0;
	host.used_count++;
	return host_pa(index);
}

static unsigned host_count_live(unsigned index, unsigned level)
{
	unsigned live = 0;

	for (unsigned i = 0; i < 1u << PT_TABLE_BITS; i++) {
		ptp_t p = { &host_memory[index][i << PT_SLOT_SHIFT], level };

		live += !ptv_none(raw_ptp_get(p));
	}
	return live;
}

static void host_reuse(unsigned index)
{
	host.table[index].state = HOST_FREE;
	__builtin_memset(host_memory[index], HOST_GARBAGE, HOST_TABLE_BYTES);
	host.used_count--;
}

/* With a batch the memory stays as it is until the flush. Without one, nobody ever saw the table.
 * */
static inline void pt_host_free(struct pt_owner *owner, pt_t table, struct pt_batch *batch)
{
	unsigned index = host_index(table.pa);

	(void)owner;
	host.free_count++;
	EXPECT_EQ(host.table[index].state, HOST_USED);
	EXPECT_EQ(host.table[index].level, table.level);
	EXPECT_EQ(host.table[index].hold_count, 0u);
	EXPECT_EQ(host.table[index].meta.live, host_count_live(index, table.level));
	if (index == HOST_TABLE_COUNT)
		return;
	if (!batch) {
		EXPECT(!host.table[index].linked);
		host_reuse(index);
		return;
	}
	host.table[index].state = HOST_PENDING;
	batch->pending[index / 64] |= 1ull << index % 64;
	batch->count++;
}

static void host_batch_begin(struct pt_batch *batch)
{
	*batch = (struct pt_batch){ .count = 0 };
}

static void host_batch_end(struct pt_batch *batch)
{
	for (unsigned i = 0; i < HOST_TABLE_COUNT; i++)
		if (batch->pending[i / 64] >> i % 64 & 1)
			host_reuse(i);
}

/* ---- What pt_format_hooked.h asks. ---- */

static void host_check_access(ptp_t p)
{
	unsigned index = host_index_of(p.slot);

	if (host.table[index].state != HOST_FREE && host.table[index].level == p.level)
		return;
	test_check(false, __FILE__, __LINE__, "an entry of a used table of that level",
		   host.table[index].level, p.level);
}

/* A plain store may only hit what no walker writes: none, bad, or a table not linked yet. */
static void host_check_store(ptp_t p, ptv_t old, ptv_t v)
{
	enum pt_kind kind = ptv_kind(old);
	bool free = kind == PT_NONE || kind == PT_BAD || !host.table[host_index_of(p.slot)].linked;

	if (!free || v.level != p.level)
		test_check(false, __FILE__, __LINE__, "a store to an entry in use", old.bits,
			   v.bits);
}

static void host_check_complete(ptv_t v)
{
	unsigned index;

	if (!ptv_is_table(v))
		return;
	index = host_index(ptv_pa(v));
	EXPECT_EQ(host.table[index].level, v.level - 1);
	EXPECT_EQ(host.table[index].meta.level, v.level - 1);
	EXPECT_EQ(host.table[index].meta.live, host_count_live(index, v.level - 1));
}

static void host_note_linked(ptv_t v)
{
	if (ptv_is_table(v))
		host.table[host_index(ptv_pa(v))].linked = true;
}
