/*
 * Forking by one strategy, whatever `fork=` says. Locking: as space_fork.
 */
#pragma once

#include <mm/copy.h>
#include <mm/share.h>

static inline struct space *fork_as(struct space *s, bool shared)
{
	bool shares = fork_shares_tables;
	struct space *child;

	fork_shares_tables = shared;
	child = space_fork(s);
	fork_shares_tables = shares;
	return child;
}

static inline struct space *fork_eagerly(struct space *s)
{
	return fork_as(s, false);
}

static inline struct space *fork_sharing(struct space *s)
{
	return fork_as(s, true);
}
