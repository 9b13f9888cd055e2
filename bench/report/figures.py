"""What follows from the results: who is first, by how much, and what is too little to tell."""

import dataclasses
import re

from results import OPERATIONS_MIN, RUNS_MIN, SAMPLES_ABOVE_MIN, Spread

KEEL = "keel"
# No peers: what memory and disk allow.
IN_MEMORY = "btree_map"


def count(value):
    """Three digits, with a letter for thousands: 1.23M."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= 0.9995 * size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.3g}"


def number(value):
    """The same for counts with no unit behind them, small ones whole."""
    return f"{value:.0f}" if 10 <= value < 999.5 else count(value)


def per_second(value):
    return f"{number(value)}/s"


def duration(nanoseconds):
    for unit in ("ns", "us", "ms"):
        if nanoseconds < 999.5:
            return f"{nanoseconds:.3g} {unit}"
        nanoseconds /= 1000
    return f"{nanoseconds:.3g} s"


def size(value):
    for unit in ("B", "KiB", "MiB"):
        if value < 999.5:
            return f"{value:.3g} {unit}"
        value /= 1024
    return f"{value:.4g} GiB" if value >= 999.5 else f"{value:.3g} GiB"


def factor(value):
    return f"{value:.0f}x" if value >= 99.5 else f"{value:.3g}x"


@dataclasses.dataclass(frozen=True)
class Measure:
    """A figure of a run, and which way is better."""

    key: str
    title: str
    value: object  # Run -> number or None
    show: object
    more_is_better: bool = False

    def of(self, row, store):
        return row.spread(store, self.value)


def _latency(percentile):
    return lambda run: run.latency(percentile)


RATE = Measure("rate", "operations per second", lambda run: run.rate, per_second, True)
OPEN_TIME = Measure("p50", "time to open", _latency("p50"), duration)
P50, P95, P99, P999, MAX = (
    Measure(key, f"latency {key}", _latency(key), duration)
    for key in ("p50", "p95", "p99", "p99.9", "max")
)
WRITTEN = Measure("written", "written per byte", lambda run: run.written_share, count)
FILES = Measure("files", "size on disk", lambda run: run.file_bytes, size)
MEMORY = Measure("memory", "peak memory", lambda run: run.peak_memory_bytes, size)

MEASURES = {
    one.key: one for one in (RATE, P50, P95, P99, P999, MAX, WRITTEN, FILES, MEMORY)
}


def main_measure(row):
    """What a workload is about: how fast; opening, how long it takes."""
    return OPEN_TIME if row.workload.startswith(("open_", "trade_open")) else RATE


# --- names ---

TITLES = {
    "durable_put": "Durable put",
    "durable_put_checkpoints": "Durable put during checkpoints",
    "commit_tickets": "Puts with commit tickets",
    "unsynced_put": "Unsynced put",
    "unsynced_insert": "Unsynced insert",
    "sorted_load": "Sorted load",
    "random_load": "Random load",
    "read": "Point read",
    "snapshot_reads": "Reads in one snapshot",
    "multi_get": "MultiGet",
    "seek_next": "Seek and next",
    "scan": "Full scan",
    "overwrite": "Overwrite everything",
    "open_clean": "Open after clean close",
    "open_after_kill": "Open after kill -9",
    "trade_overwrite": "Trade of checkpoint_log_bytes, overwrite everything 3 times",
    "trade_open": "Trade of checkpoint_log_bytes, open after kill -9 with three quarters as much log",
    "sustained": "Sustained mix",
    "large_read": "Larger than memory: read",
    "large_multi_get": "Larger than memory: MultiGet",
    "large_ycsb_a": "Larger than memory: YCSB A",
    "large_durable_put": "Larger than memory: durable put",
    "floor_write": "Floor, write",
    "floor_read": "Floor, read",
    "floor_memcpy": "Floor, memcpy",
}


def workload_title(workload):
    ycsb = re.fullmatch(r"ycsb_([a-f])", workload)
    if ycsb:
        return f"YCSB {ycsb.group(1).upper()}"
    return TITLES.get(workload, workload.replace("_", " "))


def parameter_text(key, value):
    if key == "threads":
        return f"{value} thread" if value == 1 else f"{value} threads"
    if key in ("distribution", "durability", "method"):
        return str(value)
    if key == "loaded":
        return f"loaded {value}"
    if key == "bytes":
        return size(value)
    if key.endswith("_bytes") and isinstance(value, (int, float)):
        return f"{key.removesuffix('_bytes')} {size(value)}".replace("_", " ")
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1000:
        value = number(value)
    if key in ("rows", "keys", "minutes", "times"):
        return f"{value} {key}"
    return f"{key} {value}".replace("_", " ")


def row_title(row):
    parts = [parameter_text(key, value) for key, value in row.parameters.items()]
    return workload_title(row.workload) + (": " if parts else "") + ", ".join(parts)


# --- who is who ---


def is_floor_row(row):
    return row.workload.startswith("floor")


def floor_stores(results):
    """Pseudo-stores: named floor..., or met in the workloads of floors only."""
    others = {store for row in results.rows if not is_floor_row(row) for store in row.runs}
    of_floors = {store for row in results.rows if is_floor_row(row) for store in row.runs}
    named = {store for store in results.stores if store.startswith("floor")}
    return named | (of_floors - others)


class Comparison:
    """The results, seen from Keel."""

    def __init__(self, results):
        self.results = results
        self.floors = floor_stores(results)
        self.peers = [
            name
            for name in results.stores
            if name not in self.floors and name not in (KEEL, IN_MEMORY)
        ]
        self.rows = [row for row in results.rows if not is_floor_row(row)]
        self.floor_rows = [row for row in results.rows if is_floor_row(row)]

    @property
    def shown_stores(self):
        """Keel, the peers, the map: those that were measured at all."""
        names = [KEEL, *self.peers, IN_MEMORY]
        return [name for name in names if any(name in row.runs for row in self.rows)]

    def peers_of(self, row, measure):
        """[(peer, Spread)], the best first."""
        measured = [(peer, measure.of(row, peer)) for peer in self.peers]
        measured = [(peer, spread) for peer, spread in measured if spread is not None]
        sign = -1 if measure.more_is_better else 1
        return sorted(measured, key=lambda one: sign * one[1].median)

    def best_peer(self, row, measure):
        peers = self.peers_of(row, measure)
        return peers[0] if peers else None

    def standings(self, measures=None):
        """Keel against the best peer in each row, for the main measure or the given ones."""
        for row in self.rows:
            for measure in measures or (main_measure(row),):
                best = self.best_peer(row, measure)
                keel = measure.of(row, KEEL)
                if best is not None or keel is not None:
                    yield Standing(row, measure, keel, *(best or (None, None)))


def advantage(measure, keel, other):
    """How many times better Keel is, of two medians; None if that has no meaning."""
    good, bad = (keel, other) if measure.more_is_better else (other, keel)
    return good / bad if bad > 0 else None


@dataclasses.dataclass
class Standing:
    row: object
    measure: Measure
    keel: Spread | None  # None: failed, or not measured
    peer: str | None
    best: Spread | None

    @property
    def advantage(self):
        """Over the best peer; None without both."""
        if self.keel is None or self.best is None:
            return None
        return advantage(self.measure, self.keel.median, self.best.median)

    @property
    def compared(self):
        return self.best is not None

    @property
    def lost(self):
        """Not first: behind a peer, or without a result where a peer has one."""
        if not self.compared:
            return False
        return self.keel is None or (self.advantage is not None and self.advantage < 1)


def losses(standings):
    """Those lost, furthest behind first; without a result before all others."""
    lost = [one for one in standings if one.lost]
    return sorted(lost, key=lambda one: one.advantage if one.advantage is not None else -1)


# --- what is too little to tell ---

NEEDED_ABOVE = {"p95": 0.05, "p99": 0.01, "p99.9": 0.001}


def caveats(run):
    """What of a run rests on too little, or was not as it should be; the worst of it."""
    if "no_cgroup_limit" in run.extra:
        yield "without the memory limit of a cgroup"
    if run.operations < OPERATIONS_MIN:
        yield f"only {run.operations} operations"
        return
    for percentile, above in NEEDED_ABOVE.items():
        if percentile in run.latency_ns and 0 < run.samples * above < SAMPLES_ABOVE_MIN:
            yield f"{percentile} and beyond of {run.samples} samples"
            return


def small_samples(comparison):
    """[(row, store, text)] of what is not to be relied on."""
    found = []
    for row in comparison.results.rows:
        for store, runs in row.runs.items():
            texts = list(dict.fromkeys(text for run in runs for text in caveats(run)))
            if len(runs) < comparison.results.runs:
                texts.append(f"{len(runs)} of {comparison.results.runs} runs")
            if texts:
                found.append((row, store, "; ".join(texts)))
    return found


def few_runs(comparison):
    """Whether every figure is of fewer runs than a median wants."""
    return comparison.results.runs < RUNS_MIN
