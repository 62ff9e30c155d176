#!/usr/bin/env python3
"""Static checks, as KTAP: `make check`.

Each check is a function that yields what is wrong, or raises Skip if its tool is missing.
READELF and BUILD come from the Makefile.
"""
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

BUILD = Path(os.environ.get("BUILD", "build"))
KERNEL = BUILD / "kernel.elf"
READELF = os.environ.get("READELF", "readelf")
TEXT_MAX = 128 * 1024
LIBRARY_LINES_MAX = 900
FILE_LINES_MAX = 500
FUNCTION_LINES_MAX, FUNCTION_LINES_MEDIAN, FUNCTION_LINES_MOST = 60, 15, 40
NESTING_MAX = 3

# Who may look into the entries of a table: the formats, the access to a word of memory that they
# share, the boot tables, and pt.h, which steps from slot to slot and never looks into one; and the
# permission sweep and the library's proof, which judge the formats and must not ask them.
ENTRY_FILES = re.compile(r"pt_format\w*\.h|kernel/mm/pt/pt(_word)?\.h|boot/tables\.c|"
                         r"tests/kernel/((test_)?access_\w+\.[ch]|pt/\w+\.h|(test_)?pt_\w+\.c)")

# Which room may include what of the others. A room that is not named may include anything.
ROOMS = {
    "kernel/mm/pt/": r"\"?<?(mm/pt/|pt_\w*\.[ch]|pt\.h|std(bool|def|int)\.h|PT_(FORMAT|HOST)_HEADER)",
    "kernel/mm/": r"<(mm|lib|arch|std)|<(boot_info|options)\.h|PT_FORMAT_HEADER",
    "kernel/lib/": r"<(lib|std)|<arch/(image|layout|backtrace|cpu)\.h|<dev/debug_exit\.h",
    "kernel/dev/": r"<(dev|lib|arch|mm|std)|<(boot_info|proc/thread)\.h",
    "kernel/arch/": r"<(arch|lib|mm|dev|std)|<boot(_info|/trampoline)\.h|\"",
    "boot/": r"<(std|boot/|lib/compiler\.h|arch/layout\.h)",
}


class Skip(Exception):
    pass


def sources(*patterns):
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", *patterns],
                            capture_output=True, text=True)
    if listed.returncode == 0:
        return sorted({Path(name) for name in listed.stdout.split() if Path(name).exists()})
    return sorted(path for pattern in patterns for path in Path(".").rglob(pattern)
                  if BUILD not in path.parents)


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def need(tool):
    if not shutil.which(tool):
        raise Skip(f"no {tool}")


def no_segment_writable_and_executable():
    for line in output(READELF, "-lW", str(KERNEL)).splitlines():
        if match := re.match(r"\s+(LOAD|GNU_STACK)\s.*\s([R ][W ][E ])\s+0x", line):
            if "W" in match[2] and "E" in match[2]:
                yield line.strip()


def text_bytes(kernel):
    headers = output(READELF, "-SW", str(kernel)).replace("[ ", "[")
    return sum(int(line.split()[5], 16) for line in headers.splitlines()
               if re.match(r"\s*\[\d+\] \.text ", line))


def room_text_bytes(kernel_map, room):
    """What the files of a room have put into .text, by the linker's map."""
    pattern = rf"^ \.text\S*\s+0x\w+\s+(0x\w+) \S*/obj/{room}/"
    return sum(int(size, 16) for size in re.findall(pattern, kernel_map.read_text(), re.MULTILINE))


def kernel_without_tests_is_small():
    """Also a build of its own: PTOLEMY_TEST=0. With the monitor."""
    if problems := make("PTOLEMY_TEST=0", f"BUILD={BUILD}/untested", "kernel"):
        yield from problems
        return
    size = text_bytes(BUILD / "untested/kernel.elf")
    monitor = room_text_bytes(BUILD / "untested/kernel.map", "kernel/shell")
    note(f"{size} bytes of text, {monitor} of them the monitor; {text_bytes(KERNEL)} with the tests")
    if not 0 < size <= TEXT_MAX:
        yield f"{size} bytes of text, at most {TEXT_MAX}"


def code_lines(path):
    """Lines that are neither blank nor comment."""
    text = re.sub(r"/\*.*?\*/|//[^\n]*", "", path.read_text(), flags=re.DOTALL)
    return sum(1 for line in text.splitlines() if line.strip())


def library_is_small():
    lines = sum(code_lines(path) for path in sources("kernel/mm/pt/*.[ch]"))
    note(f"{lines} lines of code in kernel/mm/pt")
    if not 0 < lines < LIBRARY_LINES_MAX:
        yield f"{lines} lines of code, {LIBRARY_LINES_MAX} are too many"


def only_formats_touch_entries():
    """Nobody else names an entry's slot or bits, or makes an entry out of a number.

    The types mark the two fields (PT_FORMATS_ONLY), the compiler says who uses them: clang every
    use, gcc all but initialisers.
    """
    compiler = ["clang", "--target=x86_64-elf"] if shutil.which("clang") else ["gcc"]
    command = compiler + ["-std=gnu11", "-ffreestanding", "-mgeneral-regs-only", "-fsyntax-only",
                          "-I.", "-Ikernel", "-Ikernel/arch/x86_64/include", "-DPTOLEMY_TEST=1",
                          "-DPT_FORMATS_ONLY=__attribute__((deprecated))"]
    files = [str(path) for path in sources("kernel/*.c", "tests/kernel/*.c")
             if not str(path).startswith("kernel/mm/pt/")]
    said = subprocess.run(command + files, capture_output=True, text=True).stderr
    uses = set(re.findall(r"^(?:\./)?(\S+):(\d+):\d+: warning: \W(slot|bits)\W is deprecated", said,
                          re.MULTILINE))
    note(f"{len(uses)} uses in all")
    if not uses:
        yield said
    for path, line, field in sorted(uses):
        if not ENTRY_FILES.search(path):
            yield f"{path}:{line}: {field}"


def rooms_include_downwards():
    for path in sources("kernel/*.[chS]", "boot/*.[chS]"):
        allowed = next((ROOMS[room] for room in ROOMS if str(path).startswith(room)), None)
        for number, line in enumerate(path.read_text().splitlines(), 1):
            match = re.match(r"#\s*include\s+(.*)", line)
            if allowed and match and not re.match(allowed, match[1]):
                yield f"{path}:{number}: {line}"


def functions(path):
    """(first line, lines, deepest nesting of braces) of each function in a C file."""
    start = depth = deepest = 0
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line == "{":
            start, depth, deepest = number, 0, 0
        if start:
            code = re.sub(r"'.'|\"(\\.|[^\"])*\"|/\*.*?\*/|=\s*\{.*\}", "", line)
            depth += code.count("{") - code.count("}")
            deepest = max(deepest, depth - 1)
        if start and line.startswith("}"):
            yield start, number - start - 1, deepest
            start = 0


def files_and_functions_are_short():
    lengths = []
    for path in sources("kernel/*.[ch]", "boot/*.[ch]", "tests/*.[ch]", "bench/*.[ch]"):
        lines = path.read_text().count("\n")
        if lines > FILE_LINES_MAX:
            yield f"{path}: {lines} lines, at most {FILE_LINES_MAX}"
        for number, length, nesting in functions(path):
            lengths.append(length)
            if length > FUNCTION_LINES_MAX:
                yield f"{path}:{number}: a function of {length} lines, at most {FUNCTION_LINES_MAX}"
            if nesting > NESTING_MAX:
                yield f"{path}:{number}: nesting of {nesting}, at most {NESTING_MAX}"
    lengths.sort()
    median, most = statistics.median(lengths), lengths[len(lengths) * 9 // 10]
    note(f"{len(lengths)} functions: median {median} lines, nine in ten at most {most}, "
         f"longest {lengths[-1]}")
    if median > FUNCTION_LINES_MEDIAN or most >= FUNCTION_LINES_MOST:
        yield f"median {median}, nine in ten at most {most}"


def text_is_clean():
    """Trailing blanks, missing last newline, lines beyond column 100, notes to self."""
    for path in sources("*.c", "*.h", "*.S", "*.ld", "*.py", "*.sh", "*.mk", "Makefile"):
        text = path.read_text()
        if text and not text.endswith("\n"):
            yield f"{path}: no newline at the end"
        for number, line in enumerate(text.splitlines(), 1):
            if line != line.rstrip():
                yield f"{path}:{number}: blanks at the end"
            if len(line.expandtabs(8)) > (100 if path.suffix in (".c", ".h", ".S") else 120):
                yield f"{path}:{number}: {len(line.expandtabs(8))} columns"
            if re.search(r"\b(TO" r"DO|FIX" r"ME|X" r"XX)\b", line):
                yield f"{path}:{number}: {line.strip()}"


def format_is_ours():
    need("clang-format")
    if " 14." not in output("clang-format", "--version"):
        raise Skip("clang-format is not version 14")
    files = [str(path) for path in sources("*.c", "*.h")]
    made = subprocess.run(["clang-format", "--dry-run", "-Werror", *files], capture_output=True,
                          text=True)
    places = re.findall(r"^(\S+?):\d+:\d+: error:", made.stderr, re.MULTILINE)
    for path, count in Counter(places).items():
        yield f"{path}: {count} places (`make format` mends it)"
    if made.returncode and not places:
        yield made.stderr


def shell_scripts_are_sound():
    need("shellcheck")
    scripts = [str(path) for path in sources("*.sh")] + [".ci/run"]
    made = subprocess.run(["shellcheck", *scripts], capture_output=True, text=True)
    yield from made.stdout.splitlines() if made.returncode else []


def package_lists_are_complete():
    """What tools/setup.sh names is in Debian's list, and the other lists are about the same."""
    def packages(path):
        return {word for line in path.read_text().splitlines() if not line.startswith("#")
                for word in line.split()}

    table = re.search(r"cat <<EOF\n(.*?)^EOF$", Path("tools/setup.sh").read_text(),
                      re.MULTILINE | re.DOTALL)[1]
    named = {line.split()[-1] for line in table.splitlines() if ")" not in line}
    lists = Path("tools/packages")
    for package in sorted(named - packages(lists / "debian.txt")):
        yield f"tools/packages/debian.txt lacks {package}"
    for path in sorted(lists.glob("*.txt")):
        lacking = {"gcc", "mtools", "gdb", "graphviz", "chromium"} - packages(path)
        if lacking or not path.read_text().startswith("# "):
            yield f"{path} lacks {sorted(lacking) or 'its first line'}"


def log_reader_is_strict():
    made = subprocess.run([sys.executable, "-m", "unittest", "discover", "tests"],
                          capture_output=True, text=True)
    yield from made.stderr.splitlines() if made.returncode else []


def api_page_is_current():
    made = subprocess.run([sys.executable, "tools/apidoc.py", "--check"], capture_output=True,
                          text=True)
    if made.returncode:
        yield "docs/api.md is not what the headers say; `make docs` mends it"
        yield from (made.stdout + made.stderr).splitlines()


def documents_are_true():
    made = subprocess.run([sys.executable, "tools/doccheck.py"], capture_output=True, text=True)
    yield from (made.stdout + made.stderr).splitlines() if made.returncode else []


def exercises_turn_red():
    need("qemu-system-x86_64")
    made = subprocess.run([sys.executable, "tests/exercises"], capture_output=True, text=True)
    yield from (made.stdout + made.stderr).splitlines() if made.returncode else []


def notifier_protocol_holds():
    """Spin finds no error in the model of the protocol, and one in each model without a rule."""
    need("spin")
    made = subprocess.run(["tests/spin/run"], capture_output=True, text=True)
    note(made.stdout.splitlines()[2].lstrip("# "))
    yield from (made.stdout + made.stderr).splitlines() if made.returncode else []


def seeded_defects_fit():
    """The patches of tests/defects apply to the tree as it is; `make defects` does the rest."""
    made = subprocess.run(["tests/defects/run", "--applies"], capture_output=True, text=True)
    note(made.stdout.splitlines()[-1])
    yield from (made.stdout + made.stderr).splitlines() if made.returncode else []


def make(*arguments):
    """With the jobs of the make that has called us, if it has some to give."""
    jobs = [] if "--jobserver" in os.environ.get("MAKEFLAGS", "") else ["-j2"]
    made = subprocess.run(["make", "--no-print-directory", *jobs, *arguments], close_fds=False,
                          capture_output=True, text=True)
    return (made.stdout + made.stderr).splitlines()[-8:] if made.returncode else []


def clang_builds_it_too():
    need("clang")
    yield from make("CC=clang", f"BUILD={BUILD}/clang", "kernel")


def image_is_reproducible():
    """A copy of the tree, elsewhere, built alone, gives the same image."""
    with tempfile.TemporaryDirectory(prefix="ptolemy-") as elsewhere:
        copy = Path(elsewhere) / "another" / "folder"
        shutil.copytree(".", copy, ignore=shutil.ignore_patterns("build*", ".git"))
        yield from make("-C", str(copy), "BUILD=build", "image")
        for name in ("ptolemy.iso", "kernel.elf"):
            if (BUILD / name).read_bytes() != (copy / "build" / name).read_bytes():
                yield f"{name} differs"


CHECKS = [
    no_segment_writable_and_executable, only_formats_touch_entries, rooms_include_downwards,
    files_and_functions_are_short, library_is_small, text_is_clean, format_is_ours,
    shell_scripts_are_sound, package_lists_are_complete, log_reader_is_strict,
    api_page_is_current, documents_are_true, exercises_turn_red, notifier_protocol_holds,
    seeded_defects_fit, kernel_without_tests_is_small, clang_builds_it_too, image_is_reproducible,
]


def note(text):
    print(f"# {text}", flush=True)


def run(number, check):
    name = check.__name__
    try:
        problems = list(check())
    except Skip as reason:
        print(f"ok {number} {name} # SKIP {reason}", flush=True)
        return True
    except (OSError, subprocess.SubprocessError) as error:
        problems = [str(error)]
    for problem in problems:
        note(problem)
    print(f"{'not ok' if problems else 'ok'} {number} {name}", flush=True)
    return not problems


def main():
    print(f"KTAP version 1\n1..{len(CHECKS)}")
    return 0 if all([run(number, check) for number, check in enumerate(CHECKS, 1)]) else 1


sys.exit(main())
