"""Where a change is made, compiled and tried.

A variant is host.mk's: a compiler with its flags. What make would do is asked once; then only the
objects that a change touches are compiled, by each worker in a copy of the tree, and linked with
the unchanged rest.
"""
import os
import re
import resource
import shlex
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import altered  # noqa: E402

PARALLEL = 2
PLAIN, SANITIZED = "gcc-plain", "gcc-asan"
# Processor seconds of the slow suites, in the order in which they are tried; all others together
# come before, as one. Those of the library alone are tried when the library changes. Suites that
# ask what happened between threads are left out: on a busy machine nothing may.
SLOW = {"family": 0.2, "inject": 0.5, "model": 1.0, "turns": 0.2, "frame_span": 0.4,
        "mm_cpus": 5.0}
SLOW_LIBRARY = {"pt_scrambled": 0.3, "pt_scrambled_2": 0.3, "pt_vtd_3": 0.7, "pt_scrambled_4": 0.7,
                "pt_x86_5": 1.0, "pt_x86_4": 1.0, "pt_vtd_4": 1.0, "pt_scrambled_6": 1.3,
                "small": 14.0}
QUICK = "*,-frame_threads,-lock_threads,-lazy,-pt_vtd_5," + \
    ",".join(f"-{suite}" for suite in (*SLOW, *SLOW_LIBRARY))
QUICK_SECONDS = 0.7
SANITIZED_LONGEST = 1.0  # a suite that takes longer is not run under the sanitizer as well
SANITIZER_FACTOR = 4  # what it costs
# What takes more than this many times the processor time that it should, hangs.
PATIENCE = 4
# Where a change of the library is tried first, since compiling all that includes it takes longer.
FIRST_USERS = r"(tests/kernel/test_pt_small\.c|kernel/mm/(pagetable|space)\.c)"


class Variant:
    """How a variant's objects are compiled, and what they are without a change."""

    def __init__(self, tree, name):
        self.tree, self.prefix = tree, f"build/host/{name}/"
        self.sanitized = name == SANITIZED
        self.compile, self.link, self.users = {}, [], {}
        self.read_commands(name)
        with ThreadPoolExecutor(PARALLEL) as pool:
            if not all(pool.map(lambda obj: self.make_object(obj, tree), self.compile)):
                raise SystemExit("does not build without a change")
        self.read_users()
        self.program = self.link_program([], tree)

    def read_commands(self, name):
        target = f"{self.prefix}test"
        said = subprocess.run(["make", "-n", "--no-print-directory", f"HOST_VARIANTS={name}",
                               target], cwd=self.tree, env=altered.environment(),
                              capture_output=True, text=True, check=True).stdout
        for line in said.replace("\\\n", " ").splitlines():
            words = shlex.split(line) if " -o " in line else []
            if "-c" in words:
                # Without line numbers, two objects differ only if their code does.
                self.compile[words[-1]] = [*words[:-2], "-g0", "-Wno-error", "-w"]
            elif words and words[-1] == target:
                self.link = [word for word in words[:-2] if not word.startswith(self.prefix)]

    def read_users(self):
        """Which objects does each source take part in?"""
        for obj in self.compile:
            rule = (self.tree / obj).with_suffix(".d").read_text().replace("\\\n", " ")
            for source in rule.splitlines()[0].split()[1:]:
                self.users.setdefault(os.path.normpath(source), []).append(obj)

    def make_object(self, obj, tree):
        (tree / obj).parent.mkdir(parents=True, exist_ok=True)
        # A compiler cache would keep what nobody asks for again.
        env = altered.environment(**({} if tree == self.tree else {"CCACHE_DISABLE": "1"}))
        return subprocess.run([*self.compile[obj], "-o", obj], cwd=tree, env=env,
                              capture_output=True, check=False).returncode == 0

    def link_program(self, changed, tree):
        objects = [str((tree if obj in changed else self.tree) / obj) for obj in self.compile]
        program = tree / self.prefix / "test"
        subprocess.run([*self.link, *objects, "-o", program], check=True, capture_output=True)
        return program

    def build(self, mutant, tree, users):
        """The program of a tree in which those objects have the change, or why there is none."""
        if not all(self.make_object(obj, tree) for obj in users):
            return None, "no program"
        changed = [obj for obj in users
                   if (tree / obj).read_bytes() != (self.tree / obj).read_bytes()]
        return (self.link_program(changed, tree), None) if changed else (None, "same")

    def first_users(self, mutant):
        """Of many objects, the few that probably will do to kill it."""
        users = self.users[mutant.path]
        first = [obj for obj in users if re.match(self.prefix + FIRST_USERS, obj)]
        return first if len(users) > 10 and first else []


class Stage(NamedTuple):
    tests: str
    seconds: float  # of processor time, without a change


def limit_time(seconds):
    limit = int(seconds * PATIENCE) + 3
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def results(program, stage, say=None):
    """(test, is it ok) as each ends; at last (None, the exit status)."""
    suite = ""
    wall = 900  # for one that sleeps; others may be busy
    with subprocess.Popen([program, f"test={stage.tests}"], cwd=program.parent,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          stdin=subprocess.DEVNULL, env=altered.environment(),
                          preexec_fn=lambda: limit_time(stage.seconds)) as process:
        alarm = threading.Timer(wall, process.kill)
        alarm.start()
        try:
            for raw in process.stdout:
                line = raw.decode(errors="replace").rstrip()
                if say:
                    say(line)
                if begins := re.match(r" *# Subtest: (\w+)", line):
                    suite = begins[1]
                if result := re.match(r" +(not )?ok \d+ (\w+)", line):
                    yield f"{suite}.{result[2]}", not result[1]
            process.wait()
        finally:
            alarm.cancel()
            process.kill()
        yield None, process.returncode


def first_failure(program, stage, say=None):
    """The test that fails first, or how else the run ended; None if it passed."""
    last = "the start"
    run = results(program, stage, say)
    for test, outcome in run:
        if test is None:
            return f"exit status {outcome} after {last}" if outcome else None
        if not outcome:
            run.close()
            return test
        last = test
    return None


def slow_stages(mutant, sanitized, partly):
    """What is run on who survived the quick suites, if only partly changed, those again. (What is
    left out can only make the score worse.)"""
    slow = {**SLOW, **(SLOW_LIBRARY if "/pt/" in mutant.path else {})}
    quick = {QUICK: QUICK_SECONDS} if sanitized or partly else {}
    factor, longest = (SANITIZER_FACTOR, SANITIZED_LONGEST) if sanitized else (1, 1000)
    return [Stage(tests, seconds * factor)
            for tests, seconds in {**quick, **slow}.items() if seconds <= longest]


class Bench:
    """A copy of the tree as it is, and one for each worker to change."""

    def __init__(self, elsewhere, say=None):
        self.say, self.lock = say, threading.Lock()
        self.base = Path(elsewhere) / "base"
        shutil.copytree(".", self.base, ignore=lambda folder, names:
                        [n for n in names if folder == "." and n in (".git", "build")])
        self.trees = [Path(elsewhere) / str(n) for n in range(PARALLEL)]
        for tree in self.trees:
            shutil.copytree(self.base, tree)
        self.plain = Variant(self.base, PLAIN)
        if failure := first_failure(self.plain.program, Stage(QUICK, QUICK_SECONDS)):
            raise SystemExit(f"red without a change: {failure}")
        self.sanitized = None

    def sanitizer(self):
        """Made when somebody survives without."""
        with self.lock:
            self.sanitized = self.sanitized or Variant(self.base, SANITIZED)
        return self.sanitized

    def try_quick(self, mutant, tree):
        """What kills it, or `survived`; `same` or `no program` only if all of it was compiled."""
        first = self.plain.first_users(mutant)
        program, why_not = self.plain.build(mutant, tree, first or self.plain.users[mutant.path])
        if program:
            return first_failure(program, Stage(QUICK, QUICK_SECONDS), self.say) or "survived"
        return "survived" if first else why_not

    def try_slow(self, mutant, tree):
        """`same`, `no program`, `survived`, or what kills a survivor of the quick suites."""
        for variant in (self.plain, self.sanitizer()):
            program, why_not = variant.build(mutant, tree, variant.users[mutant.path])
            if not program:
                return why_not
            for stage in slow_stages(mutant, variant.sanitized, self.plain.first_users(mutant)):
                if killer := first_failure(program, stage, self.say):
                    return killer
        return "survived"

    @contextmanager
    def changed(self, mutant, tree):
        path = tree / mutant.path
        text = path.read_text()
        lines = text.split("\n")
        lines[mutant.number] = mutant.after
        path.write_text("\n".join(lines))
        try:
            yield
        finally:
            path.write_text(text)

    def judge(self, mutant, tree, slow):
        with self.changed(mutant, tree):
            if not slow:
                return self.try_quick(mutant, tree)
            return self.try_slow(mutant, tree)
