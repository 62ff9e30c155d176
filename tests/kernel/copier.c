/* A space and a device that copies in it; see copier.h. */
#include <arch/trap.h>
#include <tests/kernel/copier.h>
#include <tests/kernel/oracle.h>
#include <tests/kernel/test.h>

bool copier_open(struct copier *c, uint64_t pages, unsigned flags)
{
	c->space = space_create();
	rig_add_area(c->space, RIG_BASE, pages, flags);
	c->d = vtd_domain_create(c->space, e1000_id());
	EXPECT(vtd_get_stats(0, &c->before));
	return EXPECT(c->d) && EXPECT_EQ(e1000_use(c->d, COPIER_RINGS), 0);
}

void copier_close(struct copier *c)
{
	touch_done();
	EXPECT_EQ(oracle_check(), 0u);
	e1000_use(NULL, 0);
	vtd_domain_destroy(c->d);
	space_destroy(c->space);
}

struct vtd_stats copier_since(const struct copier *c)
{
	struct vtd_stats s;

	EXPECT(vtd_get_stats(0, &s));
	s.page_flushes -= c->before.page_flushes;
	s.domain_flushes -= c->before.domain_flushes;
	s.faults -= c->before.faults;
	s.lost_faults -= c->before.lost_faults;
	return s;
}
