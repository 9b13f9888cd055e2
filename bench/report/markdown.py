"""The report as Markdown."""

import re

# What would be markup, or end a cell.
SPECIAL = re.compile(r"([\\`*_\[\]<>|#~])")


def escape(text):
    return SPECIAL.sub(r"\\\1", " ".join(str(text).split()))


def table(content):
    """Lines of a table."""
    rows = [[escape(cell) for cell in content.head]]
    for i, row in enumerate(content.rows):
        cells = [escape(cell) for cell in row]
        rows.append([f"**{c}**" if (i, j) in content.strong else c for j, c in enumerate(cells)])
    columns = range(len(content.head))
    rules = ["---" if j in content.texts else "---:" for j in columns]
    for row in (rows[0], rules, *rows[1:]):
        yield "| " + " | ".join(row) + " |"


def section(content, level):
    yield "#" * level + " " + escape(content.title)
    yield ""
    if content.text:
        yield content.text
        yield ""
    if content.table and content.table.rows:
        yield from table(content.table)
        yield ""


def setting(content):
    for name, value in content.setting():
        yield f"- {escape(name)}: {escape(value)}"
    yield ""


def report(content):
    """The whole report."""
    lines = ["# Keel and its peers, measured", "", content.headline(), "", *setting(content)]
    for part in content.sections():
        lines += section(part, 2)
    return "\n".join(lines).rstrip() + "\n"


def part(content, level=3):
    """What stands within a page."""
    lines = [content.headline(), "", *setting(content)]
    for piece in content.short_sections():
        lines += section(piece, level)
    return "\n".join(lines).rstrip() + "\n"
