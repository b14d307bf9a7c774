"""Sentences by length as a picture, in SVG that stands in a page."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from nmt.inspection.results import Split
from nmt.report.styles import COLOURS

SOURCE_COLOUR = COLOURS[1]
TARGET_COLOUR = COLOURS[0]
BARS = 50  # at most
STEPS = (1, 2, 5, 10, 20, 50)  # lengths that may share a bar
SHOWN = 0.995  # of the sentences have a bar of their own length; longer ones stand in the last
WIDTH = 600
HEIGHT = 150
FILLED = 0.9  # of a bar's place


def length_picture(split: Split) -> str:
    """Returns sentences by length as SVG: bars for the source, a line for the target."""
    step = _step(split)
    sources = _grouped(split.source.histogram, step)
    targets = _grouped(split.target.histogram, step)
    count = max(len(sources), len(targets), 1)
    count = min(count, BARS)
    sources = _cut(sources, count)
    targets = _cut(targets, count)
    most = max(*sources, *targets, 1)
    parts = [
        *_bars(sources, most),
        _line(targets, most),
        *_axes(count, step, most),
    ]
    box = f"-52 -12 {WIDTH + 64} {HEIGHT + 42}"
    label = f"sentences of {split.name} by length"
    drawn = "".join(parts)
    return f'<svg class="lengths" viewBox="{box}" role="img" aria-label="{label}">{drawn}</svg>'


def _step(split: Split) -> int:
    """Returns how many lengths share a bar, such that nearly all sentences have theirs."""
    source = _length_of_most(split.source.histogram)
    target = _length_of_most(split.target.histogram)
    longest = max(source, target)
    for step in STEPS:
        if longest <= BARS * step:
            return step
    return STEPS[-1]


def _length_of_most(histogram: Sequence[int]) -> int:
    """Returns the length that nearly all sentences do not exceed."""
    enough = SHOWN * sum(histogram)
    for length, sentences in enumerate(itertools.accumulate(histogram)):
        if sentences >= enough:
            return length
    return 0


def _grouped(histogram: Sequence[int], step: int) -> list[int]:
    """Returns sentences by ``step`` lengths together, from length 1 on; empty ones count to the first."""
    groups: list[int] = []
    for length, sentences in enumerate(histogram):
        group = max(length - 1, 0) // step
        if group == len(groups):
            groups.append(0)
        groups[group] += sentences
    return groups


def _cut(groups: Sequence[int], count: int) -> list[int]:
    """Returns so many groups: what is longer stands in the last."""
    cut = [0] * count
    for number, sentences in enumerate(groups):
        place = min(number, count - 1)
        cut[place] += sentences
    return cut


def _bars(groups: Sequence[int], most: int) -> list[str]:
    place = WIDTH / len(groups)
    width = FILLED * place
    bars = []
    for number, sentences in enumerate(groups):
        left = number * place
        height = HEIGHT * sentences / most
        top = HEIGHT - height
        shape = f'x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{height:.1f}"'
        bars.append(f'<rect {shape} fill="{SOURCE_COLOUR}"/>')
    return bars


def _line(groups: Sequence[int], most: int) -> str:
    """Returns the outline of bars."""
    place = WIDTH / len(groups)
    corners = []
    for number, sentences in enumerate(groups):
        left = number * place
        right = left + place
        top = HEIGHT - HEIGHT * sentences / most
        corners.append(f"{left:.1f},{top:.1f} {right:.1f},{top:.1f}")
    points = " ".join(corners)
    return f'<polyline points="{points}" fill="none" stroke="{TARGET_COLOUR}" stroke-width="2"/>'


def _axes(count: int, step: int, most: int) -> list[str]:
    """Returns both axes, with some lengths and the highest number."""
    place = WIDTH / count
    every = max(1, round(count / 10))
    parts = [f'<path d="M0,0V{HEIGHT}H{WIDTH}" class="axis"/>']
    for number in range(every, count + 1, every):
        middle = (number - 0.5) * place
        parts.append(_number(number * step, f'x="{middle:.1f}" y="{HEIGHT + 16}" text-anchor="middle"'))
    parts.append(_number(most, 'x="-6" y="4" text-anchor="end"'))
    parts.append(_number(0, f'x="-6" y="{HEIGHT}" text-anchor="end"'))
    return parts


def _number(number: int, place: str) -> str:
    return f"<text {place}>{number:,}</text>"
