"""What a report says, as tables of plain text that Markdown and HTML only lay out."""

import dataclasses
import json

from figures import (
    FILES,
    KEEL,
    MAX,
    MEMORY,
    P50,
    P95,
    P99,
    P999,
    WRITTEN,
    Comparison,
    factor,
    few_runs,
    losses,
    main_measure,
    number,
    row_title,
    size,
    small_samples,
    workload_title,
)
from floors import distances

NONE = "-"


@dataclasses.dataclass
class Table:
    """`strong` has the cells (row, column) that stand out, `texts` the columns without figures."""

    head: list
    rows: list
    texts: tuple = (0,)
    strong: set = dataclasses.field(default_factory=set)


@dataclasses.dataclass
class Section:
    title: str
    text: str
    table: Table | None = None


def show_spread(measure, spread):
    """The median, and the range if there is one."""
    if spread is None:
        return NONE
    shown = measure.show(spread.median)
    if spread.runs < 2:
        return shown
    return f"{shown} ({measure.show(spread.low)}..{measure.show(spread.high)})"


def counted(amount, word):
    return f"{amount} {word}" if amount == 1 else f"{amount} {word}s"


class Content:
    def __init__(self, results, verdicts=None):
        self.results = results
        self.verdicts = verdicts
        self.comparison = Comparison(results)
        self.standings = list(self.comparison.standings())
        self.lost = losses(self.standings)

    def headline(self):
        compared = [one for one in self.standings if one.compared]
        sentences = ["There is nothing to compare Keel with in these results."]
        if compared:
            lost = len(self.lost)
            sentences = [
                f"Keel is first in {len(compared) - lost} of {counted(len(compared), 'row')}, "
                f"and not first in {lost}."
            ]
        alone = len(self.standings) - len(compared)
        if compared and alone:
            sentences.append(f"{counted(alone, 'row')} without a peer.")
        if self.results.failures:
            sentences.append(f"{counted(len(self.results.failures), 'run')} failed.")
        return " ".join(sentences)

    def setting(self):
        """[(name, value)] of what was measured, where and when."""
        results, machine = self.results, self.results.machine
        keel = results.keel.get("version", "of unknown version")
        if results.keel.get("commit"):
            keel += f", commit {results.keel['commit']}"
        lines = [
            ("Keel", keel),
            ("begun", results.started),
            ("rows", number(results.rows_loaded)),
            ("runs", f"{results.runs} of each, the stores in turn; seed {results.seed}"),
        ]
        for key, value in machine.items():
            if key == "memory_bytes" and isinstance(value, (int, float)):
                lines.append(("memory", size(value)))
            else:
                lines.append((key.replace("_", " "), str(value)))
        return lines

    # --- tables ---

    def nowhere(self):
        compared = any(one.compared for one in self.standings)
        return "Nowhere in these results." if compared else "Nothing was compared."

    def losses(self):
        rows = []
        for one in self.lost:
            measure = one.measure
            behind = NONE if one.advantage is None else factor(one.advantage)
            keel = "no result" if one.keel is None else show_spread(measure, one.keel)
            rows.append(
                [row_title(one.row), behind, keel, one.peer, show_spread(measure, one.best)]
            )
        head = ["workload", "Keel to best", "Keel", "best", "the best one's"]
        return Section(
            "Where Keel is not first",
            "By how far behind the best peer it is, the furthest first."
            if rows
            else self.nowhere(),
            Table(head, rows, texts=(0, 3)) if rows else None,
        )

    def rates(self):
        stores = self.comparison.shown_stores
        rows, strong = [], set()
        for row in self.comparison.rows:
            measure = main_measure(row)
            spreads = {store: measure.of(row, store) for store in stores}
            ranked = [KEEL, *self.comparison.peers]
            medians = [spreads[s].median for s in ranked if spreads.get(s) is not None]
            best = (max if measure.more_is_better else min)(medians, default=None)
            for column, store in enumerate(stores, start=2):
                if store in ranked and spreads[store] and spreads[store].median == best:
                    strong.add((len(rows), column))
            peer = self.comparison.best_peer(row, measure)
            standing = next(
                one for one in [*self.standings, None] if one is None or one.row is row
            )
            ahead = standing.advantage if standing and peer else None
            rows.append(
                [row_title(row), factor(ahead) if ahead is not None else NONE]
                + [show_spread(measure, spreads[store]) for store in stores]
            )
        return Section(
            "Every workload",
            "Operations per second, or the time to open; medians of the runs (least..most). "
            "The best of Keel and its peers stands out. btree_map is the driver's limit in memory, "
            "no peer.",
            Table(["workload", "Keel to best", *stores], rows, strong=strong),
        )

    def measured(self, measures):
        """A line for each workload and store of which any of these is known."""
        lines = []
        for row in self.comparison.rows:
            for store in self.comparison.shown_stores:
                spreads = [measure.of(row, store) for measure in measures]
                if any(spreads):
                    shown = [
                        show_spread(measure, spread) for measure, spread in zip(measures, spreads)
                    ]
                    lines.append([row_title(row), store, *shown])
        return lines

    def latencies(self):
        measures = (P50, P95, P99, P999, MAX)
        return Section(
            "Latency",
            "Of single calls (a batch, a scan, a call for many keys is one); medians of the runs "
            "(least..most).",
            Table(
                ["workload", "store", *(one.key for one in measures)],
                self.measured(measures),
                texts=(0, 1),
            ),
        )

    def space(self):
        measures = (WRITTEN, FILES, MEMORY)
        return Section(
            "Disk and memory",
            "Bytes written to disk for each byte of keys and values, the size of all files "
            "afterwards, and the most memory that the process had.",
            Table(
                ["workload", "store", *(one.title for one in measures)],
                self.measured(measures),
                texts=(0, 1),
            ),
        )

    def other_losses(self):
        standings = self.comparison.standings((P99, P999, WRITTEN, FILES, MEMORY))
        rows = []
        for one in losses(one for one in standings if one.keel is not None):
            measure = one.measure
            rows.append(
                [
                    row_title(one.row),
                    measure.title,
                    factor(one.advantage),
                    show_spread(measure, one.keel),
                    one.peer,
                    show_spread(measure, one.best),
                ]
            )
        head = ["workload", "figure", "Keel to best", "Keel", "best", "the best one's"]
        return Section(
            "Where another figure of Keel's is not the best",
            "Latencies, bytes written, disk and memory; how often a call was made is not taken "
            "into account."
            if rows
            else self.nowhere(),
            Table(head, rows, texts=(0, 1, 4)) if rows else None,
        )

    def floors(self):
        measured, reached = [], []
        for row in self.comparison.floor_rows:
            for store in row.runs:
                measure = main_measure(row)
                measured.append(
                    [
                        row_title(row),
                        show_spread(measure, measure.of(row, store)),
                        show_spread(P50, P50.of(row, store)),
                    ]
                )
        for one in distances(self.comparison):
            share = f"{100 * one.share:.0f} %" + ("" if one.plausible else " (not plausible)")
            measure = one.measure
            reached.append(
                [
                    row_title(one.row),
                    one.store,
                    share,
                    f"{measure.title}: {show_spread(measure, one.value)}",
                    one.floor,
                ]
            )
        sections = []
        if measured:
            sections.append(
                Section(
                    "Floors",
                    "What the machine does without any store, measured in the same run.",
                    Table(["floor", "operations per second", "latency p50"], measured),
                )
            )
        if reached:
            sections.append(
                Section(
                    "How far from the floors",
                    "How much of what the machine allows is reached by Keel, and by the best peer; "
                    "and of the map in memory by Keel.",
                    Table(
                        ["workload", "store", "reached", "figure", "floor"],
                        reached,
                        texts=(0, 1, 3, 4),
                    ),
                )
            )
        return sections

    def bars(self):
        if self.verdicts is None:
            return []
        rows = [
            [one.bar.name, one.state, one.measured or NONE, one.wanted, one.detail or NONE]
            for one in self.verdicts
        ]
        met = sum(one.state == "met" for one in self.verdicts)
        return [
            Section(
                "What was set out for",
                f"{met} of {counted(len(rows), 'bar')} met.",
                Table(["bar", "state", "measured", "wanted", "of"], rows, texts=(0, 1, 4)),
            )
        ]

    def stores(self):
        rows = [
            [name, store.version, store.configuration or NONE]
            for name, store in self.results.stores.items()
        ]
        return Section(
            "The stores",
            "Each configured as who knows it would.",
            Table(["store", "version", "configuration"], rows, texts=(0, 1, 2)),
        )

    def caveats(self):
        sections = []
        if self.results.failures:
            rows = [
                [
                    workload_title(one.workload)
                    + (f" {json.dumps(one.parameters)}" if one.parameters else ""),
                    one.store,
                    str(one.run),
                    one.message,
                ]
                for one in self.results.failures
            ]
            sections.append(
                Section(
                    "Failed runs",
                    "They have no figures, and count for nothing above.",
                    Table(["workload", "store", "run", "message"], rows, texts=(0, 1, 3)),
                )
            )
        few = [[row_title(row), store, text] for row, store, text in small_samples(self.comparison)]
        text = ""
        if few_runs(self.comparison):
            runs = counted(self.results.runs, "run")
            text = f"Every figure is of {runs}: its spread is unknown. "
        if few or text:
            sections.append(
                Section(
                    "Not to be relied on",
                    text
                    + (
                        "A percentile needs ten samples beyond it; rates need a hundred operations."
                        if few
                        else ""
                    ),
                    Table(["workload", "store", "why"], few, texts=(0, 1, 2)) if few else None,
                )
            )
        return sections

    def sections(self):
        """All of it, in order."""
        return [
            *self.bars(),
            self.losses(),
            self.rates(),
            *self.floors(),
            self.latencies(),
            self.space(),
            self.other_losses(),
            *self.caveats(),
            self.stores(),
        ]

    def short_sections(self):
        """For a page that says what it all means."""
        return [*self.bars(), self.losses(), self.rates(), *self.floors(), *self.caveats()[:1]]
