/*
 * The kernel's address space. See kspace.h for what holds, arch/layout.h for the map.
 */
#include <lib/printk.h>
#include <lib/rwlock.h>
#include <mm/flush.h>
#include <mm/kspace.h>

struct space kernel_space;
static struct rwlock kspace_lock = RWLOCK_INIT(LOCK_KSPACE); /* of its areas and their entries */
static struct family kernel_family;
pa_t zero_page;

/* ---- The top table in every space. ---- */

/* Bring one top table up to date; the kernel's own is the reference. */
static void kspace_sync_root(const struct pt_root *root, va_t start, va_t last)
{
	const pt_t kernel = kernel_space.root.top;
	unsigned i = pt_next_live(kernel, pt_index(start, kernel.level));

	for (; i <= pt_index(last, kernel.level); i = pt_next_live(kernel, i + 1)) {
		ptv_t ref = ptp_get(pt_entry(kernel, i));
		ptp_t p = pt_entry(root->top, i);
		ptv_t v = ptp_get(p);

		if (ptv_none(v)) {
			frame_get(pa_to_frame(ptv_pa(ref)));
			ptp_change(p, ref);
		} else {
			ASSERT_EQ(ptv_pa(v).value, ptv_pa(ref).value);
		}
	}
}

void kspace_sync(va_t start, va_t last)
{
	struct space *s;

	list_for_each(s, &space_list, link)
		kspace_sync_root(&s->root, start, last);
}

void kspace_attach(struct space *s)
{
	kspace_sync_root(&s->root, kernel_space.root.first, kernel_space.root.last);
}

void kspace_detach(struct space *s)
{
	const pt_t top = s->root.top;
	unsigned i = pt_next_live(top, pt_index(kernel_space.root.first, top.level));

	for (; i < PT_ENTRY_COUNT; i = pt_next_live(top, i + 1)) {
		ptv_t old = ptp_change(pt_entry(top, i), ptv_make_none(top.level));

		frame_put(pa_to_frame(ptv_pa(old)));
	}
}

void kspace_init_root(void)
{
	struct space *k = &kernel_space;
	unsigned top = arch_mmu.top_level;
	va_t first = ~(pt_mask(top + 1) >> 1);
	struct frame *zero;

	*k = (struct space){ .user = 0 };
	zero = frame_alloc_zeroed(0, FRAME_KERNEL);
	kernel_family = (struct family){ .users = 1 };
	k->family = &kernel_family;
	if (!zero || pt_root_init(&k->root, &kernel_family.owner, top, first, ~0ull))
		panic("no memory for the kernel's top table");
	zero_page = frame_to_pa(zero);
	k->root.keep_level = top - 1;
	/* The dynamic range begins in every space from the start; what it adds comes by
	 * kspace_sync. */
	if (pt_reserve(&k->root, DYNAMIC_BASE, DYNAMIC_BASE + PAGE_SIZE, top - 1))
		panic("no memory for the dynamic range");
	list_init(&k->areas);
	notifier_init(&k->notifier);
}

/* ---- The dynamic range. ---- */

static int kspace_map_frames(va_t va, uint64_t bytes, struct area *area)
{
	for (uint64_t at = 0; at < bytes; at += PAGE_SIZE) {
		struct frame *f = frame_alloc_zeroed(0, FRAME_KERNEL);
		int err;

		if (!f)
			return -ENOMEM;
		err = pt_map(&kernel_space.root, va + at, frame_to_pa(f), PAGE_SIZE,
			     PT_R | PT_W | PT_GLOBAL | PT_YOUNG | PT_DIRTY, NULL);
		if (err) {
			frame_put(f);
			return err;
		}
		area_account(area, MAPPED_ANON, 1);
	}
	return 0;
}

/* An area of the dynamic range with a gap below and above it. */
static struct area *kspace_add_area(uint64_t bytes, enum area_kind kind, pa_t pa)
{
	struct area model = {
		.kind = kind,
		.rights = PT_R | PT_W,
		.pa = pa,
		.flags = AREA_NOFORK | AREA_SHARED, /* never copied on write: it is every space's */
	};
	struct area *area;

	model.start = space_find_gap(&kernel_space, bytes + 2 * PAGE_SIZE, PAGE_SIZE, DYNAMIC_BASE,
				     DYNAMIC_END) +
		      PAGE_SIZE;
	model.end = model.start + bytes;
	if (model.start == PAGE_SIZE || area_insert(&kernel_space, &model, &area))
		return NULL;
	return area;
}

static void kspace_remove(va_t va)
{
	struct area *area = space_find_area(&kernel_space, va);
	FLUSH_BATCH(batch);
	int err;

	ASSERT(area);
	flush_begin(&batch, NULL);
	err = space_zap(&kernel_space, area->start, area->end, &batch);
	ASSERT_EQ(err, 0);
	flush_end(&batch);
	area_remove(&kernel_space, area);
}

static va_t kspace_alloc_locked(uint64_t bytes)
{
	struct area *area = kspace_add_area(bytes, AREA_ANON, PA(0));
	va_t va;

	if (!area)
		return 0;
	va = area->start;
	if (kspace_map_frames(va, bytes, area)) {
		kspace_remove(va);
		return 0;
	}
	kspace_sync(va, va + bytes - 1);
	return va;
}

va_t kspace_alloc(uint64_t bytes)
{
	va_t va;

	rw_write_lock(&kspace_lock);
	va = kspace_alloc_locked(ALIGN_UP(bytes, PAGE_SIZE));
	rw_write_unlock(&kspace_lock);
	return va;
}

static va_t kspace_map_locked(pa_t pa, uint64_t bytes, pt_attr_t attr)
{
	struct area *area = kspace_add_area(bytes, AREA_DEVICE, pa);
	int err;

	if (!area)
		return 0;
	area->rights = attr & PT_RWX;
	err = pt_map(&kernel_space.root, area->start, pa, bytes,
		     attr | PT_GLOBAL | PT_DEVMAP | PT_YOUNG, NULL);
	if (err) {
		area_remove(&kernel_space, area);
		return 0;
	}
	area_account(area, MAPPED_DEVICE, bytes >> PAGE_SHIFT);
	kspace_sync(area->start, area->end - 1);
	return area->start;
}

/* Of whole pages around [pa, pa + bytes). */
static va_t kspace_map_window(pa_t pa, uint64_t bytes, pt_attr_t attr)
{
	uint64_t offset = pa.value & (PAGE_SIZE - 1);
	va_t va;

	rw_write_lock(&kspace_lock);
	va = kspace_map_locked(PA(pa.value - offset), ALIGN_UP(bytes + offset, PAGE_SIZE), attr);
	rw_write_unlock(&kspace_lock);
	return va ? va + offset : 0;
}

va_t kspace_map_device(pa_t pa, uint64_t bytes)
{
	return kspace_map_window(pa, bytes, PT_R | PT_W | PT_UC | PT_DIRTY);
}

va_t kspace_map_memory(pa_t pa, uint64_t bytes, bool writable)
{
	return kspace_map_window(pa, bytes, writable ? PT_R | PT_W | PT_DIRTY : PT_R);
}

void kspace_free(va_t va)
{
	rw_write_lock(&kspace_lock);
	kspace_remove(va);
	rw_write_unlock(&kspace_lock);
}

/* ---- Reports and the self-check. ---- */

uint64_t kspace_table_bytes(void)
{
	uint64_t count = 0;

	for (unsigned level = 0; level < PT_LEVEL_MAX; level++)
		count += kernel_family.owner.table_count[level];
	return count * PAGE_SIZE;
}

struct kspace_rights {
	unsigned bad_count;
};

static void kspace_check_span(void *arg, const struct pt_span *s)
{
	struct kspace_rights *check = arg;

	if (s->kind != PT_LEAF)
		return;
	if ((s->attr & PT_W) && (s->attr & PT_X))
		printk("writable and executable: %#lx-%#lx\n", s->va, s->last);
	else if (s->attr & PT_U)
		printk("open to the user: %#lx-%#lx\n", s->va, s->last);
	else
		return;
	check->bad_count++;
}

unsigned kspace_check_rights(void)
{
	struct kspace_rights check = { 0 };
	struct pt_root root = kernel_space.root;
	int err;

	root.top.pa = arch_root_current();
	err = pt_dump(&root, root.first, root.last + 1, kspace_check_span, &check);
	ASSERT_EQ(err, 0);
	return check.bad_count;
}
