"""The KTAP reader must not take anything incomplete or contradictory for green.

Run by `make check`; `python3 -m unittest discover tests` runs it alone.
"""
import unittest

import ktap

GOOD = """GRUB says hello
ok 7 lines before the report are not results
KTAP version 1
1..2
    KTAP version 1
    # Subtest: frame
    1..3
    # a note
    ok 1 alloc
kernel chatter
    ok 2 big # SKIP too little memory
    ok 3 free
ok 1 frame
    KTAP version 1
    # Subtest: pt
    1..1
    ok 1 walk
ok 2 pt
the prompt""".splitlines()

FAILING = [{"    ok 3 free": "    not ok 3 free", "ok 1 frame": "not ok 1 frame"}.get(line, line)
           for line in GOOD]


def without(text):
    return [line for line in GOOD if line.strip() != text]


def swapped(old, new):
    assert any(old in line for line in GOOD)
    return [line.replace(old, new) for line in GOOD]


class Ktap(unittest.TestCase):
    def test_leaves_are_counted(self):
        report = ktap.read(GOOD)
        self.assertEqual((report.passed, report.failed, report.skipped), (3, 0, 1))
        self.assertEqual(report.errors, [])
        self.assertTrue(report.good)

    def test_carriage_returns_are_ignored(self):
        self.assertTrue(ktap.read([line + "\r\n" for line in GOOD]).good)

    def test_failures_are_counted_and_named(self):
        report = ktap.read(FAILING)
        self.assertEqual((report.passed, report.failed, report.skipped), (2, 1, 1))
        self.assertEqual(report.failures, ["frame.free"])
        self.assertEqual(report.errors, [])
        self.assertFalse(report.good)

    def test_what_was_said_before_a_failure_is_kept(self):
        said = [line for line in FAILING if line.strip() != "ok 2 big # SKIP too little memory"]
        said = ktap.read([line.replace("1..3", "1..2").replace("ok 3", "ok 2") for line in said]).said
        self.assertEqual(said, {"frame.free": ["kernel chatter"]})
        said = ktap.read(GOOD[:-1] + ["CPU 0: waits", "Bail out! panic"]).said
        self.assertEqual(said, {"Bail out!": ["CPU 0: waits"]})

    def test_every_truncation_is_an_error(self):
        for end in range(GOOD.index("ok 2 pt")):
            self.assertFalse(ktap.read(GOOD[:end]).good, f"cut before: {GOOD[end]}")

    def test_every_lost_result_is_an_error(self):
        for line in GOOD:
            if "ok " in line and not line.startswith("ok 7"):
                self.assertTrue(ktap.read(without(line.strip())).errors, f"without: {line}")

    def test_lost_plan_is_an_error(self):
        for plan in ("1..1", "1..2", "1..3"):
            self.assertTrue(ktap.read(without(plan)).errors, f"without {plan}")

    def test_contradictions_are_errors(self):
        for log in (swapped("ok 3 free", "not ok 3 free"), swapped("ok 2 pt", "not ok 2 pt"),
                    swapped("ok 2 pt", "ok 2 tp"), swapped("ok 3 free", "ok 4 free"),
                    swapped("1..3", "1..4"), swapped("    ok 1 walk", "  ok 1 walk")):
            self.assertTrue(ktap.read(log).errors)

    def test_bail_out_is_an_error(self):
        self.assertTrue(ktap.read(GOOD + ["Bail out! panic"]).errors)

    def test_second_report_is_an_error(self):
        self.assertTrue(ktap.read(GOOD + GOOD).errors)

    def test_no_results_are_not_good(self):
        for log in ([], ["Ptolemy"], ["KTAP version 1", "1..0"]):
            self.assertFalse(ktap.read(log).good)

    def test_skip_is_known_in_capitals_only(self):
        self.assertEqual(ktap.read(swapped("# SKIP", "# skip")).skipped, 0)


if __name__ == "__main__":
    unittest.main()
