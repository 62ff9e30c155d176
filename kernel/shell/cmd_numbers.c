/*
 * Statistics: frames, shared tables, flushes, locks, CPUs. Each is a guess while others run.
 *
 * Talks to: mm/frame, mm/share, mm/flush, lib/lock_order, arch.
 */
#include <arch/clock.h>
#include <arch/cpu.h>
#include <arch/mmu.h>
#include <lib/lock_check.h>
#include <lib/printk.h>
#include <lib/string.h>
#include <mm/flush.h>
#include <mm/frame.h>
#include <mm/share.h>
#include <shell/kinds.h>
#include <shell/scratch.h>
#include <shell/shell.h>

static const char *const frame_kind_name[] = {
	"reserved", "free", "tail", "data", "table", "kernel"
};
_Static_assert(ARRAY_SIZE(frame_kind_name) == FRAME_KIND_COUNT, "a name for each kind");

/* The block that begins at pfn, which may be gone the next moment. */
static uint64_t block_frames(pfn_t pfn)
{
	const struct frame *f = &frame_array[pfn];
	unsigned order = f->kind == FRAME_RESERVED || f->kind == FRAME_TAIL ? 0 : f->order;

	return order <= FRAME_ORDER_MAX ? 1ull << order : 1;
}

static void print_frames(void)
{
	uint64_t blocks[FRAME_KIND_COUNT] = { 0 }, frames[FRAME_KIND_COUNT] = { 0 };

	for (pfn_t pfn = 0; pfn < frame_limit; pfn += block_frames(pfn)) {
		unsigned kind = frame_array[pfn].kind;

		if (kind >= FRAME_KIND_COUNT)
			continue;
		blocks[kind]++;
		frames[kind] += block_frames(pfn);
	}
	printk("%lu of %lu frames are free\n%-9s %9s %9s\n", frame_free_count(),
	       frame_total_count(), "", "blocks", "frames");
	for (unsigned kind = 0; kind < FRAME_KIND_COUNT; kind++)
		if (kind != FRAME_TAIL)
			printk("%-9s %9lu %9lu\n", frame_kind_name[kind], blocks[kind],
			       frames[kind]);
}

static void print_frame(pa_t pa)
{
	const struct frame *f = pa_to_frame(pa);

	printk("frame %#lx: %s, %lu frames, %u edges", ALIGN_DOWN(pa.value, 0x1000ul),
	       frame_kind_name[f->kind % FRAME_KIND_COUNT], block_frames(pa.value >> PAGE_SHIFT),
	       frame_edges(f));
	if (f->kind == FRAME_TABLE)
		printk("; level %u, %u live entries", f->meta.level, f->meta.live);
	printk("\n");
}

SHELL_COMMAND(frames, "numbers", "frames [<pa>]", "memory by what it is used for, or one frame")
{
	pa_t pa = PA(argc == 2 ? arg_number(argv[1]) : 0);

	if (argc == 1)
		print_frames();
	else if (pa_has_frame(pa))
		print_frame(pa);
	else
		printk("frames: there is no memory at %#lx\n", pa.value);
	return argc == 1 || pa_has_frame(pa);
}

SHELL_COMMAND(share, "numbers", "share", "shared tables since boot, and which way forks go")
{
	printk("a fork %s (fork=%s)\n"
	       "tables: %lu shared by forks, %lu copied by writes, %lu taken back, %lu edges let "
	       "go\n",
	       fork_shares_tables ? "shares tables" : "copies every entry",
	       fork_shares_tables ? "shared" : "eager", share_stats.shared, share_stats.copied,
	       share_stats.reused, share_stats.dropped);
	return true;
}

SHELL_COMMAND(flushes, "numbers", "flushes", "TLB flushes since boot")
{
	printk("%lu rounds for %lu ranges: %lu pages one by one, %lu times everything\n",
	       flush_stats.rounds, flush_stats.ranges, flush_stats.pages, flush_stats.full);
	return true;
}

static void print_lock_stats(enum lock_class class)
{
	struct lock_stats s;

	if (lock_get_stats(class, &s))
		printk("%12lu %10lu %9lu us  ", s.taken, s.contended,
		       clock_tsc_hz ? s.longest / (clock_tsc_hz / 1000000) : 0);
}

SHELL_COMMAND(locks, "numbers", "locks",
	      "the order of locks, outermost first: how often taken, waited for, how long at most")
{
#define LOCK_ROW(name, flags) { #name, flags },
	static const struct {
		const char *name;
		unsigned flags;
	} row[] = { LOCK_ORDER(LOCK_ROW) };

	if (PTOLEMY_TEST)
		printk("    %-18s%10s %10s %12s\n", "class", "taken", "contended", "longest");
	for (unsigned i = 0; i < ARRAY_SIZE(row); i++) {
		printk("%2u  %-16s", i + 1, row[i].name);
		print_lock_stats((enum lock_class)(i + 1));
		printk("%s%s\n", row[i].flags & LOCK_FLAG_SLEEP ? "holders may sleep" : "",
		       row[i].flags & LOCK_FLAG_IRQ ? "interrupts off" : "");
	}
	lock_print_held(cpu_local()->context, "held: ");
	return true;
}

static void print_brand(void)
{
	uint32_t text[13] = { 0 };

	if (arch_cpuid(0x80000000, 0).eax < 0x80000004)
		return;
	for (uint32_t i = 0; i < 3; i++) {
		struct cpuid_regs r = arch_cpuid(0x80000002 + i, 0);

		memcpy(&text[i * 4], &r.eax, 4);
		memcpy(&text[i * 4 + 1], &r.ebx, 4);
		memcpy(&text[i * 4 + 2], &r.ecx, 4);
		memcpy(&text[i * 4 + 3], &r.edx, 4);
	}
	printk("%s\n", (const char *)text);
}

static void print_loaded(void *arg, const char *name)
{
	if (cpu_set_has(&scratch_find(name)->cpus, *(unsigned *)arg))
		printk(" has %s loaded", name);
}

SHELL_COMMAND(cpus, "numbers", "cpus", "the CPUs that run, and what they can do")
{
	print_brand();
	printk("%u-level paging, %u bits physical, leaves up to level %u%s%s%s%s\n",
	       arch_mmu.top_level + 1, arch_mmu.pa_bits, arch_mmu.leaf_level_max,
	       arch_mmu.global ? ", global pages" : "", arch_mmu.smep ? ", SMEP" : "",
	       arch_mmu.smap ? ", SMAP" : "", arch_mmu.umip ? ", UMIP" : "");
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++) {
		printk("cpu %u%s", cpu, cpu == cpu_index() ? ": runs the monitor" : ": online");
		scratch_each(print_loaded, &cpu);
		printk("\n");
	}
	return true;
}
