"""How each system is drawn: one colour, marker and line in every figure, on the page and in its tables.

Colours are safe for colour-blind readers, and there are ten of them. In print, and beyond ten systems, marker and line
tell the systems apart.
"""

from __future__ import annotations

from dataclasses import dataclass

from nmt.evaluation.results import Comparison


@dataclass(frozen=True)
class Marker:
    """One shape, by its names."""

    matplotlib: str
    plotly: str
    path: str  # in SVG, around (0, 0), within 5 units


COLOURS = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C6D31", "#7B4FA3", "#666666")
MARKERS = (
    Marker("o", "circle", "M-4,0a4,4 0 1,0 8,0a4,4 0 1,0 -8,0z"),
    Marker("s", "square", "M-3.6,-3.6h7.2v7.2h-7.2z"),
    Marker("D", "diamond", "M0,-4.8L4.8,0L0,4.8L-4.8,0z"),
    Marker("^", "triangle-up", "M0,-4.4L4.4,3.6H-4.4z"),
    Marker("v", "triangle-down", "M0,4.4L4.4,-3.6H-4.4z"),
    Marker("P", "cross", "M-1.5,-4.4h3v2.9h2.9v3h-2.9v2.9h-3v-2.9h-2.9v-3h2.9z"),
    Marker("X", "x", "M-4,-2L-2,-4L0,-2L2,-4L4,-2L2,0L4,2L2,4L0,2L-2,4L-4,2L-2,0z"),
    Marker("*", "star", "M0,-5L1.2,-1.6L4.8,-1.5L1.9,.6L2.9,4L0,2L-2.9,4L-1.9,.6L-4.8,-1.5L-1.2,-1.6z"),
    Marker("<", "triangle-left", "M-4.4,0L3.6,-4.4V4.4z"),
    Marker(">", "triangle-right", "M4.4,0L-3.6,-4.4V4.4z"),
)
DASH = 8  # of a line that is not solid, in pixels
DOT = 2
GAP = 3


@dataclass(frozen=True)
class Style:
    """What a system's line looks like."""

    colour: str
    marker: Marker
    dashes: tuple[int, ...]  # dash, gap, dot, gap, ... in pixels; none: a solid line

    @property
    def key(self) -> str:
        """The line as inline SVG, to stand before the system's name. Black is the ink of the page, light or dark."""
        colour = "currentColor" if self.colour == "#000000" else self.colour
        dashes = " ".join(map(str, self.dashes)) or "none"
        return (
            f'<svg class="key" viewBox="-16 -6 32 12" aria-hidden="true"><path d="M-16,0H16" fill="none" '
            f'stroke="{colour}" stroke-width="2" stroke-dasharray="{dashes}"/>'
            f'<path d="{self.marker.path}" fill="{colour}"/></svg>'
        )


def style(comparison: Comparison, system: str) -> Style:
    """Returns the system's own style: no two have the same, however many there are.

    Each ten share colours in their order. The first ten lines are solid, the next ten dashed; then each ten have one
    dot more between their dashes. Markers move on by one, so that a colour comes again with another.
    """
    index = comparison.systems.index(system)
    turn = index // len(COLOURS)
    dashes: list[int] = []
    if turn:
        dashes = [DASH, GAP, *(DOT, GAP) * (turn - 1)]
    marker = MARKERS[(index + turn) % len(MARKERS)]
    return Style(COLOURS[index % len(COLOURS)], marker, tuple(dashes))
