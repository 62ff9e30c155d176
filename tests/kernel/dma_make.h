/* What the makes of struct dma have to offer, for dma.c alone. */
#pragma once

#include <dev/vtd_table.h>
#include <tests/kernel/dma.h>

bool dma_edu_is_there(void);
bool dma_edu_open(struct dma *d, struct space *space);
void dma_edu_close(struct dma *d);
int dma_edu_read(struct dma *d, va_t va, uint64_t *value);
int dma_edu_write(struct dma *d, va_t va, uint64_t value);
int dma_edu_copy(struct dma *d, va_t to, va_t from, unsigned bytes);
uint64_t dma_edu_fault_count(void);
