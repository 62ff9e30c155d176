/*
 * The library's operations for the CPU's format, and what its host needs out of line.
 * No state but the count of bad entries. Locking: mm/pt/pt.h.
 */
#include <mm/flush.h>
#include <mm/pagetable.h>
#include <mm/pt/pt_ops.c>

uint64_t pt_bad_count;

void pt_report_bad(unsigned level, va_t va, uint64_t bits)
{
	__atomic_add_fetch(&pt_bad_count, 1, __ATOMIC_RELAXED);
	printk("bad page-table entry dropped: level %u, va %#lx, value %#lx\n", level, va, bits);
}

void pt_host_free(struct pt_owner *owner, pt_t table, struct pt_batch *batch)
{
	struct frame *f = pa_to_frame(table.pa);

	(void)owner;
	if (batch)
		flush_add_table(batch, f);
	else
		frame_put(f);
}
