"""What a comparison measured: the file that keel_compare writes, read and checked.

Everything after this trusts it: what is missing, of another type, or not possible is refused here,
with its place in the file.
"""

import dataclasses
import json
import statistics

FORMAT = 1
PERCENTILES = ("p50", "p95", "p99", "p99.9", "max")
# With fewer samples above it a percentile is chance; so is a median of fewer runs.
SAMPLES_ABOVE_MIN = 10
OPERATIONS_MIN = 100
RUNS_MIN = 3


class BadInput(Exception):
    """The file is not what it should be; says where."""


@dataclasses.dataclass
class Run:
    """One run of one workload on one store. None, or empty: not measured."""

    number: int
    operations: int
    seconds: float
    latency_ns: dict
    histogram: list  # (upper bound in ns, count), ascending
    timeline: list  # (second, operations, p99 in ns or None)
    peak_memory_bytes: int | None
    bytes_written: int | None
    file_bytes: int | None
    user_bytes: int | None
    extra: dict

    @property
    def rate(self):
        return self.operations / self.seconds

    @property
    def samples(self):
        return sum(count for _, count in self.histogram)

    def latency(self, percentile):
        return self.latency_ns.get(percentile)

    @property
    def written_share(self):
        """Bytes written to disk for each byte of keys and values."""
        if self.bytes_written is None or not self.user_bytes:
            return None
        return self.bytes_written / self.user_bytes


@dataclasses.dataclass
class Spread:
    """A figure of several runs."""

    median: float
    low: float
    high: float
    runs: int

    @staticmethod
    def of(values):
        """None if there are none."""
        values = [value for value in values if value is not None]
        if not values:
            return None
        return Spread(statistics.median(values), min(values), max(values), len(values))


@dataclasses.dataclass
class Row:
    """One workload with its parameters: the runs of every store."""

    workload: str
    parameters: dict
    runs: dict  # store: list of Run

    def spread(self, store, value):
        return Spread.of(value(run) for run in self.runs.get(store, ()))


@dataclasses.dataclass
class Failure:
    workload: str
    parameters: dict
    store: str
    run: int
    message: str


@dataclasses.dataclass
class Store:
    version: str
    configuration: str


@dataclasses.dataclass
class Results:
    keel: dict
    machine: dict
    started: str
    rows_loaded: int
    runs: int
    seed: int
    stores: dict  # name: Store
    rows: list
    failures: list


# --- checking ---


class Place:
    """A value, and where in the file it is."""

    def __init__(self, value, name):
        self.value = value
        self.name = name

    def bad(self, wanted):
        shown = json.dumps(self.value)
        shown = shown if len(shown) <= 60 else shown[:57] + "..."
        raise BadInput(f"{self.name}: {wanted} is needed, not {shown}")

    def object(self):
        return self.value if isinstance(self.value, dict) else self.bad("an object")

    def items(self):
        if not isinstance(self.value, list):
            self.bad("a list")
        return [Place(value, f"{self.name}[{i}]") for i, value in enumerate(self.value)]

    def entries(self):
        return [(key, Place(value, f"{self.name}.{key}")) for key, value in self.object().items()]

    def member(self, key):
        if key not in self.object():
            raise BadInput(f"{self.name}: {key} is missing")
        return Place(self.value[key], f"{self.name}.{key}")

    def has(self, key):
        return self.object().get(key) is not None

    def optional(self, key, read, default=None):
        return read(self.member(key)) if self.has(key) else default

    def text(self):
        if not isinstance(self.value, str) or not self.value:
            self.bad("a text")
        return self.value

    def number(self):
        if isinstance(self.value, bool) or not isinstance(self.value, (int, float)):
            self.bad("a number")
        if not 0 <= self.value < 1e300:
            self.bad("a number from 0 on")
        return self.value

    def whole(self):
        if isinstance(self.value, bool) or not isinstance(self.value, int) or self.value < 0:
            self.bad("a whole number from 0 on")
        return self.value if self.value < 2**64 else self.bad("a number below 2^64")


def read_parameters(place):
    for _, value in place.entries():
        if not isinstance(value.value, (str, int, float, bool)):
            value.bad("a text or a number")
    return dict(place.object())


def read_latency(place):
    known = {key: value.number() for key, value in place.entries() if key in PERCENTILES}
    values = [known[key] for key in PERCENTILES if key in known]
    if values != sorted(values):
        place.bad("percentiles that do not descend")
    return known


def read_histogram(place):
    buckets = []
    for bucket in place.items():
        pair = bucket.items()
        if len(pair) != 2:
            bucket.bad("[nanoseconds, count]")
        buckets.append((pair[0].number(), pair[1].whole()))
    if any(one[0] >= other[0] for one, other in zip(buckets, buckets[1:])):
        place.bad("buckets in ascending order")
    return buckets


def read_timeline(place):
    seconds = []
    for entry in place.items():
        p99 = entry.optional("p99_ns", Place.number)
        seconds.append((entry.member("second").number(), entry.member("operations").whole(), p99))
    if any(one[0] >= other[0] for one, other in zip(seconds, seconds[1:])):
        place.bad("seconds in ascending order")
    return seconds


def read_run(place):
    seconds = place.member("seconds")
    if not seconds.number() > 0:
        seconds.bad("a number above 0")
    return Run(
        number=place.member("run").whole(),
        operations=place.member("operations").whole(),
        seconds=float(seconds.value),
        latency_ns=place.optional("latency_ns", read_latency, {}),
        histogram=place.optional("histogram", read_histogram, []),
        timeline=place.optional("timeline", read_timeline, []),
        peak_memory_bytes=place.optional("peak_memory_bytes", Place.whole),
        bytes_written=place.optional("bytes_written", Place.whole),
        file_bytes=place.optional("file_bytes", Place.whole),
        user_bytes=place.optional("user_bytes", Place.whole),
        extra=place.optional("extra", Place.object, {}),
    )


def key_of(workload, parameters):
    return workload, json.dumps(parameters, sort_keys=True)


def read_rows(place, stores):
    rows = {}
    for entry in place.items():
        workload = entry.member("workload").text()
        parameters = entry.optional("parameters", read_parameters, {})
        store = entry.member("store")
        if store.text() not in stores:
            store.bad("one of the stores")
        run = read_run(entry)
        row = rows.setdefault(key_of(workload, parameters), Row(workload, parameters, {}))
        runs = row.runs.setdefault(store.value, [])
        if any(other.number == run.number for other in runs):
            raise BadInput(f"{entry.name}: run {run.number} of {store.value} is there twice")
        runs.append(run)
    return list(rows.values())


def read_failure(place):
    return Failure(
        workload=place.member("workload").text(),
        parameters=place.optional("parameters", read_parameters, {}),
        store=place.member("store").text(),
        run=place.optional("run", Place.whole, 0),
        message=place.member("message").text(),
    )


def read_results(document):
    top = Place(document, "results file")
    version = top.member("format")
    if version.value != FORMAT:
        version.bad(f"format {FORMAT}")
    stores = {
        name: Store(
            store.optional("version", Place.text, "unknown"),
            store.optional("configuration", Place.text, ""),
        )
        for name, store in top.member("stores").entries()
    }
    if "keel" not in stores:
        raise BadInput("results file.stores: keel is not among them")
    return Results(
        keel={key: str(value.value) for key, value in top.member("keel").entries()},
        machine={key: value.value for key, value in top.member("machine").entries()},
        started=top.member("started").text(),
        rows_loaded=top.member("rows").whole(),
        runs=top.member("runs").whole(),
        seed=top.member("seed").whole(),
        stores=stores,
        rows=read_rows(Place(top.member("results").value, "results"), stores),
        failures=[
            read_failure(entry)
            for entry in (top.member("failures").items() if top.has("failures") else [])
        ],
    )


def refuse_constant(name):
    raise ValueError(f"{name} is no number")


def load_json(path):
    """The document in a file."""
    try:
        with open(path, encoding="utf-8") as file:
            document = json.load(file, parse_constant=refuse_constant)
        # Halves of characters, which JSON can write but nobody can show.
        json.dumps(document, ensure_ascii=False).encode("utf-8")
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{path}: this is not JSON: {error}") from error
    return document


def load(path):
    """Returns the Results in a file."""
    document = load_json(path)
    try:
        return read_results(document)
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from error
