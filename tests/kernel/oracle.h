/*
 * The oracle: recomputes from the roots what the kernel keeps books of, and compares.
 *
 * It reads every entry of every table of every space and mirror, with decoders of its own
 * (oracle_list.h); it trusts neither live counts nor summaries, nor areas' numbers. Checked, by the
 * rules of the design:
 *
 *   1  a frame's edges equal the entries that point to it (plus one for a page that an object
 *      holds and for the top table of a root); a data frame with no entry is leaked
 *   2  effective W in a private area: one edge on every table of the path and on the memory
 *   3  a table's live count and summary fit its content
 *   4  what this CPU has cached grants no more than the tables do (oracle_check_tlb)
 *   5  a mirror says nothing that its space does not say; its tables fit rules 1 and 3
 *   6  areas' mapped pages and tables by level equal a recount; every entry lies in an area
 *   7  is the test runner's: every suite ends with as many free frames as it began with
 *
 * Use it at quiet points: nothing may change meanwhile. A violation is printed with its rule, the
 * smallest range it is about, and the walks that contradict each other.
 * Talks to: space, kspace, frame, mirror.
 */
#pragma once

#include <mm/space.h>

/* Returns the number of violations; the first few are printed. All spaces, mirrors and frames. */
unsigned oracle_check(void);

/*
 * The same for user spaces and mirrors and the frames that they lead to, without the kernel's own
 * tables and without a look at frames that nothing leads to: costs what the spaces are large.
 */
unsigned oracle_check_spaces(void);

/*
 * Rule 4, for this CPU: read or write, without help by mm/fault, each of the pages that the tables
 * of the space refuse to. What is written is what is there. The space becomes the loaded one.
 */
unsigned oracle_check_tlb(struct space *space, const va_t *page, unsigned count);

/* Rule 3, for one table. */
unsigned oracle_check_table(const struct frame *table);

/*
 * Look at every release of a lock by the calling thread, which must be alone: at the table's, at
 * the last of a space's or mirror's. The first violation fails the test. Option oracle=always.
 */
void oracle_set_always(bool always);
bool oracle_is_always(void);
extern uint64_t oracle_release_count; /* looks so far */

/* What the last check found. */
#define ORACLE_RULES 8
struct oracle_report {
	unsigned count, by_rule[ORACLE_RULES];
	unsigned rule; /* of the first violation, and its range */
	va_t va, last;
};
extern struct oracle_report oracle_report;

/* For tests of the oracle itself: find, but do not print. */
extern bool oracle_is_quiet;
