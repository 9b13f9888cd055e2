#!/usr/bin/env python3
"""scripts/bench_builds: what it must find, what it must let pass, and what it must refuse."""

import contextlib
import io
import json
import pathlib
import random
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import script  # noqa: E402

bench_builds = script.load("bench_builds")

LIMIT = 0.05
ROUNDS = 10
bench_builds.DRAWS = 300  # quick enough for everyday

# A program that answers as keel_micro does; `factor` slows it down, runs stray by up to `sigma`.
PROGRAM = """#!/usr/bin/env python3
import json, random, re, sys
names = {names!r}
if "--benchmark_list_tests" in sys.argv:
    print("\\n".join(names))
    sys.exit(0)
pattern = [a.split("=", 1)[1] for a in sys.argv if a.startswith("--benchmark_filter=")][0]
print(json.dumps({{"context": {{}}, "benchmarks": [
    {{"name": name, "run_type": "iteration", "time_unit": "us", "real_time": 77.0,
      "cpu_time": 3.0 * {factor} * random.uniform(1 - {sigma}, 1 + {sigma})}}
    for name in names if re.search(pattern, name)]}}))
"""


def series(seed, slowdown=1.0, sigma=0.02, drift=0.0, outliers=0):
    """Times of both builds, drawn as they would be measured: A B A B ... A."""
    draw = random.Random(seed)
    before, after = [], []
    for i in range(2 * ROUNDS + 1):
        time = 100 * draw.lognormvariate(0, sigma) * (1 + drift * i / (2 * ROUNDS))
        if i % 2 == 0:
            before.append(time)
        else:
            after.append(time * slowdown)
    for _ in range(outliers):
        draw.choice((before, after))[draw.randrange(ROUNDS)] *= draw.uniform(2, 10)
    return before, after


def compare(seed, **how):
    return bench_builds.Comparison("x", *series(seed, **how), LIMIT)


class ComparisonTest(unittest.TestCase):
    def test_finds_a_slowdown_of_ten_percent(self):
        found = sum(compare(seed, slowdown=1.1, sigma=0.01).slower for seed in range(60))
        self.assertGreaterEqual(found, 58)

    def test_finds_it_although_the_machine_grows_faster_meanwhile(self):
        found = sum(
            compare(seed, slowdown=1.12, sigma=0.005, drift=-0.3).slower for seed in range(60)
        )
        self.assertGreaterEqual(found, 58)

    def test_finds_it_among_outliers(self):
        found = sum(
            compare(seed, slowdown=1.15, sigma=0.005, outliers=1).slower for seed in range(60)
        )
        self.assertGreaterEqual(found, 56)

    def test_accepts_noise_of_any_size(self):
        for sigma in (0.0, 0.01, 0.05, 0.2, 0.5):
            false = sum(compare(seed, sigma=sigma).slower for seed in range(60))
            self.assertLessEqual(false, 1, f"sigma {sigma}")

    def test_accepts_a_machine_that_grows_slower(self):
        self.assertFalse(any(compare(seed, drift=1.0).slower for seed in range(30)))

    def test_accepts_outliers(self):
        self.assertFalse(any(compare(seed, outliers=4).slower for seed in range(30)))

    def test_accepts_what_is_within_the_limit(self):
        self.assertFalse(any(compare(seed, slowdown=1.03, sigma=0.01).slower for seed in range(30)))

    def test_tells_a_gain(self):
        one = compare(1, slowdown=0.8)
        self.assertEqual(one.verdict, "faster")
        self.assertFalse(one.slower)
        self.assertAlmostEqual(one.change, -0.2, delta=0.03)

    def test_says_when_it_cannot_tell(self):
        one = compare(1, sigma=0.5)
        self.assertEqual(one.verdict, "noisy")
        self.assertGreater(one.noise, LIMIT)

    def test_without_noise_there_is_none(self):
        one = compare(1, slowdown=1.06, sigma=0.0)
        self.assertEqual(one.verdict, "SLOWER")
        self.assertAlmostEqual(one.change, 0.06)
        self.assertAlmostEqual(one.noise, 0)


class ReportOfARunTest(unittest.TestCase):
    def test_takes_the_time_of_the_processor_but_of_waiting_benchmarks_the_wall(self):
        text = json.dumps(
            {
                "benchmarks": [
                    {"name": "A/4", "cpu_time": 2, "real_time": 9, "time_unit": "us"},
                    {"name": "B/4/manual_time", "cpu_time": 2, "real_time": 9, "time_unit": "ns"},
                    {"name": "A/4_mean", "cpu_time": 2, "real_time": 9, "time_unit": "ns",
                     "run_type": "aggregate"},
                ]
            }
        )
        self.assertEqual(
            bench_builds.times_of(text, "p"), {"A/4": 2000.0, "B/4/manual_time": 9.0}
        )

    def test_refuses_what_is_no_report(self):
        hostile = [
            "",
            "null",
            "[]",
            "{}",
            '{"benchmarks": 7}',
            '{"benchmarks": [7]}',
            '{"benchmarks": [{"name": "A"}]}',
            '{"benchmarks": [{"name": "A", "cpu_time": "x", "time_unit": "ns"}]}',
            '{"benchmarks": [{"name": "A", "cpu_time": 1, "time_unit": "weeks"}]}',
            '{"benchmarks": [{"name": "A", "cpu_time": 0, "time_unit": "ns"}]}',
            '{"benchmarks": [{"name": "A", "cpu_time": NaN, "time_unit": "ns"}]}',
            '{"benchmarks": [{"name": "A", "error_occurred": true, "error_message": "no"}]}',
        ]
        for text in hostile:
            with self.assertRaises(bench_builds.Failure, msg=text):
                bench_builds.times_of(text, "p")

    def test_times_are_shown_with_three_digits(self):
        shown = [bench_builds.show_time(ns) for ns in (1.234, 99.94, 123.4, 4567, 1.5e9)]
        self.assertEqual(shown, ["1.23 ns", "99.9 ns", "123 ns", "4.57 us", "1.5 s"])


class ProgramTest(unittest.TestCase):
    """From the command line on, with programs that answer as keel_micro does."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def program(self, name, factor=1.0, sigma=0.01, names=("Get/1", "Get/2", "Put")):
        path = self.folder / name
        path.write_text(PROGRAM.format(names=list(names), factor=factor, sigma=sigma))
        path.chmod(0o755)
        return str(path)

    def run_script(self, *arguments):
        """Returns (exit status, standard output, standard error)."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                status = bench_builds.main([*arguments, "--rounds", "6"])
            except SystemExit as stop:
                status = stop.code
        return status, out.getvalue(), err.getvalue()

    def test_fails_on_a_slowdown_and_names_it(self):
        figures = self.folder / "figures.json"
        status, out, _ = self.run_script(
            self.program("a"), self.program("b", factor=1.3), "--json", str(figures)
        )
        self.assertEqual(status, 1, out)
        self.assertEqual(out.count("SLOWER"), 3)
        self.assertIn("3 of 3 slower", out)
        written = json.loads(figures.read_text())
        self.assertEqual([b["verdict"] for b in written["benchmarks"]], ["slower"] * 3)

    def test_accepts_the_same_program_twice(self):
        status, out, _ = self.run_script(self.program("a"), self.program("b"))
        self.assertEqual(status, 0, out)
        self.assertIn("0 of 3 slower", out)

    def test_names_what_only_one_has(self):
        after = self.program("b", names=("Get/1", "New"))
        status, out, _ = self.run_script(self.program("a"), after)
        self.assertEqual(status, 0, out)
        self.assertIn("only in one build: New\n", out)
        self.assertIn("only in one build: Put\n", out)
        self.assertIn("0 of 1 slower", out)

    def test_a_filter_that_nothing_matches_fails(self):
        status, _, err = self.run_script(self.program("a"), self.program("b"), "--filter", "Zzz")
        self.assertEqual(status, 3)
        self.assertIn("Zzz", err)

    def test_a_program_that_dies_is_named(self):
        broken = self.folder / "broken"
        broken.write_text("#!/bin/sh\necho no such thing >&2\nexit 7\n")
        broken.chmod(0o755)
        status, _, err = self.run_script(self.program("a"), str(broken))
        self.assertEqual(status, 3)
        self.assertIn("status 7", err)
        self.assertIn("no such thing", err)

    def test_neither_program_nor_revision(self):
        status, _, err = self.run_script("no-such-revision", self.program("b"))
        self.assertEqual(status, 3)
        self.assertIn("no-such-revision is neither a program nor a revision", err)

    def test_wrong_use(self):
        for wrong in (["--limit", "0"], ["--filter", "("], ["--min-time", "0"], ["--cpu", "99999"]):
            status, _, err = self.run_script("a", "b", *wrong)
            self.assertEqual(status, 2)
            self.assertIn(wrong[0], err)
        with contextlib.redirect_stderr(io.StringIO()), self.assertRaises(SystemExit) as stop:
            bench_builds.main(["a", "b", "--rounds", "3"])
        self.assertEqual(stop.exception.code, 2)


if __name__ == "__main__":
    unittest.main()
