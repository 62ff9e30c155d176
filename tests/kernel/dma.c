/* The device, soft side; see dma.h. The hard one is in dma_edu.c, which needs the machine. */
#include <lib/string.h>
#include <tests/kernel/dma_make.h>
#include <tests/kernel/test.h>

bool dma_is_there(enum dma_make make)
{
	return make == DMA_SOFT || dma_edu_is_there();
}

bool dma_open(struct dma *d, enum dma_make make, struct space *space)
{
	memset(d, 0, sizeof(*d));
	d->make = make;
	if (make == DMA_EDU)
		return dma_edu_open(d, space);
	soft_device_init(&d->soft, false);
	d->soft.mirror = d->m =
		mirror_create(space, &vtd_mirror_format, RIG_TOP_LEVEL, &d->soft.ops);
	return d->m != NULL;
}

void dma_close(struct dma *d)
{
	if (d->make == DMA_EDU)
		dma_edu_close(d);
	else
		mirror_destroy(d->m);
}

int dma_read(struct dma *d, va_t va, uint64_t *value)
{
	return d->make == DMA_EDU ? dma_edu_read(d, va, value)
				  : soft_device_read(&d->soft, va, value);
}

int dma_write(struct dma *d, va_t va, uint64_t value)
{
	return d->make == DMA_EDU ? dma_edu_write(d, va, value)
				  : soft_device_write(&d->soft, va, value);
}

bool dma_reads(struct dma *d, va_t va, uint64_t value)
{
	uint64_t seen;

	return !dma_read(d, va, &seen) && seen == value;
}

int dma_copy(struct dma *d, va_t to, va_t from, unsigned bytes)
{
	int err = 0;

	if (d->make == DMA_EDU)
		return dma_edu_copy(d, to, from, bytes);
	for (unsigned i = 0; i < bytes && !err; i += sizeof(uint64_t)) {
		uint64_t value = 0;

		err = soft_device_read(&d->soft, from + i, &value);
		if (!err)
			err = soft_device_write(&d->soft, to + i, value);
	}
	return err;
}

uint64_t dma_fault_count(const struct dma *d)
{
	return d->make == DMA_EDU ? dma_edu_fault_count() : d->soft.fault_count;
}
