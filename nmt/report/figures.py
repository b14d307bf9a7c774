"""Figures as a paper would print them."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Sequence
from typing import Any

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nmt.evaluation.results import ALL, Comparison, HeatMap, Row
from nmt.report.fonts import families, missing_told
from nmt.report.styles import style

LEGEND_ROWS = 17  # that fit beside the axes
LABEL = "system "  # begins the label of a line: matplotlib leaves a label that begins with a low line out of the legend
STYLE: dict[Any, Any] = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#555555",
    "axes.labelcolor": "#222222",
    "xtick.color": "#333333",
    "ytick.color": "#333333",
    "axes.grid": True,
    "grid.color": "#E3E3E3",
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "legend.handlelength": 2.6,
    "svg.fonttype": "path",
    "svg.hashsalt": "nmt",
    "figure.dpi": 100,
}


def by_length(comparison: Comparison, test_set: str, metric: str) -> Figure:
    """Score by source length with bands; buckets with too few sentences, or too short ones, are left out.

    Counts stand under each.
    """
    title = _plain(comparison.measure(metric).title)
    buckets = {name: count for name, count in comparison.test_sets[test_set].items() if name != ALL}
    fonts = families([*comparison.systems, test_set])
    with plt.rc_context({**STYLE, "font.family": fonts}):
        crowded = len(comparison.systems) > 4 or sum(map(len, comparison.systems)) > 30
        columns = math.ceil(len(comparison.systems) / LEGEND_ROWS)
        width = 6.8 + 2.0 * columns if crowded else 7.2  # the legend then stands beside the axes
        figure, axes = plt.subplots(figsize=(width, 4.3), layout="constrained")
        for system in comparison.systems:
            rows = [_shown(comparison, system, test_set, bucket, metric) for bucket in buckets]
            _draw_line(axes, comparison, system, rows)
        ticks = [f"{name}\nn={count:,}" for name, count in buckets.items()]
        axes.set_xticks(range(len(buckets)), ticks, fontsize=9)
        axes.set_xlim(-0.35, len(buckets) - 0.65)
        axes.set_xlabel(f"source length in {comparison.unit(test_set)}")
        axes.set_ylabel(title)
        axes.set_ylim(bottom=0)
        axes.grid(axis="x", visible=False)
        axes.set_title(f"{title} by source length, {test_set}", loc="left", fontsize=11, pad=26)
        share = round(100 * comparison.confidence)
        axes.text(0, 1.02, f"bands: {share} % bootstrap", transform=axes.transAxes, fontsize=8.5, color="#666666")
        handles, labels = axes.get_legend_handles_labels()
        if not handles:
            return figure
        if crowded:
            legend = axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), ncols=columns)
        else:
            legend = axes.legend(loc="lower right", bbox_to_anchor=(1, 1.0), ncols=len(handles), borderaxespad=0.2)
        for text, label in zip(legend.get_texts(), labels, strict=True):
            name = label.removeprefix(LABEL)
            text.set_text(name)
    return figure


def _shown(comparison: Comparison, system: str, test_set: str, bucket: str, metric: str) -> Row | None:
    """The score of a bucket; None where it has none that says something."""
    if comparison.too_short(test_set, bucket, metric):
        return None
    return comparison.find(system, test_set, bucket, metric)


def _draw_line(axes: Axes, comparison: Comparison, system: str, rows: Sequence[Row | None]) -> None:
    """One system's scores over the buckets, with their band."""
    at: list[int] = []
    scores: list[float] = []
    lows: list[float] = []
    highs: list[float] = []
    for place, row in enumerate(rows):
        if row is None or row.low is None or row.high is None:
            continue
        at.append(place)
        scores.append(row.score)
        lows.append(row.low)
        highs.append(row.high)
    if not at:
        return
    drawn = style(comparison, system)
    line: Any = "-"
    if drawn.dashes:
        in_line_widths = tuple(length / 2 for length in drawn.dashes)
        line = (0, in_line_widths)
    axes.fill_between(at, lows, highs, color=drawn.colour, alpha=0.16, linewidth=0)
    axes.plot(
        at,
        scores,
        color=drawn.colour,
        linestyle=line,
        marker=drawn.marker.matplotlib,
        markersize=5,
        linewidth=2,
        label=f"{LABEL}{system}",
    )


def heat_map(title: str, picture: HeatMap) -> Figure:
    """Attention weights: each row says where the model looked when it wrote that piece."""
    source, target = map(_plain_pieces, picture.readable())
    fonts = families([title, *source, *target])
    with plt.rc_context({**STYLE, "axes.grid": False, "font.family": fonts}):
        size = (1.6 + 0.34 * len(source), 1.4 + 0.27 * len(target))
        figure, axes = plt.subplots(figsize=size, layout="constrained")
        axes.imshow(picture.weights, cmap="Blues", vmin=0, vmax=255, aspect="auto")
        axes.set_xticks(range(len(source)), source, rotation=60, ha="left", rotation_mode="anchor", fontsize=9)
        axes.set_yticks(range(len(target)), target, fontsize=9)
        axes.tick_params(top=True, labeltop=True, bottom=False, labelbottom=False, length=0)
        axes.set_title(title, loc="left", fontsize=11)
    return figure


def _plain_pieces(pieces: Sequence[str]) -> list[str]:
    """A low line marks the start of a word, and stands for U+2581 in the text; few fonts have that."""
    return [_plain(re.sub("[▁\ue581]", "_", piece)) for piece in pieces]


def _plain(text: str) -> str:
    """Text that matplotlib, too, reads as text: a dollar sign would begin mathematics."""
    return text.replace("$", r"\$")


def pixels(figure: Figure) -> np.ndarray:
    """The figure as (height, width, 3) uint8, and closes it."""
    with missing_told():
        figure.canvas.draw()
    picture = np.asarray(figure.canvas.buffer_rgba())[..., :3].copy()  # type: ignore[attr-defined]
    plt.close(figure)
    return picture


def svg_text(figure: Figure) -> str:
    """The same numbers give the same text, byte for byte. Closes the figure."""
    buffer = io.StringIO()
    with missing_told(), plt.rc_context(STYLE):  # what names the parts of a file counts when it is written
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    plt.close(figure)
    return buffer.getvalue()


def png_bytes(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    with missing_told():
        figure.savefig(buffer, format="png", dpi=200, facecolor="white")
    return buffer.getvalue()
