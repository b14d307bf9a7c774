"""A comparison for TensorBoard: scores by source length, systems laid over each other, and final scores by options."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from nmt.evaluation.results import ALL, ALL_SEEDS, Comparison, Row

if TYPE_CHECKING:  # imported late: TensorBoard is slow to start
    from torch.utils.tensorboard import SummaryWriter


def write_board(comparison: Comparison, folder: Path) -> None:
    """A run of TensorBoard for each system: the axis of its curves is the source length, not the step.

    Each bucket stands at its last length, an open one at the median length of its sentences. As in every figure, a
    bucket with too few sentences for a band, or too short for the measure, has no point. What was there before is
    replaced.
    """
    from torch.utils.tensorboard import SummaryWriter

    shutil.rmtree(folder, ignore_errors=True)
    places = _places(comparison)
    for system in comparison.systems:
        place = folder / folder_of(system)
        finals: dict[str, float] = {}
        with SummaryWriter(str(place)) as board:
            board.add_custom_scalars(_layout(comparison))
            for row in comparison.rows:
                if row.system != system:
                    continue
                if row.bucket != ALL:
                    if not _is_drawn(comparison, row):
                        continue
                    at = places[row.test_set, row.bucket]
                    _add_point(board, row, at)
                elif row.metric in comparison.metrics:
                    tag = f"final/{row.test_set}_{row.metric}"
                    finals[tag] = row.score
        record_options(place, comparison.options[system], finals)


def folder_of(system: str) -> str:
    """Names the folder of a system's curves."""
    return re.sub(r"[^\w.+-]+", "_", system)


def _add_point(board: SummaryWriter, row: Row, at: int) -> None:
    """One bucket's score, and its band where it has one."""
    tag = f"by_length/{row.test_set}/{row.metric}"
    values = {"": row.score, "_low": row.low, "_high": row.high}
    for end, value in values.items():
        if value is not None:
            board.add_scalar(f"{tag}{end}", value, at)


def _places(comparison: Comparison) -> dict[tuple[str, str], int]:
    """Where each bucket stands on the axis, by test set and label."""
    places: dict[tuple[str, str], int] = {}
    for test_set, buckets in comparison.buckets.items():
        for bucket in buckets:
            places[test_set, bucket.label] = bucket.place
    return places


def _is_drawn(comparison: Comparison, row: Row) -> bool:
    """Whether a bucket's score is its system's and says something: one that was chosen needs a band, as in figures."""
    if not _is_of_all_seeds(comparison, row):
        return False
    is_chosen = row.metric in comparison.metrics
    if is_chosen and row.low is None:
        return False
    return not comparison.too_short(row.test_set, row.bucket, row.metric)


def _is_of_all_seeds(comparison: Comparison, row: Row) -> bool:
    """Whether a row speaks for its system: the mean over seeds, or the only seed."""
    if row.seed == ALL_SEEDS:
        return True
    seeds = {run.seed for run in comparison.runs}
    return len(seeds) == 1


def _layout(comparison: Comparison) -> dict[str, dict[str, list]]:
    """The page CUSTOM SCALARS: a chart with its band for each test set and measure, whose title names its axis."""
    charts: dict[str, list] = {}
    for test_set in comparison.test_sets:
        axis = f"source {comparison.unit(test_set)}"
        for bucket in comparison.buckets.get(test_set, []):
            if bucket.high is None and bucket.label != ALL:
                axis += f", {bucket.label} at its median {bucket.place}"
        for metric in comparison.metrics:
            tag = f"by_length/{test_set}/{metric}"
            tags = [tag, f"{tag}_low", f"{tag}_high"]
            charts[f"{metric} by source length, {test_set} ({axis})"] = ["Margin", tags]
    return {"quality by source length": charts}


def record_options(folder: Path, options: dict[str, str], scores: dict[str, float]) -> None:
    """Options and final scores as a line of TensorBoard's HPARAMS page."""
    from torch.utils.tensorboard import SummaryWriter
    from torch.utils.tensorboard.summary import hparams

    with SummaryWriter(str(folder)) as board:
        for summary in hparams(options, scores):
            board.file_writer.add_summary(summary)
        for name, value in scores.items():
            board.add_scalar(name, value)
