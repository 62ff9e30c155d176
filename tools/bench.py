#!/usr/bin/env python3
"""Count guest instructions: boot the measuring kernel, or its peer, and compare.

tools/bench.py kernel ISO             both depths -> BUILD/bench.csv, and a table
tools/bench.py linux ISO KERNEL INIT  the same workloads on Linux, added to BUILD/bench.csv
tools/bench.py show                   the table once more

BENCH=globs narrows what `kernel` measures. Every boot has one CPU, MEM (2048M) and a deadline, and
its serial line in BUILD/log/bench-*.log. Under -icount rdtsc advances by one an instruction, so the
figures repeat exactly. `content` is the part that clears or copies contents of pages and tables;
in the CSV it is a case of its own, <case>_content. Linux's fork makes a process, too: what that
costs (its fork_exit of size 0) is taken off where the goals compare with it. Exit status 1 if a goal
is missed.
"""
import csv
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

BUILD = Path(os.environ.get("BUILD") or "build")
CSV = BUILD / "bench.csv"
MEMORY = os.environ.get("MEM") or "2048M"
GLOBS = os.environ.get("BENCH") or "*"
DEADLINE = 1800
PASSED = 33
COUNTING = "-icount shift=0,sleep=off"
COLUMNS = ["case", "impl", "levels", "page_bytes", "size_bytes", "instructions"]
CONTENT = "_content"
SPARSE = {4096: 16384, 2 << 20: 256}
FULL_BYTES = 512 << 20


@dataclass(frozen=True)
class Row:
    case: str
    impl: str
    levels: int
    page_bytes: int
    size_bytes: int
    items: int
    instructions: int
    content: int

    @property
    def net(self):
        """Without clearing and copying."""
        return self.instructions - self.content


def fail(reason):
    sys.exit(f"bench: {reason}")


# ---- Booting.

def boot(name, command, variables, good_status):
    log = BUILD / "log" / f"bench-{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "wb") as out:
        try:
            status = subprocess.run(command, env={**os.environ, **variables}, timeout=DEADLINE,
                                    stdin=subprocess.DEVNULL, stdout=out, stderr=out).returncode
        except subprocess.TimeoutExpired:
            fail(f"{name}: no end after {DEADLINE} s, see {log}")
    if status != good_status:
        fail(f"{name}: exit status {status}, see {log}")
    return read_report(name, log.read_text(errors="replace"))


def read_report(name, text):
    """The rows between `bench begin` and `bench end`, which must both be there."""
    block = re.search(r"^bench begin (\w+)[^\n]*\n(.*)^bench end", text.replace("\r", ""),
                      re.MULTILINE | re.DOTALL)
    if not block:
        fail(f"{name}: no complete report")
    if block[1] != "instructions":
        fail(f"{name}: counts {block[1]}, not instructions")
    rows = []
    for line in block[2].splitlines():
        if line.startswith("bench,"):
            _, case, impl, *numbers = line.split(",")
            rows.append(Row(case, impl, *map(int, numbers)))
    return rows


def boot_kernel(iso, levels):
    variables = {"LA57": "on" if levels == 5 else "off", "MEM": MEMORY, "SMP": "1", "CPU": "max",
                 "ACCEL": "tcg", "QEMUFLAGS": COUNTING,
                 "CMDLINE": f'test=none run="bench {GLOBS}" exit'}
    return boot(f"{levels}level", ["tools/qemu.sh", iso, "-serial", "stdio", "-monitor", "none"],
                variables, PASSED)


# ---- The peer.

def archive(entries):
    """An initial RAM file system: a cpio archive in the `newc` form the kernel documents."""
    out = bytearray()
    for inode, (name, mode, data) in enumerate([*entries, ("TRAILER!!!", 0, b"")], 1):
        fields = [inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0]
        if name == "dev/console":
            fields[9:11] = [5, 1]
        out += b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
        out += b"\0" * (-len(out) % 4)
        out += data
        out += b"\0" * (-len(out) % 4)
    return bytes(out)


def boot_linux(iso, kernel, init, levels):
    """On the machine of tools/qemu.sh, which has our image in its drive, but starts this kernel."""
    initrd = BUILD / "linux" / "initrd"
    initrd.write_bytes(archive([("dev", 0o40755, b""), ("dev/console", 0o20600, b""),
                                ("init", 0o100755, Path(init).read_bytes())]))
    line = f"console=ttyS0 quiet panic=-1 init_on_alloc=0 bench_levels={levels}"
    if levels == 4:
        line += " no5lvl"
    command = ["tools/qemu.sh", iso, "-kernel", kernel, "-initrd", str(initrd), "-append", line,
               "-serial", "stdio", "-monitor", "none"]
    variables = {"LA57": "", "CMDLINE": "", "FIRMWARE": "bios", "MEM": MEMORY, "SMP": "1",
                 "CPU": "max", "ACCEL": "tcg", "QEMUFLAGS": COUNTING}
    return boot(f"linux-{levels}level", command, variables, 0)


# ---- The file.

def write_csv(rows):
    with open(CSV, "w", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(COLUMNS)
        for r in rows:
            key = [r.impl, r.levels, r.page_bytes, r.size_bytes]
            writer.writerow([r.case, *key, r.instructions])
            if r.content:
                writer.writerow([r.case + CONTENT, *key, r.content])


def read_csv():
    found = {}
    if not CSV.exists():
        return []
    with open(CSV, newline="") as file:
        for line in csv.DictReader(file):
            key = tuple([line["case"], line["impl"], *(int(line[c]) for c in COLUMNS[2:5])])
            found[key] = int(line["instructions"])
    return [Row(*key, items(key), count, found.get((key[0] + CONTENT, *key[1:]), 0))
            for key, count in found.items() if not key[0].endswith(CONTENT)]


def items(key):
    """Pages that are there, or operations: the rule of bench/scene.h."""
    case, _, _, page_bytes, size_bytes = key
    if case.startswith("first_write") or case == "iter_sparse":
        return 1
    fitting = size_bytes // page_bytes
    return fitting if size_bytes <= FULL_BYTES else min(fitting, SPARSE[page_bytes])


# ---- The table.

IMPLS = ["generic", "eager", "shared", "handwritten", "classic", "linux"]


def size_text(size):
    for unit, shift in (("T", 40), ("G", 30), ("M", 20), ("K", 10)):
        if size >> shift and not size & ((1 << shift) - 1):
            return f"{size >> shift}{unit}"
    return str(size)


def table(rows):
    """A block a case: a line a page size, depth and size; a column an implementation."""
    print("\nGuest instructions without clearing and copying of contents (per page or operation)")
    for case in sorted({r.case for r in rows}):
        block(case, [r for r in rows if r.case == case])


def block(case, rows):
    used = [impl for impl in IMPLS if any(r.impl == impl for r in rows)]
    lines = {}
    for r in rows:
        lines.setdefault((r.page_bytes, r.levels, r.size_bytes), {})[r.impl] = r
    print(f"\n{case:16} {'page':>4} {'levels':>6} {'size':>5}" + "".join(f"{i:>24}" for i in used))
    for (page, levels, size), line in sorted(lines.items()):
        cells = "".join(f"{cell(line.get(impl)):>24}" for impl in used)
        print(f"{'':16} {size_text(page):>4} {levels:>6} {size_text(size):>5}{cells}{ratios(line)}")


def cell(row):
    if not row:
        return ""
    return f"{row.net:,}" + (f" ({row.net / row.items:,.1f})" if row.items > 1 else "")


def ratios(line):
    """Ours against each yardstick in the line."""
    said = []
    for ours in ("generic", "classic", "eager", "shared"):
        for theirs in ("handwritten", "classic", "linux"):
            if ours in line and theirs in line and ours != theirs and line[theirs].net:
                said.append(f"{ours}/{theirs} {line[ours].net / line[theirs].net:.3f}")
    return "  " + ", ".join(said) if said else ""


# ---- The goals.

def pick(rows, case, impl, **wanted):
    return [r for r in rows if r.case == case and r.impl == impl and
            all(getattr(r, name) == value for name, value in wanted.items())]


missed = []


def goal(what, value, limit, form="{:,.2f}"):
    verdict = "reached" if value <= limit else "NOT REACHED"
    print(f"{what:66}{form.format(value):>12}  goal {form.format(limit):>10}  {verdict}")
    if value > limit:
        missed.append(what)


def goal_ratio(rows, case, ours, theirs, limit):
    for levels in (4, 5):
        base = {(r.page_bytes, r.size_bytes): r for r in pick(rows, case, theirs, levels=levels)}
        fixed = sum(r.net for r in pick(rows, "fork_exit", theirs, levels=levels, size_bytes=0))
        both = [(r, base[key]) for r in pick(rows, case, ours, levels=levels)
                if (key := (r.page_bytes, r.size_bytes)) in base]
        if both:
            worst = max(our.net / (their.net - fixed) for our, their in both)
            goal(f"{case}, {ours}/{theirs}, {levels} levels, worst size", worst, limit, "{:,.3f}")


def mirror_goals(rows, levels):
    filled = pick(rows, "mirror_populate", "generic", levels=levels, page_bytes=4096)
    if filled:
        goal(f"mirror what is present, instructions a page, {levels} levels, worst size",
             max(r.net / r.items for r in filled), 60)
    for case, where in (("", "elsewhere"), ("_hole", "between")):
        for r in pick(rows, f"mirror_invalidate{case}", "generic", levels=levels):
            goal(f"all of a section where nothing is mirrored, {where}, {levels} levels", r.net,
                 100, "{:,.0f}")
    strewn = {r.size_bytes: r for r in pick(rows, "mirror_walk", "generic", levels=levels)}
    if len(strewn) > 1:
        wide, dense = strewn[max(strewn)], strewn[min(strewn)]
        goal(f"1,000 mirrored pages over 1 TiB, to 1,000 in a row, {levels} levels",
             wide.net / dense.net, 5)


def goals(rows):
    print()
    for levels in (4, 5):
        forks = [r.net for r in pick(rows, "fork", "shared", levels=levels)]
        if forks:
            goal(f"shared fork of a space, all of it, {levels} levels, any size", max(forks), 3000,
                 "{:,.0f}")
            goal(f"shared fork of a space, {levels} levels, largest/smallest",
                 max(forks) / min(forks), 1.2)
        areas = [r.net for r in pick(rows, "fork_area", "shared", levels=levels)]
        if areas:
            goal(f"shared fork of one unaligned area, {levels} levels, any size", max(areas), 40000,
                 "{:,.0f}")
        full = pick(rows, "fork", "eager", levels=levels, page_bytes=4096, size_bytes=FULL_BYTES)
        for r in full:
            goal(f"eager fork, instructions a 4K page, {levels} levels, 512M", r.net / r.items, 16)
        for case, which in (("first_write_p50", "middle"), ("first_write_max", "dearest")):
            writes = [r.net for r in pick(rows, case, "shared", levels=levels)]
            if writes:  # a table a level, at what an eager fork may take for its entries
                goal(f"write after a shared fork, {which} of many, {levels} levels, any size",
                     max(writes), levels * 512 * 16, "{:,.0f}")
        mirror_goals(rows, levels)
    for impl in ("eager", "shared"):
        goal_ratio(rows, "fork_write_exit", impl, "linux", 0.5)
    for case in ("walk", "map", "unmap", "copy"):
        goal_ratio(rows, case, "generic", "handwritten", 1.0)
    goal_ratio(rows, "iter_sparse", "generic", "classic", 0.05)


def main(what, *arguments):
    if what == "kernel":
        rows = [r for levels in (4, 5) for r in boot_kernel(arguments[0], levels)]
        write_csv(rows)
    elif what == "linux":
        rows = [r for r in read_csv() if r.impl != "linux"]
        rows += [r for levels in (4, 5) for r in boot_linux(*arguments, levels)]
        write_csv(rows)
    elif what == "show":
        rows = read_csv()
    else:
        fail(f"{what}: kernel, linux or show")
    table(rows)
    goals(rows)
    return 1 if missed else 0


sys.exit(main(*sys.argv[1:]))
