/*
 * The oracle: recomputes from the roots what the kernel keeps books of, and compares.
 *
 * It reads every entry of every table of every space; it trusts neither live counts nor summaries,
 * nor areas' numbers. Checked, by the rules of the design:
 *
 *   1  a frame's edges equal the entries that point to it (plus one for a page that an object
 *      holds and for the top table of a root); a data frame with no entry is leaked
 *   2  effective W in a private area: one edge on every table of the path and on the memory
 *   3  a table's live count and summary fit its content
 *   5  a mirror says nothing that its space does not say; its tables fit rules 1 and 3
 *   6  areas' mapped pages and tables by level equal a recount; every entry lies in an area
 *
 * Use it at quiet points: nothing may change meanwhile. Talks to: space, kspace, frame, mirror.
 */
#ifndef TESTS_ORACLE_H
#define TESTS_ORACLE_H

/* Returns the number of violations; the first few are printed. */
unsigned oracle_check(void);

#endif
