/*
 * A space whose memory the fast device behind the IOMMU copies about (dev/e1000.h): what tests of
 * that begin with.
 */
#pragma once

#include <dev/e1000.h>
#include <tests/kernel/mirror_rig.h>

#define COPIER_RINGS (RIG_BASE - PAGE_SIZE)

struct copier {
	struct space *space;
	struct vtd_domain *d;
	struct vtd_stats before;
};

#define COPIER_NEEDED()                                             \
	do {                                                        \
		if (e1000_id() == PCI_NONE)                         \
			TEST_SKIP("no DMA device behind an IOMMU"); \
	} while (0)

/* An area of `pages` pages at RIG_BASE, and a domain that the device works in. */
bool copier_open(struct copier *c, uint64_t pages, unsigned flags);
/* Check with the oracle, then take everything down. */
void copier_close(struct copier *c);
/* What the unit has done since. */
struct vtd_stats copier_since(const struct copier *c);
