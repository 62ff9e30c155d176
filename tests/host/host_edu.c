/* The host has no IOMMU and no edu: tests that want them are skipped. */
#include <tests/kernel/dma_make.h>

bool dma_edu_is_there(void)
{
	return false;
}

bool dma_edu_open(struct dma *d, struct space *space)
{
	(void)d, (void)space;
	return false;
}

void dma_edu_close(struct dma *d)
{
	(void)d;
}

int dma_edu_read(struct dma *d, va_t va, uint64_t *value)
{
	(void)d, (void)va, (void)value;
	return -EIO;
}

int dma_edu_write(struct dma *d, va_t va, uint64_t value)
{
	(void)d, (void)va, (void)value;
	return -EIO;
}

int dma_edu_copy(struct dma *d, va_t to, va_t from, unsigned bytes)
{
	(void)d, (void)to, (void)from, (void)bytes;
	return -EIO;
}

uint64_t dma_edu_fault_count(void)
{
	return 0;
}
