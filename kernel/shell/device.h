/*
 * The device that a person lets work in a scratch space: a DMA engine behind the IOMMU.
 *
 * Locking: the monitor's CPU. Talks to: dev/edu, dev/vtd.
 */
#pragma once

#include <mm/space.h>

/* The space is about to go: the device leaves it. */
void device_forget(const struct space *s);
