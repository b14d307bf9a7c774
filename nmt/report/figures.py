"""Figures as a paper would print them. One colour per system everywhere, safe for colour-blind readers."""

from __future__ import annotations

import io
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

COLOURS = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C6D31", "#7B4FA3", "#666666")
MARKERS = "osD^vPX*<>"
LINES = ("-", "--", ":")  # beyond ten systems colours come again, on other lines
STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
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
    "svg.fonttype": "path",
    "svg.hashsalt": "nmt",
    "figure.dpi": 100,
}


def colour(comparison: Comparison, system: str) -> str:
    return COLOURS[comparison.systems.index(system) % len(COLOURS)]


def by_length(comparison: Comparison, test_set: str, metric: str) -> Figure:
    """Score by source length with bands; buckets with too few sentences are left out, counts stand under each."""
    title = _plain(comparison.measure(metric).title)
    buckets = {name: count for name, count in comparison.test_sets[test_set].items() if name != ALL}
    with plt.rc_context(STYLE):
        crowded = len(comparison.systems) > 4 or sum(map(len, comparison.systems)) > 30
        width = 8.8 if crowded else 7.2  # the legend then stands beside the axes
        figure, axes = plt.subplots(figsize=(width, 4.3), layout="constrained")
        for system in comparison.systems:
            rows = [comparison.find(system, test_set, bucket, metric) for bucket in buckets]
            _draw_line(axes, comparison, system, rows)
        ticks = [f"{name}\nn={count:,}" for name, count in buckets.items()]
        axes.set_xticks(range(len(buckets)), ticks, fontsize=9)
        axes.set_xlim(-0.35, len(buckets) - 0.65)
        axes.set_xlabel("source length in words")
        axes.set_ylabel(title)
        axes.set_ylim(bottom=0)
        axes.grid(axis="x", visible=False)
        axes.set_title(f"{title} by source length, {test_set}", loc="left", fontsize=11, pad=26)
        share = round(100 * comparison.confidence)
        axes.text(0, 1.02, f"bands: {share} % bootstrap", transform=axes.transAxes, fontsize=8.5, color="#666666")
        handles, _ = axes.get_legend_handles_labels()
        if crowded:
            axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0))
        elif handles:
            axes.legend(loc="lower right", bbox_to_anchor=(1, 1.0), ncols=len(handles), borderaxespad=0.2)
    return figure


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
    index = comparison.systems.index(system)
    shade = colour(comparison, system)
    axes.fill_between(at, lows, highs, color=shade, alpha=0.16, linewidth=0)
    axes.plot(
        at,
        scores,
        color=shade,
        linestyle=LINES[index // len(COLOURS) % len(LINES)],
        marker=MARKERS[index % len(MARKERS)],
        markersize=5,
        linewidth=2,
        label=system,
    )


def heat_map(title: str, picture: HeatMap) -> Figure:
    """Attention weights: each row says where the model looked when it wrote that piece."""
    source = _readable(picture.source_pieces)
    target = _readable(picture.target_pieces)
    with plt.rc_context({**STYLE, "axes.grid": False}):
        size = (1.6 + 0.34 * len(source), 1.4 + 0.27 * len(target))
        figure, axes = plt.subplots(figsize=size, layout="constrained")
        axes.imshow(picture.weights, cmap="Blues", vmin=0, vmax=255, aspect="auto")
        axes.set_xticks(range(len(source)), source, rotation=60, ha="left", rotation_mode="anchor", fontsize=9)
        axes.set_yticks(range(len(target)), target, fontsize=9)
        axes.tick_params(top=True, labeltop=True, bottom=False, labelbottom=False, length=0)
        axes.set_title(title, loc="left", fontsize=11)
    return figure


def _readable(pieces: Sequence[str]) -> list[str]:
    """SentencePiece marks the start of a word."""
    return [_plain(re.sub("[▁\ue581]", "_", piece)) for piece in pieces]


def _plain(text: str) -> str:
    """Text that matplotlib, too, reads as text: a dollar sign would begin mathematics."""
    return text.replace("$", r"\$")


def pixels(figure: Figure) -> np.ndarray:
    """The figure as (height, width, 3) uint8, and closes it."""
    figure.canvas.draw()
    picture = np.asarray(figure.canvas.buffer_rgba())[..., :3].copy()  # type: ignore[attr-defined]
    plt.close(figure)
    return picture


def svg_text(figure: Figure) -> str:
    """Closes the figure."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    plt.close(figure)
    return buffer.getvalue()


def png_bytes(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=200, facecolor="white")
    return buffer.getvalue()
