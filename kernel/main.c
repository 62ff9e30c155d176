/*
 * The boot order, and what the kernel does once it is up: tests, commands, prompt.
 *
 * boot/ comes here in long mode, interrupts disabled, on the boot stack, with the boot tables.
 */
#include <arch/clock.h>
#include <arch/cpu.h>
#include <arch/image.h>
#include <arch/mmu.h>
#include <arch/smp.h>
#include <arch/trap.h>
#include <boot_info.h>
#include <dev/e1000.h>
#include <dev/edu.h>
#include <dev/fw_cfg.h>
#include <dev/pic.h>
#include <dev/serial.h>
#include <lib/broken.h>
#include <lib/printk.h>
#include <lib/string.h>
#include <mm/frame.h>
#include <mm/kspace.h>
#include <mm/share.h>
#include <mm/show.h>
#include <options.h>
#include <proc/cpus.h>
#include <proc/watchdog.h>
#include <shell/demo.h>
#include <shell/digest.h>
#include <shell/shell.h>
#include <tests/kernel/test.h>

#define FW_CFG_CMDLINE "opt/org.ptolemy/cmdline"

struct boot_info boot_info;

void kernel_main(uint32_t magic, uint64_t info_pa) NORETURN;

static void print_banner(void)
{
	const struct arch_mmu_caps *m = &arch_mmu;

	printk("\nPtolemy, a kernel that draws its own maps\n");
	printk("paging: %u-level, %u-bit virtual, %u-bit physical, %s pages\n"
	       "protection: NX WP%s%s%s%s\n",
	       m->top_level + 1, m->top_level == 4 ? 57 : 48, m->pa_bits,
	       m->leaf_level_max == 2 ? "1 GiB" : "2 MiB", m->global ? " PGE" : "",
	       m->smep ? " SMEP" : "", m->smap ? " SMAP" : "", m->umip ? " UMIP" : "");
}

/* What the boot loader says, and where we ourselves are. */
static void read_boot_info(pa_t info)
{
	uint64_t image = (uint64_t)image_start - IMAGE_BASE, pa_limit = 1ull << arch_mmu.pa_bits;
	const char *reason;

	if (multiboot_parse(pa_to_ptr(info), BOOT_MAP_BYTES - info.value, info, pa_limit,
			    &boot_info, &reason) ||
	    memmap_mark(&boot_info.memmap, image, (uint64_t)(image_end - image_start),
			MEMMAP_RESERVED, pa_limit))
		panic("boot information: %s", reason);
	smp_reserve_trampoline(&boot_info.memmap, pa_limit);
	printk("boot information: %s; %lu MiB usable, %u odd ranges dropped\n", reason,
	       memmap_bytes(&boot_info.memmap, MEMMAP_USABLE) >> 20,
	       boot_info.memmap.dropped_count);
}

/* Frames that the boot tables reach, then the kernel's own tables, which reach the rest. */
static void start_memory(void)
{
	if (frame_init(&boot_info.memmap))
		panic("not enough memory for the frame array");
	frame_add_usable(&boot_info.memmap, 0, BOOT_MAP_BYTES);
	kspace_init(&boot_info.memmap);
	trap_page_fault = page_fault_resolve;
	trap_print_walk = show_current_walk;
	printk("memory: %lu MiB in frames, %lu MiB free, %lu KiB of tables\n",
	       frame_total_count() >> 8, frame_free_count() >> 8, kspace_table_bytes() >> 10);
}

static void report_option(const char *text)
{
	printk("%s\n", text);
}

/* Append what comes from outside, so that one image serves every run. */
static void read_options(void)
{
	static char more[OPTIONS_CMDLINE_MAX];
	char *line = boot_info.cmdline;
	size_t length = strlen(line), room = sizeof(boot_info.cmdline) - length;
	int64_t size = fw_cfg_read(FW_CFG_CMDLINE, more, sizeof(more));
	bool fits = size < (int64_t)sizeof(more);

	if (size > 0)
		fits &= ksnprintf(line + length, room, " %s", more) < (int)room;
	options_parse(&options, line, report_option);
	if (!fits) {
		report_option("option line: fw_cfg's part is too long, its end is ignored");
		options.error_count++;
	}
	shell_failure_count += options.error_count;
	fork_shares_tables = options.fork == FORK_SHARED;
}

#if PTOLEMY_TEST
static void guard_begin(const char *name)
{
	if (options.deadline)
		watchdog_start(name, options.deadline * CLOCK_S);
}

static void guard_extend(uint64_t seconds)
{
	watchdog_extend(seconds * CLOCK_S);
}

static const struct test_guard guard = { guard_begin, guard_extend, watchdog_stop };

/* What the tests need of the kernel: their bugs caught, their time limited. */
static void prepare_tests(void)
{
	assert_hook = test_bug_hit;
	watchdog_print_failure = test_print_hang;
	test_guard = &guard;
	test_random_seed(options.seed);
	broken_variant = options.broken;
}

static void run_tests(void)
{
	prepare_tests();
	if (strcmp(options.test, "none"))
		shell_failure_count += test_run_rounds(options.test, options.rounds).failed;
}

/* The tests that a person need not wait for, and no more of them than what matters. */
static void run_quick_tests(void)
{
	prepare_tests();
	demo_title("Tests: the quick ones; `test *` runs them all");
	shell_failure_count += digest_run_tests(TEST_QUICK).failed;
}
#else
/* Whoever asks a kernel without tests for some must not take its exit for success. */
static void run_tests(void)
{
	if (!strcmp(options.test, "none") || !strcmp(options.test, "*"))
		return;
	printk("option test: this kernel was built without tests\n");
	shell_failure_count++;
}

static void run_quick_tests(void)
{
}
#endif

static void run_commands(void)
{
	if (!shell_run_line(options.run))
		shell_failure_count++;
}

/* Nobody has said what to do, so somebody is watching: show what there is. */
static bool is_person_watching(void)
{
	return !options.exit && !options.test_given && !*options.run;
}

void kernel_main(uint32_t magic, uint64_t info_pa)
{
	serial_init();
	printk_set_console(serial_write);
	cpu_init_boot();
	pic_disable();
	arch_mmu_init();
	print_banner();
	(void)magic; /* boot/ has checked it */
	read_boot_info(PA(info_pa));
	start_memory();
	read_options();
	cpus_init();
	if (vtd_init()) {
		edu_init();
		e1000_init();
	}
	cpus_start_others(); /* after what moves devices in the address space: CAVEATS.md */
	if (is_person_watching()) {
		demo_run();
		run_quick_tests();
	} else {
		run_tests();
		run_commands();
	}
	if (options.exit)
		shell_exit();
	shell_run();
}
