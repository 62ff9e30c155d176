/*
 * Domains: mirrors that a VT-d unit walks, which devices use them, and flushing what it remembers.
 */
#include <dev/vtd_table.h>
#include <dev/vtd_unit.h>
#include <lib/printk.h>
#include <mm/frame.h>
#include <mm/pool.h>

static struct pool domain_pool = POOL_INIT(domain_pool, struct vtd_domain);
static const struct vtd_entry nothing;

/* ---- Flushing. ---- */

/* log2 of the pages in the smallest aligned block that holds the range; 64: there is none. */
static unsigned block_order(va_t start, va_t last)
{
	uint64_t differ = (start ^ last) >> PAGE_SHIFT;

	return differ ? 64 - (unsigned)__builtin_clzll(differ) : 0;
}

static struct vtd_entry flush_entry(const struct vtd_domain *d, unsigned order, va_t start,
				    bool tables)
{
	uint64_t low = VTD_INVALIDATE_IOTLB | VTD_DRAIN | VTD_INVALIDATE_DOMAIN(d->id);
	uint64_t block = ~0ull << (order + PAGE_SHIFT);

	if (!VTD_CAP_PAGE_FLUSH(d->unit->cap) || order > VTD_CAP_MASK_MAX(d->unit->cap))
		return (struct vtd_entry){ low | VTD_GRANULE_DOMAIN, 0 };
	return (struct vtd_entry){ low | VTD_GRANULE_FINEST,
				   (start & block) | order | (tables ? 0 : VTD_LEAVES_ONLY) };
}

/* One descriptor for the range, however many pages; accesses under way are finished. */
static void domain_flush(struct mirror *m, va_t start, va_t last, bool tables)
{
	struct vtd_domain *d = CONTAINER_OF(m->device, struct vtd_domain, ops);
	struct vtd_entry e = flush_entry(d, block_order(start, last), start, tables);

	if (d->flush_skip) {
		d->flush_skip--;
		return;
	}
	spin_lock(&d->unit->lock);
	vtd_invalidate(d->unit, e, nothing);
	if (e.high)
		d->unit->stats.page_flushes++;
	else
		d->unit->stats.domain_flushes++;
	spin_unlock(&d->unit->lock);
}

/* ---- Ids. ---- */

/* A free id, or 0. Under the unit's lock. */
static uint16_t take_id(struct vtd_unit *u)
{
	unsigned limit = VTD_CAP_DOMAINS(u->cap);

	for (unsigned id = 1; id < VTD_DOMAINS_MAX && id < limit; id++) {
		if (u->domains[id / 64] >> id % 64 & 1)
			continue;
		u->domains[id / 64] |= 1ull << id % 64;
		u->stats.domain_count++;
		return (uint16_t)id;
	}
	return 0;
}

static void give_id(struct vtd_unit *u, uint16_t id)
{
	spin_lock(&u->lock);
	u->domains[id / 64] &= ~(1ull << id % 64);
	u->stats.domain_count--;
	spin_unlock(&u->lock);
}

/* ---- Domains. ---- */

struct vtd_domain *vtd_domain_create(struct space *space, pci_id_t device)
{
	struct vtd_unit *u = vtd_find_unit(device);
	struct vtd_domain *d = u ? pool_alloc(&domain_pool) : NULL;

	if (!d)
		return NULL;
	d->ops.flush = domain_flush;
	d->unit = u;
	spin_lock(&u->lock);
	d->id = take_id(u);
	spin_unlock(&u->lock);
	if (d->id)
		d->mirror = mirror_create(space, &vtd_mirror_format, u->level_count - 1, &d->ops);
	if (d->mirror)
		return d;
	if (d->id)
		give_id(u, d->id);
	pool_free(&domain_pool, d);
	return NULL;
}

void vtd_domain_destroy(struct vtd_domain *d)
{
	mirror_destroy(d->mirror);
	give_id(d->unit, d->id);
	pool_free(&domain_pool, d);
}

/* ---- Contexts. ---- */

int vtd_reserve(pci_id_t device)
{
	struct vtd_unit *u = vtd_find_unit(device);
	struct frame *f;

	if (!u)
		return -ENOENT;
	if (u->root[device >> 8].low & VTD_ENTRY_PRESENT)
		return 0;
	f = frame_alloc_zeroed(0, FRAME_KERNEL);
	if (!f)
		return -ENOMEM;
	__atomic_store_n(&u->root[device >> 8].low, frame_to_pa(f).value | VTD_ENTRY_PRESENT,
			 __ATOMIC_RELEASE);
	return 0;
}

/* Where the unit looks the device up; it has been reserved. */
static struct vtd_entry *context_of(struct vtd_unit *u, pci_id_t device)
{
	struct vtd_entry *root = &u->root[device >> 8], *table;

	ASSERT(root->low & VTD_ENTRY_PRESENT);
	table = pa_to_ptr(PA(ALIGN_DOWN(root->low, PAGE_SIZE)));
	return &table[device & 0xff];
}

/* The unit forgets the device's context, and what it read through it. Under lock. */
static void forget_context(struct vtd_unit *u, uint16_t id, pci_id_t device)
{
	struct vtd_entry context = { VTD_INVALIDATE_CONTEXT | VTD_GRANULE_FINEST |
					     VTD_INVALIDATE_DOMAIN(id) |
					     VTD_INVALIDATE_SOURCE(device),
				     0 };
	struct vtd_entry pages = {
		VTD_INVALIDATE_IOTLB | VTD_GRANULE_DOMAIN | VTD_DRAIN | VTD_INVALIDATE_DOMAIN(id), 0
	};

	vtd_invalidate(u, context, pages);
	u->stats.context_flushes++;
}

int vtd_attach(struct vtd_domain *d, pci_id_t device)
{
	struct vtd_unit *u = d->unit;
	struct vtd_entry *context = context_of(u, device);
	int err = -EBUSY;

	spin_lock(&u->lock);
	if (!(context->low & VTD_ENTRY_PRESENT)) {
		context->high = VTD_CONTEXT_DEPTH(u->level_count) | VTD_CONTEXT_DOMAIN(d->id);
		__atomic_store_n(&context->low, d->mirror->root.top.pa.value | VTD_ENTRY_PRESENT,
				 __ATOMIC_RELEASE);
		forget_context(u, d->id, device);
		err = 0;
	}
	spin_unlock(&u->lock);
	return err;
}

void vtd_detach(struct vtd_domain *d, pci_id_t device)
{
	struct vtd_unit *u = d->unit;

	spin_lock(&u->lock);
	__atomic_store_n(&context_of(u, device)->low, 0, __ATOMIC_RELEASE);
	forget_context(u, d->id, device);
	spin_unlock(&u->lock);
}
