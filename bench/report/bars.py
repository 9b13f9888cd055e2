"""What was set out for, and whether it is reached: bench/report/bars.json, or another file like it.

    {"format": 1, "bars": [{
      "name": "Durable put, 32 threads",
      "workload": "durable_put", "parameters": {"threads": 32},   rows that have all of these
      "measure": "rate",                   or p50 ... max, written, files, memory,
                                           device_reads, slowest_second
      "against": {"store": "peers",        the best peer; or "floor", the best floor; or a store
                  "workload": ..., "parameters": ..., "measure": ...},   by default the same row
      "at_least": 1.5,                     times as good as those; without "against" a plain figure
      "at_most": 3,                        or: Keel's figure divided by theirs
      "aim": 2,                            shown beside it
      "needs": {"minutes": 30}}]}          parameters that are at least so large

Of several rows the worst of Keel's counts, and the best of the others.
"""

import dataclasses
import pathlib

from figures import (
    KEEL,
    MEASURES,
    RATE,
    Measure,
    advantage,
    factor,
    main_measure,
    number,
    row_title,
)
from floors import DEVICE_READS, PLAUSIBLE_SHARE, has_parameters
from results import BadInput, Place, load_json, read_parameters

BUILT_IN = pathlib.Path(__file__).resolve().parent / "bars.json"
MET, NOT_MET, NOT_MEASURED, IMPLAUSIBLE = "met", "NOT MET", "not measured", "not plausible"


def slowest_second(run):
    """The last second may be cut short."""
    whole = run.timeline[:-1] if len(run.timeline) > 1 else run.timeline
    if not whole:
        return None
    gaps = whole[-1][0] - whole[0][0] + 1 > len(whole)
    return 0 if gaps else min(operations for _, operations, _ in whole)


SLOWEST_SECOND = Measure(
    "slowest_second", "operations in the slowest second", slowest_second, number, True
)
ALL_MEASURES = MEASURES | {one.key: one for one in (DEVICE_READS, SLOWEST_SECOND)}


@dataclasses.dataclass
class Against:
    store: str
    workload: str | None
    parameters: dict
    measure: Measure | None


@dataclasses.dataclass
class Bar:
    name: str
    workload: str
    parameters: dict
    measure: Measure | None  # None: what the workload is about
    against: Against | None
    at_least: float | None
    at_most: float | None
    aim: float | None
    needs: dict


@dataclasses.dataclass
class Verdict:
    bar: Bar
    measured: str
    wanted: str
    state: str
    detail: str


# --- reading ---


def read_measure(place):
    if place.text() not in ALL_MEASURES:
        place.bad("one of " + ", ".join(ALL_MEASURES))
    return ALL_MEASURES[place.value]


def only(place, keys):
    for key, _ in place.entries():
        if key not in keys:
            raise BadInput(f"{place.name}: {key} is not known")


def read_against(place):
    only(place, ("store", "workload", "parameters", "measure"))
    return Against(
        store=place.member("store").text(),
        workload=place.optional("workload", Place.text),
        parameters=place.optional("parameters", read_parameters, {}),
        measure=place.optional("measure", read_measure),
    )


def read_needs(place):
    return {key: value.number() for key, value in place.entries()}


def read_bar(place):
    only(place, [field.name for field in dataclasses.fields(Bar)])
    bar = Bar(
        name=place.member("name").text(),
        workload=place.member("workload").text(),
        parameters=place.optional("parameters", read_parameters, {}),
        measure=place.optional("measure", read_measure),
        against=place.optional("against", read_against),
        at_least=place.optional("at_least", Place.number),
        at_most=place.optional("at_most", Place.number),
        aim=place.optional("aim", Place.number),
        needs=place.optional("needs", read_needs, {}),
    )
    if (bar.at_least is None) == (bar.at_most is None):
        raise BadInput(f"{place.name}: either at_least or at_most is needed")
    return bar


def load(path=BUILT_IN):
    try:
        top = Place(load_json(path), "bars file")
        if top.member("format").value != 1:
            top.member("format").bad("format 1")
        return [read_bar(entry) for entry in top.member("bars").items()]
    except BadInput as error:
        text = str(error)
        raise BadInput(text if text.startswith(str(path)) else f"{path}: {text}") from error


# --- judging ---


def others(comparison, row, against, measure):
    """[(what, median)] of those that Keel's row is compared with."""
    measure = against.measure or measure
    if against.workload is None:
        rows = [row]
    else:
        rows = [
            other
            for other in comparison.results.rows
            if other.workload == against.workload and has_parameters(other, against.parameters)
        ]
    stores = {"peers": comparison.peers, "floor": sorted(comparison.floors)}.get(
        against.store, [against.store]
    )
    found = []
    for other in rows:
        for store in stores:
            spread = measure.of(other, store)
            if spread is not None:
                what = store if other is row else f"{store}, {row_title(other)}"
                what = row_title(other) if store in comparison.floors else what
                found.append((what, spread.median))
    return sorted(found, key=lambda one: one[1], reverse=measure.more_is_better)


def judge_row(comparison, bar, row):
    """(value, how it is shown, detail) for one of Keel's rows, or a text: why there is none."""
    measure = bar.measure or main_measure(row)
    keel = measure.of(row, KEEL)
    if keel is None:
        return f"Keel has no {measure.title}"
    for key, least in bar.needs.items():
        value = row.parameters.get(key)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or value < least:
            return f"{key} {least:g} is needed, not {value}"
    if bar.against is None:
        return keel.median, measure.show, ""
    found = others(comparison, row, bar.against, measure)
    if not found:
        return f"nothing of {bar.against.store} to compare with"
    what, other = found[0]
    shown = (bar.against.measure or measure).show
    detail = f"{measure.show(keel.median)} to {shown(other)} ({what})"
    if bar.at_most is not None:
        value = keel.median / other if other > 0 else None
    else:
        value = advantage(measure, keel.median, other)
    return (value, factor, detail) if value is not None else f"nothing to divide by: {detail}"


def judge(comparison, bar):
    rows = [
        row
        for row in comparison.rows
        if row.workload == bar.workload and has_parameters(row, bar.parameters)
    ]
    judged = [judge_row(comparison, bar, row) for row in rows]
    reasons = [one for one in judged if isinstance(one, str)]
    if not rows or reasons:
        reason = reasons[0] if reasons else "no such workload in the results"
        show = factor if bar.against else (bar.measure or RATE).show
        return Verdict(bar, "", show_wanted(bar, show), NOT_MEASURED, reason)
    worst = (min if bar.at_least is not None else max)(judged, key=lambda one: one[0])
    value, show, detail = worst
    met = value >= bar.at_least if bar.at_least is not None else value <= bar.at_most
    state = MET if met else NOT_MET
    if met and bar.against and bar.against.store == "floor" and value > PLAUSIBLE_SHARE:
        state = IMPLAUSIBLE
    return Verdict(bar, show(value), show_wanted(bar, show), state, detail)


def show_wanted(bar, show):
    least = bar.at_least is not None
    value = bar.at_least if least else bar.at_most
    text = f"{'>=' if least else '<='} {show(value)}"
    return text + (f" (aim {show(bar.aim)})" if bar.aim is not None else "")


def judge_all(comparison, bars):
    return [judge(comparison, bar) for bar in bars]
