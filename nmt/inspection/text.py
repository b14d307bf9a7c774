"""A look into a corpus as plain text, in lines of at most 100 characters."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from nmt.inspection.results import Inspection, Split
from nmt.inspection.sections import Section, Table, notes_section, percent, sections

WIDTH = 100  # characters of a line
BAR = 50  # of the longest bar
LEAST = 24  # characters for running text beside other columns
GAP = "  "


def look_text(inspection: Inspection) -> str:
    """Returns the warnings, and then all that was found in the text."""
    languages = f"{inspection.source_language} to {inspection.target_language}"
    parts = [f"{inspection.name}: {languages}, looked at in {inspection.seconds:.1f} seconds"]
    if inspection.warnings:
        warnings = [_wrapped(f"! {warning}", "  ") for warning in inspection.warnings]
        parts.append("\n".join(["To look at before training", *warnings]))
    for section in sections(inspection):
        parts.append(section_text(section))
        if section.shows_lengths:
            parts.append(_bars(inspection.splits[0]))
    return "\n\n".join(parts)


def advice_text(inspection: Inspection) -> str:
    """Returns what to choose before training, and how all was counted. What is to be typed stands whole in a line."""
    lines = ["What to choose"]
    for advice in inspection.advice:
        lines.append(_wrapped(f"{advice.title}: {advice.text}", GAP))
        if advice.option:
            lines.append(f"{GAP}{GAP}{advice.option}")
    advice_block = "\n".join(lines)
    notes = section_text(notes_section(inspection))
    return "\n\n".join([advice_block, notes] if inspection.advice else [notes])


def section_text(section: Section) -> str:
    """Returns a heading, a table, and lines."""
    blocks = [section.title]
    if section.table is not None:
        blocks += table_lines(section.table)
    blocks += [_wrapped(line, GAP) for line in section.lines]
    return "\n".join(blocks)


def table_lines(table: Table) -> list[str]:
    """Returns a table as lines; one that is too wide is broken in its last column, or goes on below."""
    widths = _widths(table)
    if table.ends_in_text:
        before = sum(widths[:-1]) + len(GAP) * len(widths)
        widths[-1] = min(widths[-1], max(LEAST, WIDTH - before))
        return _lines_broken(table, widths)
    shown: list[str] = []
    columns = [0]
    for column in range(1, len(widths)):
        used = sum(widths[one] + len(GAP) for one in (*columns, column))
        if used > WIDTH and len(columns) > 1:
            shown += [*_lines_broken(_chosen(table, columns), [widths[one] for one in columns]), ""]
            columns = [0]
        columns.append(column)
    return [*shown, *_lines_broken(_chosen(table, columns), [widths[one] for one in columns])]


def _widths(table: Table) -> list[int]:
    columns = zip(table.header, *table.rows, strict=True)
    return [max(map(len, column)) for column in columns]


def _chosen(table: Table, columns: Sequence[int]) -> Table:
    """Returns some columns of a table."""
    header = [table.header[column] for column in columns]
    rows = []
    for row in table.rows:
        rows.append([row[column] for column in columns])
    return Table(header, rows)


def _lines_broken(table: Table, widths: Sequence[int]) -> list[str]:
    """Returns the lines of a table, in which the last column goes on below where it is too long."""
    numeric = [table.is_numeric(column) for column in range(len(widths))]
    lines: list[str] = []
    for row in [table.header, *table.rows]:
        last = textwrap.wrap(row[-1], widths[-1]) or [""]
        cells = []
        for cell, width, is_numeric in zip([*row[:-1], last[0]], widths, numeric, strict=True):
            cells.append(cell.rjust(width) if is_numeric else cell.ljust(width))
        lines.append(GAP + GAP.join(cells))
        indent = sum(widths[:-1]) + len(GAP) * len(widths)
        lines += [" " * indent + more for more in last[1:]]
    return [line.rstrip() for line in lines]


def _bars(split: Split) -> str:
    """Returns the sentences of a split by source length as a picture."""
    most = max((bucket.share for bucket in split.buckets), default=0.0) or 1.0
    lines = [f"{split.name} by source length"]
    for bucket in split.buckets:
        if not bucket.sentences:
            continue
        bar = "#" * round(BAR * bucket.share / most)
        lines.append(f"{GAP}{bucket.label:>7} {percent(bucket.share):>8} {bar}".rstrip())
    return "\n".join(lines)


def _wrapped(text: str, indent: str) -> str:
    return textwrap.fill(text, WIDTH, initial_indent=GAP, subsequent_indent=GAP + indent, break_on_hyphens=False)
