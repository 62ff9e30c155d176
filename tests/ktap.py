"""Read KTAP as the kernel prints it (docs: DESIGN "serial"), strictly.

A log may begin with anything; the report starts at `KTAP version 1` in the first column. Nested
reports are indented by four more spaces and come before the result that sums them up. Everything
that does not fit - a plan not fulfilled, a number out of order, a sum that contradicts its parts,
`Bail out!`, a second report - is an error, so that a truncated log can never look green.
"""
import re
from dataclasses import dataclass, field

INDENT = 4
RESULT = re.compile(r"(ok|not ok) (\d+)(?: (?:- )?(.*?))?(?: # (SKIP)\b.*)?$")
PLAN = re.compile(r"1\.\.(\d+)$")


@dataclass
class Report:
    """Leaf results, and what is wrong with the report itself."""
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    errors: list = field(default_factory=list)
    failures: list = field(default_factory=list)
    said: dict = field(default_factory=dict)      # of a failure, or `Bail out!`: the lines before it
    results: list = field(default_factory=list)  # (suite or None, name, "ok", "failed", "skipped")

    @property
    def count(self):
        return self.passed + self.failed + self.skipped

    @property
    def good(self):
        return self.count > 0 and not self.failed and not self.errors


@dataclass
class Level:
    """One report that is being read: the top one or a nested one."""
    plan: int = None
    name: str = None
    seen: int = 0
    failed: int = 0


class Reader:
    def __init__(self):
        self.report = Report()
        self.levels = []
        self.closed = None  # the nested report that waits for the result that sums it up
        self.said = []      # since the last result

    def error(self, number, text):
        self.report.errors.append(f"line {number}: {text}")

    def read(self, lines):
        number = 0
        for number, line in enumerate(lines, 1):
            line = line.rstrip("\r\n")
            text = line.lstrip(" ")
            if text.startswith("Bail out!"):
                self.error(number, text)
                self.report.said["Bail out!"] = self.said
                return self.report
            self.line(number, len(line) - len(text), text)
        if not self.levels:
            self.error(number, "no KTAP report")
        while self.levels:
            self.close(number)
        return self.report

    def line(self, number, indent, text):
        if text == "KTAP version 1":
            self.open(number, indent)
        elif not self.levels:
            return
        elif text.startswith("# Subtest: "):
            self.levels[-1].name = text[len("# Subtest: "):]
        elif match := PLAN.match(text):
            self.plan(number, indent, int(match[1]))
        elif match := RESULT.match(text):
            self.result(number, indent, match)
            self.said = []
        else:
            self.said.append(text)

    def open(self, number, indent):
        if indent != INDENT * len(self.levels) or self.closed:
            self.error(number, "a report begins here, out of place")
        if indent or not self.levels:
            self.levels.append(Level())

    def plan(self, number, indent, count):
        if indent != INDENT * (len(self.levels) - 1) or self.levels[-1].plan is not None:
            self.error(number, "a plan out of place")
        self.levels[-1].plan = count

    def close(self, number):
        level = self.levels.pop()
        if self.closed:
            self.error(number, "no result sums up the report before this line")
        if level.plan is None or level.plan != level.seen:
            self.error(number, f"{level.seen} results of {level.plan} planned")
        self.closed = level if self.levels else None

    def result(self, number, indent, match):
        ok, index, name, skip = match[1] == "ok", int(match[2]), match[3], match[4]
        if indent == INDENT * (len(self.levels) - 2):
            self.close(number)
        if indent != INDENT * (len(self.levels) - 1):
            self.error(number, "a result out of place")
            return
        level = self.levels[-1]
        level.seen += 1
        level.failed += not ok
        if index != level.seen:
            self.error(number, f"result {index} where {level.seen} is due")
        if self.closed:
            self.sum_up(number, ok, name)
            return
        outcome = "skipped" if skip else "ok" if ok else "failed"
        self.report.results.append((level.name, name, outcome))
        if skip:
            self.report.skipped += 1
        elif ok:
            self.report.passed += 1
        else:
            self.report.failed += 1
            failure = f"{level.name}.{name}" if level.name else name
            self.report.failures.append(failure)
            self.report.said[failure] = self.said

    def sum_up(self, number, ok, name):
        if ok != (self.closed.failed == 0):
            self.error(number, f"{name} contradicts its {self.closed.failed} failed parts")
        if self.closed.name not in (None, name):
            self.error(number, f"{name} sums up {self.closed.name}")
        self.closed = None


def read(lines):
    return Reader().read(lines)
