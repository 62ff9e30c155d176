/*
 * edu as a struct dma. Its buffer can be reached by its own transfers only, so a value goes by
 * way of a page of a space of the tests' own, in a domain of its own; the buffer keeps it while
 * the device changes domains.
 */
#include <arch/trap.h>
#include <dev/edu.h>
#include <tests/kernel/dma_make.h>
#include <tests/kernel/test.h>

/* While any device is open: where values are handed over. */
static struct {
	unsigned user_count;
	struct space *space;
	struct vtd_domain *domain;
} exchange;

bool dma_edu_is_there(void)
{
	return edu_id() != PCI_NONE;
}

static bool exchange_open(void)
{
	if (exchange.user_count++)
		return true;
	exchange.space = space_create();
	if (!exchange.space)
		return false;
	rig_add_area(exchange.space, RIG_BASE, 1, 0);
	exchange.domain = vtd_domain_create(exchange.space, edu_id());
	return exchange.domain && !mirror_fault(exchange.domain->mirror, RIG_BASE, RIG_PAGE(1), RW);
}

static void exchange_close(void)
{
	if (--exchange.user_count)
		return;
	edu_use(NULL);
	vtd_domain_destroy(exchange.domain);
	space_destroy(exchange.space);
}

static uint64_t *exchange_value(void)
{
	return pa_to_ptr(pt_translate(&exchange.space->root, RIG_BASE).pa);
}

bool dma_edu_open(struct dma *d, struct space *space)
{
	if (!exchange_open())
		return false;
	d->domain = vtd_domain_create(space, edu_id());
	if (!d->domain)
		return false;
	d->m = d->domain->mirror;
	return true;
}

void dma_edu_close(struct dma *d)
{
	edu_use(NULL);
	vtd_domain_destroy(d->domain);
	exchange_close();
}

static int use(struct vtd_domain *domain)
{
	int err = edu_use(domain);

	EXPECT_EQ(err, 0);
	return err;
}

int dma_edu_read(struct dma *d, va_t va, uint64_t *value)
{
	int err = use(d->domain);

	if (!err)
		err = edu_move(va, 0, sizeof(*value), EDU_FROM_MEMORY);
	if (!err)
		err = use(exchange.domain);
	if (!err)
		err = edu_move(RIG_BASE, 0, sizeof(*value), EDU_TO_MEMORY);
	if (!err)
		*value = *exchange_value();
	return err;
}

int dma_edu_write(struct dma *d, va_t va, uint64_t value)
{
	int err = use(exchange.domain);

	*exchange_value() = value;
	if (!err)
		err = edu_move(RIG_BASE, 0, sizeof(value), EDU_FROM_MEMORY);
	if (!err)
		err = use(d->domain);
	return err ? err : edu_move(va, 0, sizeof(value), EDU_TO_MEMORY);
}

int dma_edu_copy(struct dma *d, va_t to, va_t from, unsigned bytes)
{
	int err = use(d->domain);

	if (!err)
		err = edu_move(from, 0, bytes, EDU_FROM_MEMORY);
	return err ? err : edu_move(to, 0, bytes, EDU_TO_MEMORY);
}

uint64_t dma_edu_fault_count(void)
{
	struct vtd_stats stats = { .faults = 0 };

	vtd_get_stats(0, &stats);
	return stats.faults;
}
