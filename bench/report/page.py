"""The report as one HTML page that needs nothing else: no script, no font, no other file."""

import html
import json
import math

import charts
from charts import Axis, Bar, Curve, Linear, Logarithmic, RatioLine
from figures import (
    IN_MEMORY,
    KEEL,
    advantage,
    duration,
    main_measure,
    number,
    parameter_text,
    per_second,
    row_title,
    workload_title,
)

# Keel, the peers in their order, and then all over again.
COLOURS_LIGHT = "#0b63b6 #c8500a #0a7d5a #b0397f #9a7200 #4a7fa8 #6b4fb3 #6b6b6b".split()
COLOURS_DARK = "#6cb4ff #ff9a5c #4fd1a5 #ff8fd0 #f0c94a #9fd3f2 #b9a2ff #b0b0b0".split()
MAP_COLOUR = 7
# A longer run is drawn with so many points.
SECONDS_DRAWN = 300
# Texts of more characters are broken into lines.
LONG = 40

STYLE = """
:root { color-scheme: light dark; --ground: #fff; --ink: #1b1b1b; --faint: #5c5c5c;
  --line: #d9d9d9; --panel: #f6f6f6; --lost: #b00020; --shade: #b0002012; LIGHT }
@media (prefers-color-scheme: dark) { :root { --ground: #161616; --ink: #ececec; --faint: #a8a8a8;
  --line: #3d3d3d; --panel: #202020; --lost: #ff8a8a; --shade: #ff8a8a14; DARK } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 76rem; background: var(--ground);
  color: var(--ink); font: 1rem/1.45 system-ui, sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.2; } h2 { font-size: 1.25rem; margin-top: 2.2rem; }
h3 { font-size: 1.05rem; margin: 1.6rem 0 .4rem; } a { color: inherit; }
p, li { max-width: 46rem; } .headline { font-size: 1.15rem; font-weight: 600; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; }
dt { color: var(--faint); } dd { margin: 0; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-size: .9rem; }
th, td { padding: .25rem .7rem .25rem 0; text-align: right; vertical-align: top;
  border-bottom: 1px solid var(--line); font-variant-numeric: tabular-nums; white-space: nowrap; }
th { color: var(--faint); font-weight: 600; }
.text { text-align: left; } .long { white-space: normal; min-width: 14rem; }
th:first-child, td:first-child { position: sticky; left: 0; background: var(--ground);
  min-width: 9rem; max-width: 18rem; white-space: normal; }
td.strong { font-weight: 700; } .lost { color: var(--lost); fill: var(--lost); }
.charts { display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 22rem), 1fr)); }
figure { margin: 0; padding: .6rem; background: var(--panel); border-radius: .4rem; min-width: 0; }
figure.wide { max-width: 40rem; } figcaption { font-size: .9rem; margin-bottom: .3rem; }
svg { display: block; width: 100%; height: auto; } svg text { font-size: 12px; fill: var(--ink); }
svg text.faint { fill: var(--faint); } svg text.lost { fill: var(--lost); }
.grid { stroke: var(--line); stroke-width: 1; } .one { stroke: var(--ink); stroke-width: 1.5; }
.range { stroke: var(--ink); stroke-width: 1.5; } .behind { fill: var(--shade); }
.curve { fill: none; stroke-width: 1.6; stroke-linejoin: round; } .curve.s0 { stroke-width: 2.8; }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1rem; padding: 0; list-style: none;
  font-size: .9rem; position: sticky; top: 0; background: var(--ground); z-index: 1; }
.legend svg { display: inline-block; width: 34px; height: 12px; vertical-align: -1px; }
summary { cursor: pointer; margin: 1rem 0 .5rem; font-weight: 600; }
SERIES
"""


def style():
    def variables(colours):
        return " ".join(f"--c{i}: {colour};" for i, colour in enumerate(colours))

    series = "\n".join(
        f".fill.s{i} {{ fill: var(--c{i}); }} .curve.s{i} {{ stroke: var(--c{i}); }}"
        for i in range(len(COLOURS_LIGHT))
    )
    text = STYLE.replace("LIGHT", variables(COLOURS_LIGHT)).replace("DARK", variables(COLOURS_DARK))
    return text.replace("SERIES", series)


def escape(value):
    return html.escape(str(value))


# --- tables ---


def cell(tag, value, kinds):
    kinds = [kind for kind in kinds if kind]
    kind = f' class="{" ".join(kinds)}"' if kinds else ""
    return f"<{tag}{kind}>{escape(value)}</{tag}>"


def table(content):
    yield '<div class="scroll"><table><thead><tr>'
    for j, value in enumerate(content.head):
        yield cell("th", value, ["text" if j in content.texts else ""])
    yield "</tr></thead><tbody>"
    for i, row in enumerate(content.rows):
        yield "<tr>"
        for j, value in enumerate(row):
            kinds = ["text" if j in content.texts else "", (i, j) in content.strong and "strong"]
            if j in content.texts and len(str(value)) > LONG:
                kinds.append("long")
            if value in ("NOT MET", "not plausible", "no result"):
                kinds.append("lost")
            yield cell("td", value, kinds)
        yield "</tr>"
    yield "</tbody></table></div>"


def section(content, folded=False):
    """A long table can be folded away."""
    yield f"<h2>{escape(content.title)}</h2>"
    if content.text:
        yield f"<p>{escape(content.text)}</p>"
    folded = folded and content.table.rows
    if folded:
        yield f"<details><summary>{len(content.table.rows)} rows</summary>"
    if content.table and content.table.rows:
        yield from table(content.table)
    if folded:
        yield "</details>"


def figure(caption, drawing, wide=False):
    kind = ' class="wide"' if wide else ""
    return f"<figure{kind}><figcaption>{escape(caption)}</figcaption>{drawing}</figure>"


# --- what is drawn ---


def thinned(points, apart=0.02):
    """Leaves out points that would not be seen."""
    kept = points[:1]
    for point in points[1:-1]:
        if point[0] - kept[-1][0] >= apart:
            kept.append(point)
    return kept + points[-1:] if len(points) > 1 else kept


def percentile_points(runs):
    """(-log10 of the share above, latency) of all runs together."""
    merged = {}
    for run in runs:
        for upper, amount in run.histogram:
            merged[upper] = merged.get(upper, 0) + amount
    samples = sum(merged.values())
    points, below = [], 0
    for upper, amount in sorted(merged.items()):
        below += amount
        above = max(samples - below, 1) / samples
        if amount:
            points.append((-math.log10(above), upper))
    return thinned([(max(x, 0.0), max(y, 1)) for x, y in points])


def worst_of(points, at_once, pick):
    """One point for so many, with the worst of their values: a stall must not vanish in a mean."""
    groups = [points[i : i + at_once] for i in range(0, len(points), at_once)]
    return [(group[0][0], pick(y for _, y in group)) for group in groups]


class Page:
    def __init__(self, content):
        self.content = content
        self.comparison = content.comparison
        self.stores = self.comparison.shown_stores
        peers = [store for store in self.stores if store not in (KEEL, IN_MEMORY)]
        self.index = {KEEL: 0, IN_MEMORY: MAP_COLOUR}
        for i, peer in enumerate(peers):
            self.index[peer] = 1 + i % (MAP_COLOUR - 1)

    def legend(self):
        yield '<ul class="legend">'
        for store in self.stores:
            index = self.index[store]
            drawing = charts.path([(2, 6), (32, 6)], index) + charts.mark(17, 6, index, store)
            yield (
                f'<li><svg viewBox="0 0 34 12" aria-hidden="true">{drawing}</svg> '
                f"{escape(store)}</li>"
            )
        yield "</ul>"

    # --- against each peer ---

    def ratio_chart(self):
        lines = []
        for row in self.comparison.rows:
            measure = main_measure(row)
            keel = measure.of(row, KEEL)
            if keel is None:
                continue
            found = [
                (self.index[peer], peer, advantage(measure, keel.median, spread.median))
                for peer, spread in self.comparison.peers_of(row, measure)
            ]
            found = [one for one in found if one[2]]
            if found:
                lines.append(RatioLine(row_title(row), found))
        lines.sort(key=lambda entry: min(ratio for _, _, ratio in entry.ratios))
        if not lines:
            return
        yield "<h2>Keel against each peer</h2>"
        yield (
            "<p>How many times faster Keel is than each peer, the rows where it is furthest behind "
            "its best peer first. The figure on the right is against the best one.</p>"
        )
        label = "Ratio of Keel to each peer, by workload"
        caption = "Keel's rate divided by the peer's, logarithmic"
        yield figure(caption, charts.ratios(label, lines), wide=True)

    # --- over threads ---

    def scaling(self):
        groups = {}
        for row in self.comparison.rows:
            threads = row.parameters.get("threads")
            if isinstance(threads, int) and not isinstance(threads, bool) and threads > 0:
                rest = {key: v for key, v in row.parameters.items() if key != "threads"}
                key = row.workload, json.dumps(rest, sort_keys=True)
                groups.setdefault(key, (row.workload, rest, []))[2].append((threads, row))
        drawn = [self.scaling_chart(*group) for group in groups.values() if len(group[2]) > 1]
        if drawn:
            yield "<h2>Over threads</h2><p>Operations per second by the number of threads.</p>"
            yield '<div class="charts">' + "".join(drawn) + "</div>"

    def scaling_chart(self, workload, parameters, rows):
        curves = []
        rows = sorted(rows, key=lambda one: one[0])
        for store in self.stores:
            spreads = [(threads, main_measure(row).of(row, store)) for threads, row in rows]
            points = [(threads, spread.median) for threads, spread in spreads if spread]
            if points:
                curves.append(Curve(self.index[store], store, points))
        counts = [threads for threads, _ in rows]
        across = Axis(Logarithmic(counts), number, "threads", [(n, str(n)) for n in counts])
        up = Axis(Linear([y for c in curves for _, y in c.points]), number, "")
        title = workload_title(workload)
        rest = ", ".join(parameter_text(key, value) for key, value in parameters.items())
        title += f": {rest}" if rest else ""
        label = f"{title}, operations per second"
        return figure(title, charts.plot(label, across, up, curves, marked=True))

    # --- one workload ---

    def rate_chart(self, row):
        measure = main_measure(row)
        entries = []
        for store in self.stores:
            spread = measure.of(row, store)
            if spread:
                entries.append(Bar(self.index[store], store, spread, measure.show(spread.median)))
        if not entries:
            return ""
        way = "more" if measure.more_is_better else "less"
        caption = f"{measure.title}, {way} is better"
        return figure(caption, charts.bars(f"{row_title(row)}: {measure.title}", entries))

    def latency_chart(self, row):
        curves = [
            Curve(self.index[store], store, percentile_points(row.runs[store]))
            for store in self.stores
            if store in row.runs
        ]
        curves = [curve for curve in curves if curve.points]
        if not curves:
            return ""
        last = max(x for curve in curves for x, _ in curve.points)
        marks = [(-math.log10(1 - p / 100), f"p{p:g}") for p in (50, 90, 99, 99.9, 99.99, 99.999)]
        across = Axis(Linear([last]), None, "percentile", [m for m in marks if m[0] <= last])
        up = Axis(Logarithmic([y for c in curves for _, y in c.points]), duration, "")
        label = f"{row_title(row)}: latency by percentile"
        return figure("latency by percentile", charts.plot(label, across, up, curves))

    def timeline_charts(self, row):
        """Throughput and p99 second by second, every run a curve of its own."""
        runs = [(store, run) for store in self.stores for run in row.runs.get(store, ())]
        at_once = math.ceil(max((len(run.timeline) for _, run in runs), default=1) / SECONDS_DRAWN)
        rates, tails = [], []
        for store, run in runs:
            rate = [(second, operations) for second, operations, _ in run.timeline]
            tail = [(second, p99) for second, _, p99 in run.timeline if p99]
            for curves, points, pick in ((rates, rate, min), (tails, tail, max)):
                if len(points) > 1:
                    drawn = worst_of(points, at_once, pick)
                    curves.append(Curve(self.index[store], store, drawn))
        which = "each second" if at_once == 1 else f"the worst of each {at_once} seconds"
        for curves, scale, show, caption in (
            (rates, Linear, per_second, f"operations in {which}"),
            (tails, Logarithmic, duration, f"p99 of {which}"),
        ):
            if curves:
                across = Axis(Linear([x for c in curves for x, _ in c.points]), number, "second")
                up = Axis(scale([y for c in curves for _, y in c.points]), show, "")
                label = f"{row_title(row)}: {caption}"
                yield figure(caption, charts.plot(label, across, up, curves))

    def workloads(self):
        yield "<h2>Workload by workload</h2>"
        yield (
            "<p>Bars are medians of the runs, the lines over their ends reach from the least to "
            "the most. Latencies are those of all runs together.</p>"
        )
        for row in self.comparison.rows:
            drawn = [self.rate_chart(row), self.latency_chart(row), *self.timeline_charts(row)]
            if any(drawn):
                yield f"<h3>{escape(row_title(row))}</h3>"
                yield '<div class="charts">' + "".join(drawn) + "</div>"

    # --- all of it ---

    def parts(self):
        content = self.content
        yield '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
        yield "<title>Keel and its peers, measured</title>"
        yield f"<style>{style()}</style></head><body>"
        yield "<h1>Keel and its peers, measured</h1>"
        yield f'<p class="headline">{escape(content.headline())}</p><dl>'
        for name, value in content.setting():
            yield f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>"
        yield "</dl>"
        for one in [*content.bars(), content.losses()]:
            yield from section(one)
        yield from self.legend()
        yield from self.ratio_chart()
        yield from self.scaling()
        yield from section(content.rates())
        yield from self.workloads()
        for one in content.floors():
            yield from section(one)
        yield from section(content.other_losses())
        yield from section(content.latencies(), folded=True)
        yield from section(content.space(), folded=True)
        for one in content.caveats():
            yield from section(one)
        yield from section(content.stores())
        yield "</body></html>"


def render(content):
    return "\n".join(part for part in Page(content).parts() if part) + "\n"
