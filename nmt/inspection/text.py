"""A look into a corpus as plain text, in lines of at most 100 characters."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from nmt.inspection.results import Advice, Bucket, Inspection, Split
from nmt.inspection.sections import Section, Table, notes_section, percent, sections

WIDTH = 100  # characters of a line
BAR = 50  # of the longest bar
LEAST = 24  # characters for running text beside other columns
GAP = "  "


def look_text(inspection: Inspection) -> str:
    """Returns the warnings, and then all that was found in the text."""
    parts = [
        _heading(inspection),
    ]
    if inspection.warnings:
        parts.append(_warnings(inspection.warnings))
    for section in sections(inspection):
        parts.append(section_text(section))
        if section.shows_lengths:
            picture = _bars(inspection.splits[0])
            parts.append(picture)
    return "\n\n".join(parts)


def advice_text(inspection: Inspection) -> str:
    """Returns what to choose before training, and how all was counted."""
    parts = []
    if inspection.advice:
        parts.append(_advice(inspection.advice))
    notes = notes_section(inspection)
    parts.append(section_text(notes))
    return "\n\n".join(parts)


def _heading(inspection: Inspection) -> str:
    source = inspection.source_language
    target = inspection.target_language
    seconds = f"{inspection.seconds:.1f} seconds"
    return f"{inspection.name}: {source} to {target}, looked at in {seconds}"


def _warnings(warnings: Sequence[str]) -> str:
    lines = ["To look at before training"]
    for warning in warnings:
        marked = f"! {warning}"
        lines.append(_wrapped(marked))
    return "\n".join(lines)


def _advice(chosen: Sequence[Advice]) -> str:
    """Returns what to choose; what is to be typed stands whole in a line of its own."""
    lines = ["What to choose"]
    for advice in chosen:
        sentence = f"{advice.title}: {advice.text}"
        lines.append(_wrapped(sentence))
        if advice.option:
            lines.append(2 * GAP + advice.option)
    return "\n".join(lines)


def section_text(section: Section) -> str:
    """Returns a heading, a table, and lines."""
    lines = [section.title]
    if section.table is not None:
        lines += table_lines(section.table)
    for line in section.lines:
        lines.append(_wrapped(line))
    return "\n".join(lines)


def table_lines(table: Table) -> list[str]:
    """Returns a table as lines; one that is too wide is broken in its last column, or goes on below."""
    widths = _widths(table)
    if table.ends_in_text:
        room = WIDTH - _width_of(widths[:-1]) - len(GAP)
        room = max(room, LEAST)
        widths[-1] = min(widths[-1], room)
        return _lines(table, widths)
    lines: list[str] = []
    for columns in _columns_that_fit(table, widths):
        if lines:
            lines.append("")
        part = _chosen(table, columns)
        lines += _lines(part, _widths(part))
    return lines


def _widths(table: Table) -> list[int]:
    """Returns the characters of each column's longest cell."""
    widths = []
    for column in zip(table.header, *table.rows, strict=True):
        longest = max(column, key=len)
        widths.append(len(longest))
    return widths


def _width_of(widths: Sequence[int]) -> int:
    """Returns the characters of columns, each after a gap."""
    return sum(widths) + len(GAP) * len(widths)


def _columns_that_fit(table: Table, widths: Sequence[int]) -> list[list[int]]:
    """Returns the numbers of the columns that stand side by side: the first one, and as many others as fit.

    A column without a heading stays beside the one before it.
    """
    parts: list[list[int]] = []
    room = 0
    for group in _groups(table):
        needed = _width_of([widths[column] for column in group])
        if not parts or needed > room:
            parts.append([0])
            room = WIDTH - _width_of(widths[:1])
        parts[-1] += group
        room -= needed
    return parts


def _groups(table: Table) -> list[list[int]]:
    """Returns the numbers of all columns but the first, each with those after it that have no heading."""
    groups: list[list[int]] = []
    for column in range(1, len(table.header)):
        if table.header[column] or not groups:
            groups.append([])
        groups[-1].append(column)
    return groups


def _chosen(table: Table, columns: Sequence[int]) -> Table:
    """Returns some columns of a table."""
    header = [table.header[column] for column in columns]
    rows = []
    for row in table.rows:
        cells = [row[column] for column in columns]
        rows.append(cells)
    return Table(header, rows)


def _lines(table: Table, widths: Sequence[int]) -> list[str]:
    """Returns the lines of a table, in which the last column goes on below where it is too long."""
    indent = _width_of(widths[:-1]) + len(GAP)
    lines: list[str] = []
    for row in [table.header, *table.rows]:
        others: list[str] = []
        cells = list(row)
        if len(row[-1]) > widths[-1]:
            cells[-1], *others = textwrap.wrap(row[-1], widths[-1])
        lines.append(_line(table, cells, widths))
        for other in others:
            lines.append(" " * indent + other)
    return lines


def _line(table: Table, cells: Sequence[str], widths: Sequence[int]) -> str:
    line = ""
    for column, cell in enumerate(cells):
        width = widths[column]
        padded = cell.ljust(width)
        if table.is_numeric(column):
            padded = cell.rjust(width)
        line += GAP + padded
    return line.rstrip()


def _bars(split: Split) -> str:
    """Returns the sentences of a split by source length as a picture."""
    shares = [bucket.share for bucket in split.buckets]
    largest = max(shares)
    lines = [f"{split.name} by source length"]
    for bucket in split.buckets:
        if bucket.sentences:
            lines.append(_bar(bucket, largest))
    return "\n".join(lines)


def _bar(bucket: Bucket, largest: float) -> str:
    label = bucket.label.rjust(7)
    share = percent(bucket.share).rjust(8)
    length = round(BAR * bucket.share / largest)
    bar = "#" * length
    return f"{GAP}{label} {share} {bar}".rstrip()


def _wrapped(text: str) -> str:
    return textwrap.fill(
        text,
        WIDTH,
        initial_indent=GAP,
        subsequent_indent=2 * GAP,
        break_on_hyphens=False,
        break_long_words=False,
    )
