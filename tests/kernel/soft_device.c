/* The software device; see soft_device.h. Bits as the VT-d specification numbers them. */
#include <lib/string.h>
#include <mm/frame.h>
#include <tests/kernel/soft_device.h>

#define ENTRY_READ 0x1
#define ENTRY_WRITE 0x2
#define ENTRY_LARGE 0x80
#define ENTRY_ACCESSED 0x100
#define ENTRY_DIRTY 0x200
#define ENTRY_ADDRESS 0x000ffffffffff000
#define DIRECTORY_RESERVED 0x4000000000000800 /* bits 62 and 11 */
#define DIRECTORY_SHIFT 21
#define SERVICE_MAX 4

static void soft_flush(struct mirror *m, va_t start, va_t last, bool tables)
{
	struct soft_device *d = CONTAINER_OF(m->device, struct soft_device, ops);

	d->flush_count++;
	for (unsigned i = 0; i < SOFT_IOTLB_COUNT; i++) {
		struct soft_iotlb *t = &d->iotlb[i];

		if (!d->deaf && t->page << 12 <= last && (t->page << 12 | 0xfff) >= start)
			t->valid = false;
	}
	for (unsigned i = 0; i < SOFT_DIRECTORY_COUNT; i++)
		d->directory[i].valid &= d->deaf || !tables;
}

void soft_device_init(struct soft_device *d, bool tracks)
{
	memset(d, 0, sizeof(*d));
	d->ops.flush = soft_flush;
	d->ops.tracks = tracks;
}

static bool soft_refuse(struct soft_device *d, enum soft_reason reason, va_t va, bool write)
{
	d->fault_count++;
	d->fault = (struct soft_fault){ reason, va & ~0xfffull, write };
	return false;
}

/* A walk in progress: what the entries so far allow. */
struct soft_walk {
	struct soft_device *d;
	va_t va;
	bool write;
	struct soft_iotlb t;
};

static uint64_t *soft_entry(uint64_t table, va_t va, unsigned shift)
{
	uint64_t *entry = pa_to_ptr(PA(table));

	return &entry[va >> shift & 511];
}

/* Use one entry: 0 if it can be passed, or why not. */
static enum soft_reason soft_pass(struct soft_walk *w, uint64_t *entry, bool leaf)
{
	uint64_t v = __atomic_load_n(entry, __ATOMIC_ACQUIRE);
	uint64_t set = ENTRY_ACCESSED | (leaf && w->write ? ENTRY_DIRTY : 0);

	if (!(v & (ENTRY_READ | ENTRY_WRITE)))
		return SOFT_NOT_PRESENT;
	if (v & DIRECTORY_RESERVED)
		return SOFT_RESERVED;
	w->t.read &= v & ENTRY_READ;
	w->t.write &= !!(v & ENTRY_WRITE);
	if (w->write ? !w->t.write : !w->t.read)
		return w->write ? SOFT_NO_WRITE : SOFT_NO_READ;
	if (leaf && w->d->ops.tracks)
		__atomic_fetch_or(entry, set, __ATOMIC_ACQ_REL);
	return SOFT_OK;
}

/* From the table that the directory cache remembers, or from the root. */
static uint64_t soft_begin(struct soft_walk *w, unsigned *shift)
{
	const struct pt_root *root = &w->d->mirror->root;
	const struct soft_directory *c =
		&w->d->directory[w->va >> DIRECTORY_SHIFT & (SOFT_DIRECTORY_COUNT - 1)];

	*shift = 12 + 9 * root->top.level;
	if (!c->valid || c->region != w->va >> DIRECTORY_SHIFT)
		return root->top.pa.value;
	*shift = 12;
	w->t.read = c->read;
	w->t.write = c->write;
	return c->table;
}

static void soft_remember_directory(struct soft_walk *w, uint64_t table)
{
	uint64_t region = w->va >> DIRECTORY_SHIFT;

	w->d->directory[region & (SOFT_DIRECTORY_COUNT - 1)] =
		(struct soft_directory){ true, w->t.read, w->t.write, region, table };
}

static enum soft_reason soft_walk(struct soft_walk *w)
{
	unsigned shift;
	uint64_t table = soft_begin(w, &shift);

	w->d->walk_count++;
	for (;; shift -= 9) {
		uint64_t *entry = soft_entry(table, w->va, shift), v = *entry;
		bool leaf = shift == 12 || (v & ENTRY_LARGE);
		enum soft_reason reason = soft_pass(w, entry, leaf);
		uint64_t inside = (1ull << shift) - 1;

		if (reason != SOFT_OK)
			return reason;
		table = v & ENTRY_ADDRESS;
		if (!leaf) {
			if (shift == DIRECTORY_SHIFT)
				soft_remember_directory(w, table);
			continue;
		}
		if (table & inside)
			return SOFT_RESERVED;
		w->t.host = table + (w->va & inside & ~0xfffull);
		return SOFT_OK;
	}
}

bool soft_device_access(struct soft_device *d, va_t va, void *buf, size_t bytes, bool write)
{
	struct soft_iotlb *t = &d->iotlb[va >> 12 & (SOFT_IOTLB_COUNT - 1)];
	struct soft_walk w = { d, va, write, { true, true, true, write, va >> 12, 0 } };
	enum soft_reason reason;
	char *memory;

	if (va >> (12 + 9 * (d->mirror->root.top.level + 1)))
		return soft_refuse(d, SOFT_BEYOND, va, write);
	/* A cached translation that is enough is used; a first write must set the dirty bit. */
	if (!t->valid || t->page != va >> 12 || (write && d->ops.tracks && !t->dirty)) {
		reason = soft_walk(&w);
		if (reason != SOFT_OK)
			return soft_refuse(d, reason, va, write);
		*t = w.t;
		t->valid = true;
	}
	if (write ? !t->write : !t->read) /* remembered without the right: as QEMU does */
		return soft_refuse(d, write ? SOFT_NO_WRITE : SOFT_NO_READ, va, write);
	memory = (char *)pa_to_ptr(PA(t->host)) + (va & 0xfff);
	memcpy(write ? memory : buf, write ? buf : memory, bytes);
	return true;
}

static int soft_serviced(struct soft_device *d, va_t va, uint64_t *value, bool write)
{
	va_t page = va & ~(va_t)(PAGE_SIZE - 1);
	int err = 0;

	for (unsigned i = 0; i < SERVICE_MAX && !err; i++) {
		if (soft_device_access(d, va, value, sizeof(*value), write))
			return 0;
		err = mirror_fault(d->mirror, page, page + PAGE_SIZE, write ? PT_R | PT_W : PT_R);
	}
	return err ? err
		   : -EIO; /* serviced, and yet refused: the mirror or its flushes are broken */
}

int soft_device_write(struct soft_device *d, va_t va, uint64_t value)
{
	return soft_serviced(d, va, &value, true);
}

int soft_device_read(struct soft_device *d, va_t va, uint64_t *value)
{
	return soft_serviced(d, va, value, false);
}

bool soft_device_reads(struct soft_device *d, va_t va, uint64_t value)
{
	uint64_t seen;

	return !soft_device_read(d, va, &seen) && seen == value;
}
