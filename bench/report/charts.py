"""Charts as plain SVG, of texts and shapes only; the page's style sheet gives them their colours.

All are 400 units wide, so that they fill a narrow screen and stand side by side on a wide one.
"""

import dataclasses
import html
import math

WIDTH = 400
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 10, 34
# Marks and dashes tell stores apart where colours do not.
DASHES = ("", "6 3", "2 3", "8 3 2 3", "4 2", "1 3", "10 4", "3 6")
MARKS = 4


def text(x, y, content, anchor="start", kind=""):
    shown = html.escape(str(content))
    kind = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{kind}>{shown}</text>'


def line(x1, y1, x2, y2, kind):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'


def mark(x, y, index, tip=""):
    """A circle, square, triangle or diamond."""
    shape = index % MARKS
    if shape == 0:
        body = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5"'
    else:
        points = {
            1: ((-4, -4), (4, -4), (4, 4), (-4, 4)),
            2: ((0, -5), (5, 4), (-5, 4)),
            3: ((0, -6), (5, 0), (0, 6), (-5, 0)),
        }[shape]
        body = '<polygon points="' + " ".join(f"{x + a:.1f},{y + b:.1f}" for a, b in points) + '"'
    return f'{body} class="fill s{index}"><title>{html.escape(tip)}</title></' + (
        "circle>" if shape == 0 else "polygon>"
    )


def path(points, index):
    where = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dash = DASHES[index % len(DASHES)]
    dash = f' stroke-dasharray="{dash}"' if dash else ""
    return f'<polyline points="{where}" class="curve s{index}"{dash}/>'


def svg(height, label, parts):
    return (
        f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{html.escape(label)}">'
        + "".join(parts)
        + "</svg>"
    )


# --- scales ---


class Linear:
    """From 0 to the largest value."""

    def __init__(self, values):
        self.high = max(values, default=1) or 1

    def at(self, value):
        return value / self.high

    def ticks(self):
        step = 10 ** math.floor(math.log10(self.high))
        for part in (0.2, 0.5, 1, 2):
            if self.high / (step * part) <= 5:
                step *= part
                break
        return [i * step for i in range(int(self.high / step + 1e-9) + 1)]


class Logarithmic:
    """From the least value above 0 to the largest, at least a factor of two."""

    def __init__(self, values):
        values = [value for value in values if value > 0] or [1]
        self.low, high = math.log10(min(values)), math.log10(max(values))
        if high - self.low < math.log10(2):
            middle = (self.low + high) / 2
            self.low, high = middle - math.log10(2) / 2, middle + math.log10(2) / 2
        self.span = high - self.low

    def at(self, value):
        return (math.log10(value) - self.low) / self.span if value > 0 else 0

    def ticks(self):
        """Powers of ten, with 2 and 5 between them where there are few."""
        parts = (1,) if self.span > 2.5 else (1, 2, 5)
        first, last = math.floor(self.low), math.ceil(self.low + self.span)
        ticks = [part * 10.0**power for power in range(first, last + 1) for part in parts]
        ticks = [tick for tick in ticks if -1e-9 <= self.at(tick) <= 1 + 1e-9]
        return ticks[:: math.ceil(len(ticks) / 7)] if ticks else []


@dataclasses.dataclass
class Axis:
    scale: object
    show: object
    title: str
    ticks: list | None = None  # (value, label); None: the scale's own

    def marked(self):
        if self.ticks is not None:
            return self.ticks
        return [(tick, self.show(tick)) for tick in self.scale.ticks()]


@dataclasses.dataclass
class Curve:
    index: int  # of the store: its colour, dash and mark
    name: str
    points: list


def plot(label, across, up, curves, marked=False, height=230):
    """Curves in a frame with axes."""
    bottom = height - BOTTOM

    def place(point):
        x = LEFT + across.scale.at(point[0]) * (WIDTH - LEFT - RIGHT)
        return x, bottom - up.scale.at(point[1]) * (bottom - TOP)

    parts = []
    for value, shown in up.marked():
        y = bottom - up.scale.at(value) * (bottom - TOP)
        parts += [line(LEFT, y, WIDTH - RIGHT, y, "grid"), text(LEFT - 5, y + 4, shown, "end")]
    for value, shown in across.marked():
        x = LEFT + across.scale.at(value) * (WIDTH - LEFT - RIGHT)
        parts += [line(x, TOP, x, bottom, "grid"), text(x, bottom + 14, shown, "middle")]
    parts.append(text((LEFT + WIDTH - RIGHT) / 2, height - 5, across.title, "middle", "faint"))
    # Keel last, on top of the others.
    for curve in sorted(curves, key=lambda one: -one.index):
        points = [place(point) for point in curve.points]
        if len(points) > 1:
            parts.append(path(points, curve.index))
        if marked or len(points) == 1:
            for point, (x, y) in zip(curve.points, points):
                tip = f"{curve.name}: {up.show(point[1])}"
                parts.append(mark(x, y, curve.index, tip))
    return svg(height, label, parts)


@dataclasses.dataclass
class Bar:
    index: int
    name: str
    spread: object
    shown: str


def bars(label, entries):
    """Horizontal bars from 0, the range of the runs drawn over their ends."""
    scale = Linear([entry.spread.high for entry in entries])
    room = WIDTH - 2 * RIGHT
    parts = []
    for i, entry in enumerate(entries):
        y = 4 + 34 * i
        length = max(scale.at(entry.spread.median) * room, 1)
        parts += [
            text(RIGHT, y + 11, entry.name),
            text(WIDTH - RIGHT, y + 11, entry.shown, "end"),
            f'<rect x="{RIGHT}" y="{y + 15}" width="{length:.1f}" height="11" '
            f'class="fill s{entry.index}"/>',
        ]
        if entry.spread.runs > 1:
            low, high = (RIGHT + scale.at(v) * room for v in (entry.spread.low, entry.spread.high))
            middle = y + 20.5
            parts.append(line(low, middle, high, middle, "range"))
            parts += [line(x, middle - 4, x, middle + 4, "range") for x in (low, high)]
    return svg(4 + 34 * len(entries), label, parts)


@dataclasses.dataclass
class RatioLine:
    name: str
    ratios: list  # (index, store, ratio)


def ratios(label, lines):
    """One line a workload, one mark a peer: right of 1 Keel is ahead of it, left behind."""
    values = [ratio for entry in lines for _, _, ratio in entry.ratios]
    scale = Logarithmic([*values, 0.8, 1.25])
    left, room = 16, WIDTH - 32
    height = 40 + 34 * len(lines)

    def at(value):
        return left + scale.at(value) * room

    one = at(1)
    parts = [
        f'<rect x="0" y="18" width="{one:.1f}" height="{height - 18}" class="behind"/>',
        text(one - 6, 12, "Keel is behind", "end", "faint"),
        text(one + 6, 12, "Keel is ahead", "start", "faint"),
    ]
    for tick in scale.ticks():
        parts += [
            line(at(tick), 18, at(tick), height - 16, "grid"),
            text(at(tick), height - 4, f"{tick:g}x", "middle"),
        ]
    parts.append(line(one, 18, one, height - 16, "one"))
    for i, entry in enumerate(lines):
        y = 34 + 34 * i
        parts += [text(left, y, entry.name), line(left, y + 10, WIDTH - left, y + 10, "grid")]
        worst = min(ratio for _, _, ratio in entry.ratios)
        parts.append(text(WIDTH - left, y, f"{worst:.3g}x", "end", "lost" if worst < 1 else ""))
        for index, store, ratio in sorted(entry.ratios, reverse=True):
            parts.append(mark(at(ratio), y + 10, index, f"{store}: {ratio:.3g}x"))
    return svg(height, label, parts)
