/*
 * How the oracle says what it found: the rule, the smallest range, and the walks that contradict
 * each other. Part of the oracle; see oracle.h. Talks to: oracle_list.
 */
#pragma once

#include <tests/kernel/oracle.h>
#include <tests/kernel/oracle_list.h>

struct mirror;

/* The roots of what there is. */
struct oracle_root oracle_root_of(const struct space *space);
struct oracle_root oracle_root_of_mirror(const struct mirror *m);

/* Forget what was found before. */
void oracle_report_begin(void);

/* A violation of a rule in [va, last] of the root; its walk is printed. */
void oracle_violation(const struct oracle_root *root, unsigned rule, va_t va, va_t last,
		      const char *fmt, ...) PRINTF_LIKE(5, 6);
/* The same about the memory at `pa`: the other walks that lead there are printed, too. (Without a
 * root: all walks.) */
void oracle_violation_of(const struct oracle_root *root, unsigned rule, va_t va, va_t last,
			 uint64_t pa, const char *fmt, ...) PRINTF_LIKE(6, 7);

/* Rule 5: the mirrored space says the same of [va, last] of the mirror, with no less right. */
void oracle_check_mirrored(const struct oracle_root *mirror, va_t va, va_t last);
extern const struct space *oracle_mirrored_space; /* NULL: it has gone */
