/*
 * The suite on the arena host: the whole of it, with every access watched. Included by the files
 * that run it, after they have named PT_TEST_FORMAT and HOST_PA_BASE. See suite.h.
 */
#pragma once

#define PT_API static __attribute__((unused))
#define PT_FORMAT_HEADER <tests/kernel/pt/pt_format_hooked.h>
#define PT_HOST_HEADER <tests/kernel/pt/host_arena.h>
#include <mm/pt/pt_ops.c>

#include <mm/pt/pt_iter.h>

#define SUITE_ATTR 0u
#ifndef SUITE_SCALE
#ifdef PTOLEMY_HOST
#define SUITE_SCALE 4
#else
#define SUITE_SCALE 1
#endif
#endif

struct pt_batch;
static void suite_host_reset(void);
static void suite_host_root(pt_t top);
static uint64_t suite_tables_used(void);
static uint64_t suite_alloc_count(void);
static void suite_fail(uint64_t skip, uint64_t count);
static void suite_batch_begin(struct pt_batch *batch);
static void suite_batch_end(struct pt_batch *batch);

#include <tests/kernel/pt/suite_bad.h>
#include <tests/kernel/pt/suite_fail.h>
#include <tests/kernel/pt/suite_format.h>
#include <tests/kernel/pt/suite_iter.h>
#include <tests/kernel/pt/suite_map.h>
#include <tests/kernel/pt/suite_protect.h>
#include <tests/kernel/pt/suite_random.h>
#include <tests/kernel/pt/suite_split.h>
#include <tests/kernel/pt/suite_watch.h>

static int host_make_exclusive(const struct pt_root *root, ptp_t p)
{
	pt_t old = ptv_to_table(raw_ptp_get(p)), own;
	int err = pt_alloc(root->owner, old.level, &own);

	if (err)
		return err;
	for (unsigned i = 0; i < PT_ENTRY_COUNT; i++)
		if (!ptv_none(raw_ptp_get(pt_entry(old, i))))
			ptp_change(pt_entry(own, i), raw_ptp_get(pt_entry(old, i)));
	ptp_exchange(p, ptv_make_table(own.pa, root->table_rights, p.level));
	return 0;
}

static void suite_host_reset(void)
{
	host.alloc_count = host.free_count = host.fail_skip = host.fail_count = 0;
	host.on_alloc = NULL;
	host.report_count = host.split_count = 0;
	hooks.before_change = NULL;
}

/* Nothing points to a top table, but walkers do reach it. */
static void suite_host_root(pt_t top)
{
	host.table[host_index(top.pa)].linked = true;
}

static uint64_t suite_tables_used(void)
{
	return host.used_count;
}

static uint64_t suite_alloc_count(void)
{
	return host.alloc_count;
}

static void suite_fail(uint64_t skip, uint64_t count)
{
	host.fail_skip = skip;
	host.fail_count = count;
}

static void suite_batch_begin(struct pt_batch *batch)
{
	host_batch_begin(batch);
}

static void suite_batch_end(struct pt_batch *batch)
{
	host_batch_end(batch);
}

/* All that is claimed of a depth; what concerns single values is the same at every depth. */
#define SUITE_REGISTER_DEPTH(s, top)                 \
	SUITE_REGISTER(s, top, SUITE_MAP_CLAIMS)     \
	SUITE_REGISTER(s, top, SUITE_SPLIT_CLAIMS)   \
	SUITE_REGISTER(s, top, SUITE_PROTECT_CLAIMS) \
	SUITE_REGISTER(s, top, SUITE_ITER_CLAIMS)    \
	SUITE_REGISTER(s, top, SUITE_WATCH_CLAIMS)   \
	SUITE_REGISTER(s, top, SUITE_FAIL_CLAIMS)    \
	SUITE_REGISTER(s, top, SUITE_BAD_CLAIMS)     \
	SUITE_REGISTER(s, top, SUITE_RANDOM_CLAIMS)
