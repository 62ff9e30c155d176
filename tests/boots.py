"""What `make test` boots: the matrix, whose results count, and the rows, which are results.

tests/run boots them. Statuses are QEMU's exit statuses: 2 * code + 1 for a code that the kernel, or
boot/, writes to debug-exit.
"""
import os
from dataclasses import dataclass

import turns

SCHED_SEED = os.environ.get("SCHED_SEED", "")

PASSED, FAILED, PANIC, HUNG = 33, 35, 37, None
NO_MULTIBOOT, NO_LONG_MODE, NO_NX, NO_LA57, NO_MEMORY = 65, 67, 69, 71, 73
MEANING = {PASSED: "passed", FAILED: "tests failed", PANIC: "panic", HUNG: "no exit in time",
           NO_MULTIBOOT: "refused: loader", NO_LONG_MODE: "refused: no long mode",
           NO_NX: "refused: no NX", NO_LA57: "refused: no LA57", NO_MEMORY: "refused: memory"}
# Seconds of CPU time without a line after which a boot is ended, and, before that, seconds by the clock
# after which the kernel itself ends a test and says who did what. The longest takes ten, if alone.
SILENCE, DEADLINE = 900, 400
ROW_SILENCE, HANG_SILENCE = 90, 4
FIRST_LINE_MAX = 2.0


@dataclass
class Boot:
    """One start of QEMU. `variables` are those of `make run`."""
    name: str
    variables: dict
    options: str = "exit"
    silence: int = SILENCE
    status: int = PASSED  # of a row: what must come of it (or a set of such), ...
    says: str = ""        # ... and a pattern that its output must contain
    first_line_max: float = None
    image: str = "ptolemy.iso"
    seconds: int = 2      # about what it takes: the longest begin first


def machine(firmware, depth, memory, cpu, fork="eager", iommu="no", skips=(), seconds=20):
    """A boot of the matrix. `small` has no pages of 1 GiB, and none of SMEP, SMAP, UMIP."""
    model = {"max": "max", "small": "qemu64,+la57" if depth == 5 else "qemu64"}[cpu]
    variables = {"FIRMWARE": firmware, "LA57": "on" if depth == 5 else "off", "MEM": memory,
                 "CPU": model, "IOMMU": iommu}
    tests = f"test={','.join(['*', *skips])} " if skips else ""
    return Boot(f"{firmware}-{depth}level-{memory}-{cpu}-{fork}", variables,
                f"{tests}fork={fork} exit", seconds=seconds)


# Suites in which CPUs meet; suites to which their number is nothing, and that take time.
CPU_SUITES = ["smp", "lock_smp", "rwlock_smp", "mm_cpus", "flush_cpus", "lazy", "dirty_cpus"]
NOT_FOR_MANY = ("*,-sweep*,-pt_*,-access*,-memmap*,-multiboot*,-bench*,-acpi*,-model,-inject,"
                "-scaling")
MOST_CPUS = 32  # on two of the host's
# What takes turns quickly.
TURNS = "smp,lock_smp,mm_cpus,flush_cpus,lazy,dirty_cpus,mirror_cpus,inject_cpus"


def many(cpus, depth, fork, tests, seconds):
    """A boot with several CPUs. By default the emulator gives each a thread of the host, for real
    races. With SCHED_SEED they run in turn and time counts instructions: 2^shift ns each, so the
    shift decides where the timer interrupts them. Such runs repeat exactly.
    """
    variables = {"SMP": str(cpus), "LA57": "on" if depth == 5 else "off", "IOMMU": "no"}
    options, image = f"fork={fork} exit", "ptolemy.iso"
    if SCHED_SEED:
        variables |= turns.variables(turns.SHIFTS[int(SCHED_SEED, 0) % len(turns.SHIFTS)])
        image = turns.IMAGE
        tests = "smp,mm_cpus,flush_cpus,lazy"
        options = " ".join([f"seed={SCHED_SEED}", *turns.OPTIONS, options])
    return Boot(f"smp{cpus}-{depth}level-{fork}", variables, f"test={tests} {options}",
                image=image, seconds=seconds)


def in_turns(name, tests, fork, shift, seconds, **variables):
    """A boot with four CPUs that is the same each time, whatever else the host does (turns.py)."""
    options = " ".join([f"test={tests}", f"fork={fork}", *turns.OPTIONS, "exit"])
    return Boot(name, {"SMP": "4", **turns.variables(shift), **variables}, options,
                image=turns.IMAGE, seconds=seconds)


# The oracle at every lock release. Left out is what plants violations, or holds frames.
ALWAYS = ("copy*,share*,fault,space,swap*,reclaim*,family,mirror*,notifier*,kspace,oracle,"
          "-copy.bad_entry*,-mirror_table.iterator_*,-mirror_table.two_mirrors*,-reclaim.a_held*,"
          "-mirror_cpus")

# What says the same in one boot as in another is not repeated in each: the library's proofs, which
# read tables of every format and depth as software does, run in `default` alone; random operations
# against the model, and failing allocations, once at each depth for each strategy of fork; the
# permission sweep once at each depth for each CPU. (The host's tests run all but the sweep once more,
# under sanitizers.) Where they take turns is said in `skips`.
LIBRARY, MODEL, SWEEP = "-pt_*", "-model,-inject", "-sweep*"

# {BIOS, UEFI} x {4, 5 levels} x {64M, 512M, 6G} x {small CPU, max}. The first six cover every pair
# of values; the others are what people will run: the default, and the smallest machine with the
# deepest tables. Each strategy of fork runs at both depths. Where there is no IOMMU, its tests are
# skipped.
MATRIX = [
    machine("bios", 4, "6G", "max", skips=[LIBRARY], seconds=45),
    machine("uefi", 5, "64M", "max", "shared", skips=[LIBRARY, SWEEP]),
    machine("uefi", 5, "6G", "small", skips=[LIBRARY, MODEL]),
    machine("bios", 4, "64M", "small", "shared", skips=[LIBRARY]),
    machine("uefi", 4, "512M", "small", iommu="yes", skips=[LIBRARY, MODEL, SWEEP]),
    machine("bios", 5, "512M", "max", "shared", skips=[LIBRARY, MODEL, SWEEP]),
    machine("bios", 5, "64M", "small", skips=[LIBRARY, MODEL, SWEEP]),
    many(2, 4, "shared", NOT_FOR_MANY, seconds=10),
    many(4, 5, "eager", NOT_FOR_MANY, seconds=25),
    many(4, 4, "shared", ",".join(CPU_SUITES + ["share", "copy", "fault", "swap*", "mirror*"]),
         seconds=20),
    many(MOST_CPUS, 5, "shared", ",".join(CPU_SUITES + ["thread"]), seconds=25),
    in_turns("turns-4level-eager", TURNS, "eager", 3, 5, LA57="off", IOMMU="no"),
    in_turns("turns-5level-shared", TURNS, "shared", 6, 5, IOMMU="no"),
    in_turns("turns-iommu", "vtd,inject_vtd", "shared", 6, 5, LA57="off"),
    Boot("soak", {"SMP": "4"}, "test=soak.freed_frames_are_never_seen exit", seconds=60),
    Boot("default", {}, seconds=65),
    Boot("oracle-always-4level-eager", {"LA57": "off"}, f"test={ALWAYS} oracle=always exit"),
    Boot("oracle-always-5level-shared", {}, f"test={ALWAYS} oracle=always fork=shared exit"),
    Boot("iommu-4cpus", {"SMP": "4", "LA57": "off"},
         "test=inject_device.hard*,hmm_*,dma_*,mirror*,notifier* fork=shared exit",
         seconds=100),
    Boot("counted", {"QEMUFLAGS": "-icount shift=0,sleep=off"}, "test=bench exit"),
]

# Measured while nothing else runs: a quick start, and what a second CPU brings.
FIRST_LINE_ROW = Boot("first_line_in_time", {}, "test=none exit", says=r"^Ptolemy",
                      first_line_max=FIRST_LINE_MAX)
SCALING_ROW = Boot("two_cpus_fault_faster", {"SMP": "2", "IOMMU": "no"}, "test=scaling exit",
                   says=r"\d\.\d+ times one CPU's throughput|SKIP host busy")


def row(name, status, says, options="test=none exit", silence=ROW_SILENCE, image="ptolemy.iso",
        **variables):
    return Boot(name, variables, options, silence, status, says, image=image)


def selftest(name, status, says, **more):
    return row(f"{name}_is_seen", status, says, f"test=selftest.{name} exit", **more)


def ends(name, says, **variables):
    """The watchdog ends a test that hangs, and its report says who did what."""
    return row(f"watchdog_ends_{name}", PANIC, rf"^    not ok 1 {name}$(.*\n)*(.*){says}",
               f"test=selftest.{name} deadline=1 exit", **variables)


def row_in_turns(name, status, says, options, shift=4):
    return row(name, status, says, f"{' '.join(turns.OPTIONS)} {options} exit", image=turns.IMAGE,
               SMP="4", **turns.variables(shift))


def broken(name, test, says):
    """A protocol between CPUs, broken on purpose (lib/broken.h), turns its test red."""
    return row_in_turns(f"broken_{name}_is_caught", {FAILED, PANIC}, rf"^    not ok \d+ ({says})$",
                        f"test={test} broken={name}")


# What must not look green: machines that boot/ refuses, options and tests that are wrong.
ROWS = [
    row("refuses_la57_without_cpu", NO_LA57, r"no 5-level paging", CPU="qemu64", LA57="on"),
    row("refuses_cpu_without_nx", NO_NX, r"no NX", CPU="max,-nx"),
    row("refuses_cpu_without_long_mode", NO_LONG_MODE, r"no long mode", CPU="qemu32"),
    row("refuses_old_cpu", NO_LONG_MODE, r"no long mode", CPU="486", IOMMU="no"),
    row("refuses_little_memory", NO_MEMORY, r"too little memory: \d+ MiB", MEM="20M"),
    row("auto_is_4_level_on_old_cpu", PASSED, r"paging: 4-level", CPU="qemu64"),
    row("auto_is_5_level_if_possible", PASSED, r"paging: 5-level"),
    row("last_la57_wins", PASSED, r"paging: 4-level", "la57=on test=none la57=off exit"),
    row("firmware_left_paging_on_4level", PASSED, r"paging: 4-level", LA57="off",
        image="firmware.iso"),
    row("firmware_left_paging_on_5level", PASSED, r"paging: 5-level", LA57="on",
        image="firmware.iso"),
    row("unknown_option_is_an_error", FAILED, r"colour", "test=none colour=red exit"),
    row("bad_value_is_an_error", FAILED, r"la57", "test=none la57=perhaps exit"),
    row("glob_without_match_is_an_error", FAILED, r"no test matches", "test=no.such* exit"),
    row("failed_command_is_an_error", FAILED, r"no_such_command",
        'test=none run="no_such_command" exit'),
    selftest("fails", FAILED, r"not ok 1 fails"),
    selftest("no_checks", FAILED, r"not ok 1 no_checks"),
    selftest("leaks_frame", FAILED, r"not ok \d+ no_frame_leaked"),
    selftest("lacks_expected_bug", FAILED, r"not ok 1 lacks_expected_bug"),
    selftest("model_finds_defect", FAILED, r"# [1-8] operations are enough"),
    row("oracle_always_finds_defect_is_seen", FAILED, r"oracle: rule 3: ",
        "test=selftest.oracle_always_finds_defect oracle=always exit"),
    selftest("skips", PASSED, r"ok 1 skips # SKIP"),
    selftest("asserts", PANIC, r"^Bail out!"),
    selftest("panics", PANIC, r"^Bail out!.*42"),
    selftest("panics_while_one_is_deaf", PANIC, r"CPU 1: does not answer(.*\n)*Bail out! .*ticking",
             SMP="2"),
    row_in_turns("dma_without_retry_is_seen", FAILED, r"not ok 1 dma_without_retry",
                 "test=selftest.dma_without_retry"),
    row_in_turns("dma_without_flush_is_seen", FAILED, r"not ok 1 dma_without_flush",
                 "test=selftest.dma_without_flush"),
    selftest("hangs", HUNG, r"^KTAP version 1", silence=HANG_SILENCE),
    broken("no_flush", "flush_cpus", "unmap_reaches_every_cpu"),
    broken("no_catch_up", "lazy.no_call_for_data_and_a_catch_up", "no_call_for_data_and_a_catch_up"),
    broken("free_before_flush", "soak.freed_frames_are_never_seen", "freed_frames_are_never_seen"),
    broken("early_unlock", "mm_cpus.same_faults", "same_faults"),
    ends("hangs", r"selftest_hangs"),
    ends("hangs_without_interrupts", r"hang_for_ever"),
    ends("deadlocks", r"waits for TEST_(OUTER|INNER)", SMP="2"),
    ends("other_cpu_hangs", r"^CPU 1: interrupts disabled.*\n +holds TEST_OUTER", SMP="2"),
    ends("all_cpus_hang", r"^CPU 3: interrupts disabled.*\n.*hang_for_ever", SMP="4"),
]


