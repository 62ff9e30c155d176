/*
 * Ready-made operations on the ranges of a root, as loops over the walker.
 *
 * Ranges are [start, end), in whole level-0 pages; end == 0 means 2^64. A range that the root does
 * not translate gives -ERANGE, one that is not whole pages or is empty -EINVAL; nothing has changed
 * then. Flushing the range afterwards is the caller's duty; tables that became unreachable go to
 * `batch`.
 *
 * Compiled once per format: a .c file names its format as pt.h says and includes pt_ops.c. PT_API
 * is for a format that is not alone in a program: `static`, where one file uses it.
 */
#pragma once

#include "pt.h"

/* Told of every leaf and soft entry that an operation has removed (v.level says how large). */
struct pt_drop {
	void (*drop)(struct pt_drop *self, va_t va, ptv_t v);
};

/*
 * Make a root with a new, empty top table at `top_level` for the addresses [first, last], which
 * must lie inside one piece of what that many levels tell apart (x86: one half).
 *
 * Other members of *root get defaults: leaves wherever the format allows, empty tables
 * reclaimed, tables granting all rights but PT_U. Returns 0 or -ENOMEM.
 */
PT_API int pt_root_init(struct pt_root *root, struct pt_owner *owner, unsigned top_level,
			va_t first, va_t last);

/*
 * Map [va, va + bytes) to the memory from pa on, in the largest leaves that alignment,
 * the format and root->leaf_level_max allow.
 *
 * Returns -EEXIST if something is mapped there, -ENOMEM, or -EINVAL (address or attributes that the
 * format cannot hold, unaligned pa). On failure nothing is mapped that was not before; tables left
 * empty are taken back.
 */
PT_API int pt_map(const struct pt_root *root, va_t va, pa_t pa, uint64_t bytes, pt_attr_t attr,
		  struct pt_batch *batch);

/*
 * Remove everything in [start, end): leaves and soft entries go to `drop` (may be NULL), tables
 * that become empty to the batch. A huge leaf that is covered in part is split first.
 *
 * Returns -ENOMEM if a split found no memory; then every translation is as before.
 */
PT_API int pt_unmap(const struct pt_root *root, va_t start, va_t end, struct pt_drop *drop,
		    struct pt_batch *batch);

/*
 * Give the leaves in [start, end) the attributes (old & ~clear) | set; soft entries stay.
 *
 * PT_YOUNG and PT_DIRTY that the walker sets meanwhile are kept unless they are in `clear`.
 * Returns -EINVAL for attributes the format does not know; -ENOMEM as pt_unmap.
 */
PT_API int pt_protect(const struct pt_root *root, va_t start, va_t end, pt_attr_t clear,
		      pt_attr_t set);

/*
 * Split so that no leaf reaches across va: an operation that starts or ends there needs no memory.
 * Returns 0 or -ENOMEM; translations are the same either way.
 */
PT_API int pt_cut(const struct pt_root *root, va_t va);

/* Make sure that every table down to `level` exists in [start, end). -ENOMEM: some do. */
PT_API int pt_reserve(const struct pt_root *root, va_t start, va_t end, unsigned level);

/* What va translates to. Never fails: outside the root it is none. Lock-free. (pt_find gives the
 * lowest entry itself, for those who go on from there.) */
PT_API struct pt_span pt_translate(const struct pt_root *root, va_t va);

/*
 * Replace tables in [start, end) whose entries say together what one leaf can say by that leaf.
 *
 * PT_YOUNG and PT_DIRTY are joined. Returns the number of huge leaves made, or -ERANGE/-EINVAL.
 */
PT_API int pt_merge(const struct pt_root *root, va_t start, va_t end, struct pt_batch *batch);

/* Entries by kind and level, found by walking; PT_NONE is not counted. */
struct pt_count {
	uint64_t entry[PT_KIND_COUNT][PT_LEVEL_MAX];
};
PT_API int pt_count(const struct pt_root *root, va_t start, va_t end, struct pt_count *out);

/* Report the ranges of [start, end) that are not none, in order, neighbours that continue each
 * other (same kind, level, attributes but A/D, adjoining memory) merged. */
typedef void pt_dump_fn(void *arg, const struct pt_span *span);
PT_API int pt_dump(const struct pt_root *root, va_t start, va_t end, pt_dump_fn *fn, void *arg);

/* Tear down all that the root translates, and the top table. */
PT_API void pt_free(struct pt_root *root, struct pt_drop *drop, struct pt_batch *batch);
