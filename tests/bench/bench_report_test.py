#!/usr/bin/env python3
"""scripts/bench_report: what it says of made-up results, and what it refuses."""

import contextlib
import copy
import html.parser
import io
import json
import pathlib
import re
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import script  # noqa: E402
import synthetic  # noqa: E402

bench_report = script.load("bench_report")
# The modules that the script has made known.
import bars  # noqa: E402
import charts  # noqa: E402
import figures  # noqa: E402
import markdown  # noqa: E402
import page  # noqa: E402
from content import Content  # noqa: E402
from results import BadInput, read_results  # noqa: E402

DOCUMENT = synthetic.document(samples=300)
VOID = {"meta", "br", "hr", "img", "link", "input"}


def small(*results, failures=(), runs=1):
    """A file with these results only: (workload, parameters, store, run, rate or members)."""
    document = copy.deepcopy({k: v for k, v in DOCUMENT.items() if k != "results"})
    document |= {"runs": runs, "failures": list(failures), "results": []}
    for workload, parameters, store, run, rate in results:
        entry = {"workload": workload, "parameters": parameters, "store": store, "run": run}
        entry |= rate if isinstance(rate, dict) else {"operations": rate * 10, "seconds": 10}
        document["results"].append(entry)
    return document


def content_of(document):
    return Content(read_results(document))


def one_bar(**members):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "bars.json"
        path.write_text(json.dumps({"format": 1, "bars": [{"name": "the bar", **members}]}))
        return bars.load(path)


def judge(document, **bar):
    return bars.judge(content_of(document).comparison, one_bar(**bar)[0])


class WellFormed(html.parser.HTMLParser):
    """Notes what a page would fetch, and whether its elements nest."""

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.fetched, self.texts = [], [], [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attributes:
            if name in ("src", "href", "xlink:href", "srcset", "action"):
                self.fetched.append(value)
            assert not name.startswith("on"), name

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        self.handle_endtag(tag)

    def handle_data(self, data):
        self.texts.append(data)


def parse_page(text):
    parser = WellFormed()
    parser.feed(text)
    parser.close()
    assert not parser.open, parser.open
    return parser


class FiguresTest(unittest.TestCase):
    def test_numbers_are_short(self):
        self.assertEqual(figures.per_second(1234567), "1.23M/s")
        self.assertEqual(figures.per_second(640), "640/s")
        self.assertEqual(figures.per_second(999.6), "1k/s")
        self.assertEqual(figures.duration(71234), "71.2 us")
        self.assertEqual(figures.duration(999999), "1 ms")
        self.assertEqual(figures.size(4096), "4 KiB")
        self.assertEqual(figures.size(24 << 30), "24 GiB")
        self.assertEqual(figures.factor(123.4), "123x")

    def test_medians_over_runs_with_their_range(self):
        rates = [("read", {}, "keel", run, rate) for run, rate in enumerate((300, 100, 200))]
        content = content_of(small(*rates, ("read", {}, "lmdb", 0, 100), runs=3))
        self.assertIn("200/s (100/s..300/s)", markdown.report(content))
        standing = content.standings[0]
        self.assertEqual((standing.keel.median, standing.peer), (200, "lmdb"))
        self.assertEqual(standing.advantage, 2)

    def test_losses_come_furthest_behind_first(self):
        document = small(
            ("a", {}, "keel", 0, 90), ("a", {}, "lmdb", 0, 100),
            ("b", {}, "keel", 0, 10), ("b", {}, "lmdb", 0, 100), ("b", {}, "rocksdb", 0, 50),
            ("c", {}, "keel", 0, 200), ("c", {}, "lmdb", 0, 100),
            ("d", {}, "lmdb", 0, 100),
        )  # fmt: skip
        content = content_of(document)
        rows = content.losses().table.rows
        self.assertEqual([row[0] for row in rows], ["d", "b", "a"])
        self.assertEqual([row[1] for row in rows], ["-", "0.1x", "0.9x"])
        self.assertEqual(rows[0][2], "no result")
        self.assertIn("first in 1 of 4 rows, and not first in 3", content.headline())

    def test_the_map_and_the_floors_are_no_peers(self):
        document = small(
            ("read", {}, "keel", 0, 100), ("read", {}, "btree_map", 0, 500),
            ("floor_read", {"depth": 1}, "disk", 0, 900), ("read", {}, "lmdb", 0, 50),
        )  # fmt: skip
        content = content_of(document)
        self.assertEqual(content.lost, [])
        self.assertIn("20 %", markdown.report(content))

    def test_of_opening_the_time_counts(self):
        def open_in(milliseconds):
            latency = {"p50": milliseconds * 10**6}
            return {"operations": 1, "seconds": 1, "latency_ns": latency}

        document = small(
            ("open_clean", {}, "keel", 0, open_in(2)), ("open_clean", {}, "lmdb", 0, open_in(1))
        )  # fmt: skip
        content = content_of(document)
        self.assertEqual(content.losses().table.rows[0][1:3], ["0.5x", "2 ms"])

    def test_what_rests_on_too_little_is_named(self):
        latency = {"p50": 5, "p99": 9, "p99.9": 9}
        few = {"operations": 7, "seconds": 1}
        tail = {"operations": 2000, "seconds": 1, "latency_ns": latency, "histogram": [[9, 2000]]}
        unlimited = {"operations": 200, "seconds": 1, "extra": {"no_cgroup_limit": "no cgroups"}}
        document = small(
            ("a", {}, "keel", 0, few), ("b", {}, "keel", 0, tail), ("c", {}, "keel", 0, unlimited),
            failures=[{"workload": "d", "store": "lmdb", "run": 1, "message": "fell | over"}],
            runs=2,
        )  # fmt: skip
        text = markdown.report(content_of(document))
        self.assertIn("Every figure is of 2 runs", text)
        self.assertIn("| a | keel | only 7 operations; 1 of 2 runs |", text)
        self.assertIn("| b | keel | p99.9 and beyond of 2000 samples; 1 of 2 runs |", text)
        self.assertIn("without the memory limit of a cgroup", text)
        self.assertIn("| d | lmdb | 1 | fell \\| over |", text)
        self.assertIn("1 run failed", text)

    def test_nothing_to_compare_is_said(self):
        content = content_of(small())
        self.assertIn("nothing to compare", content.headline())
        parse_page(page.render(content))


class BarsTest(unittest.TestCase):
    PUTS = (
        ("durable_put", {"threads": 1}, "keel", 0, 110),
        ("durable_put", {"threads": 1}, "lmdb", 0, 50),
        ("durable_put", {"threads": 1}, "bdb", 0, 100),
    )

    def test_against_the_best_peer(self):
        bar = {"workload": "durable_put", "against": {"store": "peers"}}
        met = judge(small(*self.PUTS), at_least=1.1, **bar)
        self.assertEqual((met.state, met.measured), (bars.MET, "1.1x"))
        self.assertIn("(bdb)", met.detail)
        self.assertEqual(judge(small(*self.PUTS), at_least=1.15, **bar).state, bars.NOT_MET)

    def test_against_one_store(self):
        bar = {"workload": "durable_put", "against": {"store": "lmdb"}, "at_least": 2}
        self.assertEqual(judge(small(*self.PUTS), **bar).state, bars.MET)

    def test_at_most_is_keel_divided_by_the_other(self):
        def written(share):
            return {"operations": 1, "seconds": 1, "user_bytes": 100, "bytes_written": share}

        document = small(
            ("load", {}, "keel", 0, written(150)), ("load", {}, "lmdb", 0, written(100))
        )  # fmt: skip
        bar = {"workload": "load", "measure": "written", "against": {"store": "lmdb"}}
        self.assertEqual(judge(document, at_most=1.2, **bar).state, bars.NOT_MET)
        self.assertEqual(judge(document, at_most=1.5, **bar).state, bars.MET)

    def test_the_worst_row_of_keel_counts_and_the_best_of_the_others(self):
        bulk, batches = {"method": "bulk"}, {"method": "batches"}
        document = small(
            ("load", bulk, "keel", 0, 300), ("load", batches, "keel", 0, 200),
            ("load", bulk, "lmdb", 0, 100), ("load", batches, "lmdb", 0, 150),
        )  # fmt: skip
        bar = {"workload": "load", "at_least": 1, "against": {"store": "peers", "workload": "load"}}
        self.assertEqual(judge(document, **bar).measured, "1.33x")
        self.assertEqual(judge(document, parameters=bulk, **bar).measured, "2x")

    def test_faster_than_the_device_is_not_believed(self):
        floor = {"store": "floor", "workload": "floor_write", "measure": "rate"}
        bar = {"workload": "durable_put", "at_least": 0.92, "against": floor}
        for rate, state in ((118, bars.MET), (120, bars.NOT_MET), (60, bars.IMPLAUSIBLE)):
            document = small(*self.PUTS, ("floor_write", {}, "disk", 0, rate))
            self.assertEqual(judge(document, **bar).state, state, rate)

    def test_plain_figures_and_what_a_bar_needs(self):
        seconds = [{"second": s, "operations": 9 - s} for s in range(5)]
        run = {"operations": 35, "seconds": 5, "timeline": seconds}
        bar = {"workload": "mix", "measure": "slowest_second", "at_least": 6}
        short = judge(small(("mix", {"minutes": 1}, "keel", 0, run)), needs={"minutes": 30}, **bar)
        self.assertEqual(short.state, bars.NOT_MEASURED)
        self.assertIn("minutes 30 is needed, not 1", short.detail)
        whole = judge(small(("mix", {"minutes": 30}, "keel", 0, run)), needs={"minutes": 30}, **bar)
        self.assertEqual((whole.state, whole.measured), (bars.MET, "6"))
        del seconds[2]
        gap = judge(small(("mix", {"minutes": 30}, "keel", 0, run)), **bar)
        self.assertEqual((gap.state, gap.measured), (bars.NOT_MET, "0"))

    def test_what_is_missing_is_not_measured(self):
        for bar in (
            {"workload": "no_such"},
            {"workload": "durable_put", "measure": "p99"},
            {"workload": "durable_put", "against": {"store": "sqlite"}},
            {"workload": "durable_put", "against": {"store": "floor", "workload": "floor_write"}},
        ):
            verdict = judge(small(*self.PUTS), at_least=1, **bar)
            self.assertEqual(verdict.state, bars.NOT_MEASURED, bar)
            self.assertTrue(verdict.detail)

    def test_the_bars_that_come_along_are_those_of_the_driver(self):
        built_in = bars.load()
        self.assertGreater(len(built_in), 40)
        states = [one.state for one in bars.judge_all(content_of(DOCUMENT).comparison, built_in)]
        self.assertIn(bars.MET, states)
        self.assertIn(bars.NOT_MET, states)

    def test_hostile_bars(self):
        for members in (
            {"workload": "x"},
            {"workload": "x", "at_least": 1, "at_most": 2},
            {"workload": "x", "at_least": "much"},
            {"workload": "x", "at_least": 1, "measure": "beauty"},
            {"workload": "x", "at_least": 1, "agianst": {}},
            {"workload": "x", "at_least": 1, "against": {}},
            {"workload": "x", "at_least": 1, "against": {"store": "lmdb", "threads": 1}},
        ):
            with self.assertRaises(BadInput, msg=members):
                one_bar(**members)


class InputTest(unittest.TestCase):
    def refused(self, change):
        document = small(("a", {}, "keel", 0, 100), ("a", {}, "lmdb", 0, 100))
        change(document)
        with self.assertRaises(BadInput) as refusal:
            read_results(document)
        return str(refusal.exception)

    def set_run(self, **members):
        return lambda document: document["results"][1].update(members)

    def test_tells_the_place(self):
        self.assertIn("results[1].seconds: a number above 0", self.refused(self.set_run(seconds=0)))
        self.assertIn("results[1].store", self.refused(self.set_run(store="oracle")))
        missing = self.refused(lambda document: document["results"][1].pop("seconds"))
        self.assertIn("results[1]: seconds is missing", missing)

    def test_refuses_what_cannot_be(self):
        for members in (
            {"operations": -1},
            {"operations": 1.5},
            {"operations": True},
            {"operations": 2**70},
            {"seconds": "1"},
            {"seconds": 1e308 * 10},
            {"workload": ""},
            {"workload": 7},
            {"parameters": []},
            {"parameters": {"a": {}}},
            {"latency_ns": {"p50": -1}},
            {"latency_ns": {"p50": 9, "p99": 3}},
            {"latency_ns": 3},
            {"histogram": [[1]]},
            {"histogram": [[5, 1], [5, 1]]},
            {"histogram": [[1, "x"]]},
            {"timeline": [{"second": 0}]},
            {"timeline": [{"second": 1, "operations": 1}, {"second": 0, "operations": 1}]},
            {"bytes_written": "many"},
            {"extra": 7},
            {"store": "keel"},
            {"store": {}},
        ):
            self.refused(self.set_run(**members))

    def test_refuses_a_file_of_another_kind(self):
        for document in (None, 7, [], {}, {"format": 2}, {"format": 1}):
            with self.assertRaises(BadInput):
                read_results(document)
        for key in ("stores", "machine", "keel", "results", "started", "rows", "runs", "seed"):
            self.assertIn(f"{key} is missing", self.refused(lambda d, key=key: d.pop(key)))
        self.assertIn("keel is not among them", self.refused(lambda d: d["stores"].pop("keel")))

    def test_null_means_not_measured(self):
        document = small(("a", {}, "keel", 0, 100))
        document["results"][0] |= {"latency_ns": None, "bytes_written": None, "timeline": None}
        self.assertIsNone(read_results(document).rows[0].runs["keel"][0].bytes_written)


class PageTest(unittest.TestCase):
    def render(self, document, check=True):
        content = content_of(document)
        if check:
            content.verdicts = bars.judge_all(content.comparison, bars.load())
        return page.render(content)

    def test_is_well_formed_and_fetches_nothing(self):
        text = self.render(DOCUMENT)
        parsed = parse_page(text)
        self.assertEqual(parsed.fetched, [])
        self.assertNotIn("script", parsed.tags)
        self.assertFalse(re.search(r"url\(|@import|https?://", text))
        self.assertGreater(parsed.tags.count("svg"), 50)
        for drawing in re.findall(r"<svg .*?</svg>", text, re.DOTALL):
            ElementTree.fromstring(drawing)

    def test_numbers_in_charts_are_numbers(self):
        text = self.render(DOCUMENT)
        self.assertFalse(re.search(r'="[^"]*\b(?:nan|inf)\b', text, re.IGNORECASE))
        for drawing in re.findall(r"<svg .*?</svg>", text, re.DOTALL):
            for x in re.findall(r'\b(?:x|x1|x2|cx)="([^"]+)"', drawing):
                self.assertTrue(-1 <= float(x) <= charts.WIDTH + 1, x)

    def test_a_stall_shows_in_a_long_run(self):
        seconds = [(second, 0 if second == 1234 else 100) for second in range(1800)]
        drawn = page.worst_of(seconds, 6, min)
        self.assertEqual(len(drawn), 300)
        self.assertEqual([point for point in drawn if point[1] == 0], [(1230, 0)])
        timeline = [{"second": s, "operations": n, "p99_ns": 5} for s, n in seconds]
        run = {"operations": 1, "seconds": 1800, "timeline": timeline}
        text = self.render(small(("sustained", {"threads": 8}, "keel", 0, run)))
        self.assertIn("operations in the worst of each 6 seconds", text)

    def test_has_both_modes_and_fits_a_narrow_screen(self):
        text = self.render(DOCUMENT)
        self.assertIn("prefers-color-scheme: dark", text)
        self.assertIn('name="viewport"', text)
        self.assertIn("overflow-x: auto", text)

    def test_losses_stand_before_every_other_table_but_the_bars(self):
        text = self.render(DOCUMENT, check=False)
        headings = re.findall(r"<h2>(.*?)</h2>", text)
        self.assertEqual(headings[0], "Where Keel is not first")

    def test_hostile_names_are_text(self):
        evil = "</td><script>alert(1)</script>\"'&|`*\n# x"
        document = small((evil, {evil: evil}, "keel", 0, 100), (evil, {evil: evil}, evil, 0, 150),
                         failures=[{"workload": evil, "store": evil, "message": evil}])  # fmt: skip
        document["stores"][evil] = {"version": evil, "configuration": evil}
        document["machine"]["cpu"] = evil
        parsed = parse_page(self.render(document))
        self.assertNotIn("script", parsed.tags)
        text = markdown.report(content_of(document))
        self.assertNotIn("<script>", text.replace("\\<", ""))
        self.assertFalse(re.search(r"^# x", text, re.MULTILINE))

    def test_draws_extremes(self):
        run = {
            "operations": 0,
            "seconds": 1e-9,
            "latency_ns": {"p50": 0, "max": 0},
            "histogram": [[0, 1], [2**63, 0], [2**64, 1]],
            "timeline": [{"second": s, "operations": 0, "p99_ns": 0} for s in range(3)],
        }
        one, eight = {"threads": 1}, {"threads": 8}
        document = small(
            ("durable_put", one, "keel", 0, run), ("durable_put", one, "lmdb", 0, run),
            ("durable_put", eight, "keel", 0, run), ("open_clean", {}, "keel", 0, run),
            ("open_clean", {}, "lmdb", 0, run),
        )  # fmt: skip
        parse_page(self.render(document))


class ScriptTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.results = self.folder / "results.json"
        self.results.write_text(json.dumps(DOCUMENT))

    def run_script(self, *arguments):
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                status = bench_report.main([str(argument) for argument in arguments])
            except SystemExit as stop:
                status = stop.code
        return status, out.getvalue(), err.getvalue()

    def test_writes_what_is_asked_for(self):
        text, html_page = self.folder / "a.md", self.folder / "a.html"
        status, out, _ = self.run_script(self.results, "--markdown", text, "--html", html_page)
        self.assertEqual((status, out), (0, ""))
        self.assertIn("## Where Keel is not first", text.read_text())
        parse_page(html_page.read_text())

    def test_markdown_goes_to_standard_output_otherwise(self):
        status, out, _ = self.run_script(self.results)
        self.assertEqual(status, 0)
        self.assertTrue(out.startswith("# Keel and its peers, measured\n"))

    def test_check_fails_when_a_bar_is_not_met(self):
        status, out, _ = self.run_script(self.results, "--check")
        self.assertEqual(status, 1)
        self.assertIn("NOT MET", out)
        self.assertRegex(out, r"bench_report: \d+ of \d+ bars met\n$")
        easy = self.folder / "bars.json"
        bar = {"name": "easy", "workload": "seek_next", "at_least": 1}
        easy.write_text(json.dumps({"format": 1, "bars": [bar]}))
        status, out, _ = self.run_script(self.results, "--check", easy)
        self.assertEqual(status, 0, out)

    def test_writes_between_the_marks_and_nowhere_else(self):
        docs = self.folder / "page.md"
        docs.write_text(f"before\n{bench_report.BEGIN}\nold\n{bench_report.END}\nafter\n")
        for _ in range(2):
            self.assertEqual(self.run_script(self.results, "--docs", docs)[0], 0)
            text = docs.read_text()
            self.assertTrue(text.startswith("before\n") and text.endswith("\nafter\n"))
            self.assertNotIn("old", text)
            self.assertEqual(text.count("### Where Keel is not first"), 1)

    def test_a_page_without_marks_stays_as_it_is(self):
        docs = self.folder / "page.md"
        docs.write_text("no marks\n")
        status, _, err = self.run_script(self.results, "--docs", docs)
        self.assertEqual(status, 2)
        self.assertIn("the marks", err)
        self.assertEqual(docs.read_text(), "no marks\n")

    def test_the_page_of_the_documentation_has_the_marks(self):
        text = (script.ROOT / "docs" / "performance.md").read_text()
        self.assertEqual((text.count(bench_report.BEGIN), text.count(bench_report.END)), (1, 1))

    def test_bad_files_are_named(self):
        for text in ("", "{", "[" * 100000, '{"format": NaN}', b"\xff", '["\\ud800"]'):
            broken = self.folder / "broken.json"
            broken.write_bytes(text if isinstance(text, bytes) else text.encode())
            status, _, err = self.run_script(broken)
            self.assertEqual(status, 2)
            self.assertIn("broken.json", err)
        status, _, err = self.run_script(self.folder / "absent.json")
        self.assertEqual(status, 2)
        self.assertIn("absent.json: No such file", err)


if __name__ == "__main__":
    unittest.main()
