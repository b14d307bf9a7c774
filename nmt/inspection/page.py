"""A look into a corpus as one HTML file, which asks nothing of a network and needs no script."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import jinja2

from nmt.corpus.text.writing import isolated
from nmt.inspection.results import Inspection, Split
from nmt.inspection.sections import advice_section, notes_section, sections
from nmt.report.page import ASSETS as OF_REPORT
from nmt.report.styles import COLOURS

ASSETS = Path(__file__).parent / "assets"
SOURCE_COLOUR = COLOURS[1]
TARGET_COLOUR = COLOURS[0]
BARS = 50  # of a picture, about
SHOWN = 0.995  # of the sentences; longer ones stand in the last bar
WIDTH = 600
HEIGHT = 150


def html_text(inspection: Inspection) -> str:
    """Returns the page."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(ASSETS),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    parts = [advice_section(inspection), *sections(inspection), notes_section(inspection)]
    environment.filters["isolated"] = isolated
    return environment.get_template("inspection.html.jinja").render(
        inspection=inspection,
        sections=list(filter(None, parts)),
        pictures={split.name: length_picture(split) for split in inspection.splits if split.pairs},
        css=(OF_REPORT / "page.css").read_text(encoding="utf-8"),
        own_css=(ASSETS / "inspection.css").read_text(encoding="utf-8"),
        source_colour=SOURCE_COLOUR,
        target_colour=TARGET_COLOUR,
    )


def length_picture(split: Split) -> str:
    """Returns sentences by length as inline SVG: bars for the source, a line for the target."""
    step = _step(split)
    sources = _grouped(split.source.histogram, step)
    targets = _grouped(split.target.histogram, step)
    count = _bars_shown(sources, targets)
    sources = _cut(sources, count)
    targets = _cut(targets, count)
    most = max(*sources, *targets, 1)
    wide = WIDTH / count
    bars = []
    for number, sentences in enumerate(sources):
        high = HEIGHT * sentences / most
        place = f'x="{number * wide:.1f}" y="{HEIGHT - high:.1f}" width="{0.9 * wide:.1f}" height="{high:.1f}"'
        bars.append(f'<rect {place} fill="{SOURCE_COLOUR}"/>')
    corners = []
    for number, sentences in enumerate(targets):
        height = HEIGHT - HEIGHT * sentences / most
        corners.append(f"{number * wide:.1f},{height:.1f} {(number + 1) * wide:.1f},{height:.1f}")
    line = f'<polyline points="{" ".join(corners)}" fill="none" stroke="{TARGET_COLOUR}" stroke-width="2"/>'
    parts = [*bars, line, *_axis(count, step, wide, most)]
    label = f"sentences of {split.name} by length"
    box = f"-48 -12 {WIDTH + 64} {HEIGHT + 42}"
    return f'<svg class="lengths" viewBox="{box}" role="img" aria-label="{label}">{"".join(parts)}</svg>'


def _step(split: Split) -> int:
    """Returns how many lengths share a bar, such that nearly all sentences stand in some fifty bars."""
    longest = 1
    for histogram in (split.source.histogram, split.target.histogram):
        longest = max(longest, _length_of_most(histogram))
    steps = (1, 2, 5, 10, 20, 50)
    return next((step for step in steps if longest <= BARS * step), steps[-1])


def _length_of_most(histogram: Sequence[int]) -> int:
    """Returns the length that nearly all sentences do not exceed."""
    limit = SHOWN * sum(histogram)
    for length, sentences in enumerate(itertools.accumulate(histogram)):
        if sentences >= limit:
            return length
    return 0


def _grouped(histogram: Sequence[int], step: int) -> list[int]:
    """Returns sentences by ``step`` lengths together, from length 1 on; empty ones count to the first."""
    from_one = list(histogram[1:])
    if histogram and from_one:
        from_one[0] += histogram[0]
    return [sum(from_one[begin : begin + step]) for begin in range(0, len(from_one), step)]


def _bars_shown(sources: Sequence[int], targets: Sequence[int]) -> int:
    return max(1, min(BARS, max(len(sources), len(targets))))


def _cut(bars: Sequence[int], count: int) -> list[int]:
    """Returns so many bars: what is longer stands in the last."""
    padded = [*bars, *[0] * count]
    return [*padded[: count - 1], sum(padded[count - 1 :])]


def _axis(count: int, step: int, wide: float, most: int) -> list[str]:
    """Returns the axes with a few numbers each."""
    parts = [f'<path d="M0,0V{HEIGHT}H{WIDTH}" class="axis"/>']
    every = max(1, round(count / 10))
    for number in range(every - 1, count, every):
        middle = (number + 0.5) * wide
        parts.append(f'<text x="{middle:.1f}" y="{HEIGHT + 16}" text-anchor="middle">{(number + 1) * step}</text>')
    parts.append(f'<text x="-6" y="4" text-anchor="end">{most:,}</text>')
    parts.append(f'<text x="-6" y="{HEIGHT}" text-anchor="end">0</text>')
    return parts
