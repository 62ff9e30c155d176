/*
 * Spaces and areas: what an address space is, apart from its entries.
 *
 * A space has a root for its half of the addresses, a sorted list of areas that do not overlap, and
 * subscribers (notifier.h). An area is a range with one policy; every entry of the space that is
 * not none lies in one. Kernel entries of the top table are the same in every space (kspace_sync).
 *
 * Invariants: area->mapped equals a recount of its range; the rights of an entry never exceed its
 * area's; in a private area an entry that grants W is the only edge of its frame.
 *
 * Locking, outermost first:
 *   layout   (written) one operation at a time that changes areas or forks
 *   lock     written: areas and any entries; read: areas hold still, tables stay where they
 *            are, and an entry may be changed under its table's lock
 *   table    pt_meta.lock, one: of the table that holds the entry
 * A fault holds `lock` for reading and one table's lock; what covers more than a table holds
 * `lock` for writing and no table's. Functions take what they need; those marked "locked" want
 * the caller to hold it. Talks to: frame, flush, notifier, swap, account, arch/mmu.
 */
#pragma once

#include <lib/cpu_set.h>
#include <lib/list.h>
#include <lib/rwlock.h>
#include <mm/account.h>
#include <mm/notifier.h>
#include <mm/pagetable.h>

#define USER_FIRST 0x10000ull /* page 0 and its neighbours stay unmapped in every space */

enum area_kind {
	AREA_ANON,   /* zero pages on demand; private unless AREA_SHARED */
	AREA_OBJECT, /* pages of a struct object: shared, or private (copied on write) */
	AREA_DEVICE, /* a device window: uncounted, mapped at once, never copied on write */
};

#define AREA_SHARED (1u << 0) /* a fork maps the same memory, writes included */
#define AREA_NOFORK (1u << 1) /* a fork does not inherit it */
#define AREA_HUGE (1u << 2)   /* use huge leaves where they fit */
#define AREA_FLAGS (AREA_SHARED | AREA_NOFORK | AREA_HUGE)

/* What an entry can be, for accounting. Pages of level 0; a huge leaf counts as many. */
enum mapped_kind {
	MAPPED_ANON,
	MAPPED_OBJECT,
	MAPPED_DEVICE,
	MAPPED_ZERO,
	MAPPED_SWAP,
	MAPPED_KIND_COUNT
};

/* How a fault was resolved. */
enum fault_result {
	FAULT_STALE,  /* the entry allowed it already: a stale TLB entry, or somebody was faster */
	FAULT_FILLED, /* demand-zero, object page, or swap-in */
	FAULT_REUSED, /* write to a page that nobody else has any more: W given back */
	FAULT_COPIED, /* write to a page with other edges: copied */
	FAULT_RESULT_COUNT
};

/* Memory that exists apart from any space: what shared areas and mapped modules show. Its holder
 * keeps one hold on each frame; frames may be NULL until first touched (then they are made,
 * zeroed). */
struct object {
	uint32_t users; /* areas and explicit holders */
	uint64_t page_count;
	struct frame **frame;
	struct frame *table; /* the block that `frame` lies in */
	unsigned table_order;
};

struct area {
	struct list link; /* in space->areas, by start */
	va_t start, end;  /* exclusive; never wraps */
	enum area_kind kind;
	unsigned flags;
	pt_attr_t rights;      /* PT_R | PT_W | PT_X; PT_U is implied by the space */
	struct object *object; /* AREA_OBJECT */
	uint64_t offset_pages; /* AREA_OBJECT: of start in the object */
	pa_t pa;               /* AREA_DEVICE: of start */
	/* booked through account.h: area_collect before looking */
	int64_t mapped[MAPPED_KIND_COUNT];  /* pages */
	int64_t faults[FAULT_RESULT_COUNT]; /* since the area was made */
};

/* Spaces that a fork has related: they may share tables, and pay for them together. */
struct family {
	uint32_t users;        /* atomic: spaces */
	struct pt_owner owner; /* tables of all of them, each counted once */
};

struct space {
	/* constant */
	struct pt_root root; /* root.owner is the family's */
	struct family *family;
	pt_attr_t user; /* PT_U for user spaces, 0 for the kernel's */
	/* with locks of their own, or atomic */
	struct notifier notifier;
	struct cpu_set cpus; /* that have its root loaded, lazy ones included: tlb.h */
	uint64_t generation; /* of its translations: the number of its last flush */
	/* under space_list_lock */
	struct list link; /* in space_list */

	struct rwlock layout, lock;
	/* under lock */
	struct list areas;
	va_t reclaim_hand;                  /* where space_reclaim goes on */
	int64_t faults[FAULT_RESULT_COUNT]; /* of areas that are gone */
};

/* What to add: see space_add_area. */
struct area_spec {
	va_t start, end;
	enum area_kind kind;
	unsigned flags;
	pt_attr_t rights;
	struct object *object;
	uint64_t offset_pages;
	pa_t pa;
};

/*
 * A new space with an empty user half and the kernel's entries, in a family of its own or in that
 * of `relative`. NULL: out of memory.
 */
struct space *space_create(void);
struct space *space_create_related(struct space *relative);

/*
 * Remove every area, release subscribers, free the tables. No CPU may run in it.
 */
void space_destroy(struct space *space);

/* Make this CPU run in the space; NULL: in none, and then it may keep its root (tlb.h). */
void space_switch(struct space *space);
/* The space this CPU runs in; NULL: none. */
struct space *space_current(void);

/*
 * Add an area. Device windows are mapped at once, everything else on demand.
 *
 * Returns 0, -EEXIST (overlaps one), -EINVAL (not whole pages, empty, unknown flags or rights, W or
 * X without R, an object that is too small), -ERANGE (outside the user half), -ENOMEM. On failure
 * nothing changed.
 */
int space_add_area(struct space *space, const struct area_spec *spec);

/* The area that holds va, or NULL. Locked. */
struct area *space_find_area(const struct space *space, va_t va);

/* The lowest gap of `bytes` in [low, high), or 0. Locked. */
va_t space_find_gap(const struct space *space, uint64_t bytes, uint64_t align, va_t low, va_t high);

/*
 * Remove all areas and entries in [start, end); areas that reach out are cut. Holes are allowed.
 *
 * Subscribers see one section around it. Returns -EINVAL, -ERANGE, or -ENOMEM (an area or a huge
 * leaf could not be cut: nothing has changed).
 */
int space_unmap(struct space *space, va_t start, va_t end);

/*
 * Give [start, end) new rights, without holes (-ENOENT). W comes back by write faults only, so a
 * page shared copy-on-write stays safe. Other returns as space_unmap.
 */
int space_protect(struct space *space, va_t start, va_t end, pt_attr_t rights);

/* Sum of all areas' mapped pages of one kind. */
int64_t space_mapped(const struct space *space, enum mapped_kind kind);

/* Faults of a kind since the space was made. */
uint64_t space_fault_count(const struct space *space, enum fault_result result);

/* Every space there is, for kspace_sync and reports. */
extern struct list space_list;
extern struct spinlock space_list_lock;

/* Which kind a leaf of this area is booked under. */
enum mapped_kind area_leaf_kind(const struct area *area, ptv_t v);

/* Is memory of this area copied when it is written after a fork? */
static inline bool area_is_cow(const struct area *area)
{
	return area->kind != AREA_DEVICE && !(area->flags & AREA_SHARED);
}

/* Cut the area that contains va in its inside in two, so that one ends and one starts at va.
 * -ENOMEM: nothing changed. */
int space_cut_area(struct space *space, va_t va);

/*
 * Remove every entry in [start, end); shared tables that lie inside are let go as a whole. Books
 * nothing: the areas there have to be emptied too. Cannot fail if the borders have been cut.
 */
int space_zap(struct space *space, va_t start, va_t end, struct pt_batch *batch);

/* A copy of the area's description in another space, with nothing mapped. -ENOMEM, -EEXIST. */
int space_clone_area(struct space *dst, const struct area *src, struct area **out);

/* The list itself: a copy of `model` goes in (-ENOMEM, -EEXIST); an area without pages goes. */
int area_insert(struct space *space, const struct area *model, struct area **out);
void area_remove(struct space *space, struct area *area);

/* Recount the pages of [start, end), a part of the area, by walking. */
void area_recount(const struct space *space, const struct area *area, va_t start, va_t end,
		  int64_t mapped[MAPPED_KIND_COUNT]);

/* Frames: objects. object_create gives one user; the last object_put frees all. */
struct object *object_create(uint64_t page_count);
/* An object over memory that is there already (a boot module); its frames get a hold each. */
struct object *object_create_at(pa_t start, uint64_t page_count);
void object_get(struct object *o);
void object_put(struct object *o);
/* The frame of a page, made if need be. NULL: out of memory. */
struct frame *object_frame(struct object *o, uint64_t page);

/* The frame of zeroes that read faults of untouched anonymous memory map: uncounted, never
 * writable. */
extern pa_t zero_page;
