"""Flame graphs: where the processor's time went, by the calls that led there (after Brendan Gregg's).

Reads what `perf script -F comm,ip,sym` prints, keeps the samples of measured work and of Keel's background threads (not
those of loading and warming up before it), and draws them from Keel's own frames up: each box is a function, as wide as
its share of the samples, above the one that called it.
"""

import dataclasses
import html
import re

WIDTH = 1000.0
ROW = 16
LEAST_SHARE = 0.004  # narrower boxes are left out
LETTER = 6.2  # of the font, on average

# By namespace: which part of Keel, or what lies below it.
COLOURS = (
    ("keel::engine", "#7aa6d8"),
    ("keel::Database", "#7aa6d8"),
    ("keel::btree", "#8cc48c"),
    ("keel::pager", "#e3c567"),
    ("keel::wal", "#e39a6b"),
    ("keel::recovery", "#c9a0dc"),
    ("keel::io", "#d98880"),
    ("keel::", "#a9cce3"),
    ("[kernel]", "#c8c8c8"),
)
OTHER = "#e4e4e4"
MEASURED = ("keel::compare::Worker::", "keel::engine::Background")


@dataclasses.dataclass
class Frame:
    """A function, called along one way, and all that it called."""

    name: str
    samples: int = 0
    calls: dict = dataclasses.field(default_factory=dict)

    def call(self, name):
        return self.calls.setdefault(name, Frame(name))


def short(symbol):
    """The function's name without arguments and templates."""
    symbol = symbol.replace("(anonymous namespace)::", "")
    symbol = re.sub(r"\{lambda\(.*?\)#\d+\}", "lambda", symbol)
    while True:
        plain = re.sub(r"<[^<>]*>", "", symbol)
        if plain == symbol:
            break
        symbol = plain
    symbol = symbol.split("(")[0].strip()
    return re.sub(r"\+0x[0-9a-f]+$", "", symbol).removeprefix("absl::debian3::") or "?"


def stacks(lines):
    """The stacks of `perf script`, outermost call first."""
    stack = []
    for line in lines:
        found = re.match(r"\s+([0-9a-f]+) (.*)$", line)
        if found:
            address, symbol = found.groups()
            # One box for whatever the kernel does.
            stack.append("[kernel]" if address.startswith("ffff") else short(symbol))
        elif stack and not line.strip():
            yield stack[::-1]
            stack = []
    if stack:
        yield stack[::-1]


def is_keel(name):
    return name.startswith("keel::") and not name.startswith("keel::compare::")


def is_measured(stack):
    return any(name.startswith(MEASURED) for name in stack)


def fold(all_stacks):
    """The tree of calls below Keel's first frame in each stack."""
    root = Frame("all")
    for stack in all_stacks:
        first = next((at for at, name in enumerate(stack) if is_keel(name)), None)
        if first is None or not is_measured(stack):
            continue
        frame = root
        frame.samples += 1
        last = None
        for name in stack[first:]:
            if name == last == "[kernel]":
                continue
            frame = frame.call(name)
            frame.samples += 1
            last = name
    return root


def depth(frame, least):
    inner = [depth(call, least) for call in frame.calls.values() if call.samples >= least]
    return 1 + max(inner, default=0)


def colour(name):
    return next((colour for prefix, colour in COLOURS if name.startswith(prefix)), OTHER)


def box(frame, x, width, y, total):
    share = 100 * frame.samples / total
    shown = frame.name.removeprefix("keel::").removeprefix("Database::")
    letters = int(width / LETTER) - 1
    if len(shown) > letters:
        shown = shown[: letters - 1] + "…" if letters > 3 else ""
    title = html.escape(f"{frame.name}: {share:.1f} %")
    label = html.escape(shown)
    text = f'<text x="{x + 3:.1f}" y="{y + 12}">{label}</text>' if shown else ""
    return (
        f'<g><title>{title}</title><rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{ROW - 1}" '
        f'fill="{colour(frame.name)}"/>{text}</g>'
    )


def boxes(frame, x, y, scale, total, least):
    for call in sorted(frame.calls.values(), key=lambda one: one.name):
        if call.samples < least:
            continue
        width = call.samples * scale
        yield box(call, x, width, y, total)
        yield from boxes(call, x, y - ROW, scale, total, least)
        x += width


def draw(root, title):
    """One SVG that needs nothing else."""
    least = max(1, root.samples * LEAST_SHARE)
    height = ROW * (depth(root, least) + 1)
    parts = boxes(root, 0.0, height - ROW, WIDTH / max(root.samples, 1), root.samples, least)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:.0f} {height}" '
        'font-family="monospace" font-size="10">'
        f'<rect width="100%" height="100%" fill="white"/><text x="3" y="12">{html.escape(title)}'
        f" ({root.samples} samples)</text>" + "\n".join(parts) + "</svg>\n"
    )
